"""What the presenter wants of the agent between two steps: to stand still, to go on, to stop."""

import asyncio
import time

from operator_demo import tickets
from operator_demo.agent.work import Work
from operator_demo.events import AgentPaused, AgentResumed
from operator_demo.orders import PAUSE, STOP

_LOOK = 0.1  # seconds between two looks at the order


async def stops(work: Work) -> bool:
    """Waits as long as the agent is to pause. Is it to stop?"""
    if _order(work) == PAUSE:
        began = time.monotonic()
        work.say(AgentPaused())
        while _order(work) == PAUSE:
            await asyncio.sleep(_LOOK)
        work.say(AgentResumed(seconds=round(time.monotonic() - began, 6)))
    return _order(work) == STOP


def _order(work: Work) -> str:
    return tickets.order(work.recorder.store, work.settings.run)
