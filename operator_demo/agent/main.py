"""The agent's process: waits for a ticket, works on it, waits for the next, until it is told to stop.

A signal, or the end of `max_time`, ends a session in order. Sessions of a killed process are closed at the next start.
"""

import asyncio
import importlib
import signal
import sys
from typing import TYPE_CHECKING, TextIO

from operator_demo import settings, tickets
from operator_demo.agent import config, confinement, recovery
from operator_demo.agent.budget import Budget
from operator_demo.agent.config import AgentSettings
from operator_demo.agent.record import AgentRecorder
from operator_demo.agent.stop import Stop
from operator_demo.agent.work import Work
from operator_demo.errors import Exit, UsageError
from operator_demo.events import AgentStarted, Refusal, SessionStarted, new_id
from operator_demo.redaction import Scrubber
from operator_demo.settings import Settings
from operator_demo.store import Row, Store

if TYPE_CHECKING:
    from operator_demo.agent.brain import Brain

_LOOK = 0.05  # seconds between two looks for a ticket


def run(all_: Settings) -> int:
    """Returns 0 after an orderly stop, 3 when its network is gone. Raises `UsageError` for a wrong environment,
    `StoreError` without a store."""
    agent = config.from_environment()
    store = Store(all_.store_path, durable=True)
    try:
        return asyncio.run(serve(all_, agent, store, sys.stdout))
    finally:
        store.close()


async def serve(all_: Settings, agent: AgentSettings, store: Store, out: TextIO) -> int:
    stop = Stop()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set, f"The agent was told to stop ({number.name}).")
    loop.call_later(all_.max_time, stop.set, f"The longest time of a run ({all_.max_time:g} s) is over.")
    recorder = AgentRecorder(store, all_.run, out, Scrubber([agent.key] if agent.key else []))
    way_out = await confinement.way_out(agent.open_network) if agent.mode != settings.OBSERVE else ""
    recorder.say(AgentStarted(mode=agent.mode, model=agent.model, brain=agent.brain, way_out=way_out))
    try:
        agent.require_key()
        budget = Budget(store, all_.run, agent.limits, agent.model)
    except UsageError as e:
        recorder.say(Refusal(reason=e.message))
        raise
    # The SDK takes about a second to import: it does so while we look for a ticket.
    loading = asyncio.create_task(asyncio.to_thread(_load_brain))
    await recovery.close_own_sessions(recorder, all_, agent, budget, stop)
    network = asyncio.create_task(_leave_without_network(stop)) if agent.mode != settings.OBSERVE else None
    brain: Brain | None = None
    try:
        while not stop.is_set():
            if tickets.free(store, all_.run) is None:
                await stop.wait(_LOOK)
                continue
            await loading
            from operator_demo.agent import session as sessions
            from operator_demo.agent.brain import open_brain

            brain = brain or open_brain(agent)
            if claimed := _claim(recorder, all_, agent):
                session, ticket = claimed
                work = Work(all_, agent, recorder, budget, ticket["ticket"], session)
                await sessions.run(work, ticket, brain.client, stop)
        lost_network = network is not None and network.done()
        return Exit.ENVIRONMENT if lost_network else Exit.OK
    finally:
        if network is not None:
            network.cancel()
        await loading
        if brain is not None:
            await brain.close()


async def _leave_without_network(stop: Stop) -> None:
    """A container joins a network that another one holds only when it starts: the engine starts this one again."""
    await confinement.network_gone()
    stop.set(confinement.GONE)


def _load_brain() -> None:
    for name in ("brain", "session"):
        importlib.import_module(f"operator_demo.agent.{name}")


def _claim(recorder: AgentRecorder, all_: Settings, agent: AgentSettings) -> tuple[str, Row] | None:
    """The new session and its ticket, both in one transaction; None when another session was faster."""
    session = new_id("ses")
    with recorder.transaction():
        ticket = tickets.claim(recorder, session)
        if ticket is None:
            return None
        recovery.close_predecessor(recorder, all_.run, session, ticket["ticket"])
        recorder.say(SessionStarted(model=agent.model, brain=agent.brain, mode=agent.mode, container=agent.container),
                     ticket=ticket["ticket"], session=session)
    return session, ticket
