"""The end of a run whose time is over: all its containers stop, even if its host is gone.

The guard does this, because it runs as long as the run and has the engine's socket. Stopped containers keep their data,
so that `down` can still copy the record. The monitor writes the end into the record at the same time.
"""

import asyncio
import json
import time
from collections.abc import Sequence
from typing import Any

from operator_demo import labels
from operator_demo.errors import OperatorError
from operator_demo.guard.upstream import Call, EngineGone, Upstream
from operator_demo.store import Store

_STOPPABLE = ("running", "paused", "restarting")
_LAST = ("monitor", "guard")  # services that end by themselves
_GRACE = 10  # seconds until SIGKILL
_STOP = 60.0  # seconds that the engine may take to stop one


def seconds_left(store: Store, run: str, max_time: float) -> float:
    """Counts from the run's first event, so that a restart does not extend it."""
    began = store.began(run)
    return max_time if began is None else max(0.0, began + max_time - time.time())


async def end_run(upstream: Upstream, project: str) -> None:
    """Stops the agent and the load, then the subject, of which the agent would start members again.

    Raises `OperatorError` if something could not be stopped.
    """
    problems = await _stop(upstream, f"{project}-operator", but=_LAST)
    problems += await _stop(upstream, project)
    if problems:
        raise OperatorError(f"The run's time is over, and not all of it could be stopped: {'; '.join(problems)}")


async def _stop(upstream: Upstream, project: str, but: Sequence[str] = ()) -> list[str]:
    """Stops what runs, in parallel; returns the problems, in words."""
    of_project = json.dumps({"label": [f"{labels.PROJECT}={project}"]})
    listed = await upstream.get(("containers", "json"), {"filters": of_project}) or []
    running = [c for c in listed if c["State"] in _STOPPABLE and c["Labels"].get(labels.SERVICE) not in but]
    problems = await asyncio.gather(*(_stop_one(upstream, container) for container in running))
    return [problem for problem in problems if problem]


async def _stop_one(upstream: Upstream, container: dict[str, Any]) -> str:
    name = str(container["Names"][0]).lstrip("/")
    try:
        status, answer = await upstream.ask(
            Call("POST", ("containers", str(container["Id"]), "stop"), {"t": str(_GRACE)}), _STOP)
    except EngineGone as e:
        return f"{name}: {e.message}"
    if status < 400 or status == 404:
        return ""
    return f"{name}: {(answer or {}).get('message', status)}"
