"""The guard's process: a socket for each caller, until it is told to stop."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from operator_demo.errors import Exit
from operator_demo.events import GUARD
from operator_demo.guard import answering, time_limit
from operator_demo.guard.approvals import Approvals
from operator_demo.guard.host_access import ways_around
from operator_demo.guard.leftovers import Leftovers
from operator_demo.guard.memory import Memory
from operator_demo.guard.policy import Policy
from operator_demo.guard.proxy import Own, Proxy
from operator_demo.guard.record import Record
from operator_demo.guard.request import AGENT, MONITOR
from operator_demo.guard.upstream import EngineGone, Upstream
from operator_demo.guard.world import World
from operator_demo.settings import APPROVE, Settings
from operator_demo.store import Recorder, Store

SOCKET_NAME = "docker.sock"
LEFTOVERS = ("guard", "leftovers")  # the path at which a caller has its own ended
_FOLDER = "/run/guard"  # has a folder for each caller, a volume that it alone mounts besides, and one for the memory
_ENGINE = Path("/var/run/docker.sock")
_RECORD = 5.0  # seconds that a request waits while others write into the record
_START = 20.0  # seconds that the engine may take for its first answer
_BETWEEN_TRIES = 0.2  # seconds


def run(settings: Settings) -> int:
    """Serves until SIGTERM, or until the run's time is over. Raises `StoreError` without a store, `EngineGone` without
    an engine, and `OperatorError` if not all of an expired run could be stopped; the engine then restarts the guard,
    which tries again."""
    sockets = {caller: _folder() / caller / SOCKET_NAME for caller in (AGENT, MONITOR)}
    with Store(settings.store_path, durable=True) as store:
        store.wait_for_lock(_RECORD)
        record = Record(Recorder(store, settings.run, GUARD, sys.stdout))
        return asyncio.run(_run(settings, record, store, sockets))


def _folder() -> Path:
    return Path(os.environ.get("OPERATOR_GUARD") or _FOLDER)


async def _run(settings: Settings, record: Record, store: Store, sockets: Mapping[str, Path]) -> int:
    upstream = Upstream(_ENGINE)
    world = World(upstream, settings.project, settings.run)
    for member, reason in (await _ways_around(world)).items():
        record.warn(f"Nothing is run in {member}, and no files are written there, because {reason}.")
    memory = Memory(_folder() / "memory" / f"{settings.run}.jsonl")
    if memory.is_of_before:
        record.warn("The guard ended and has started again. Meanwhile every request to the engine was refused.")
    probes = json.loads(os.environ.get("OPERATOR_PROBES") or "[]")
    policy = Policy(world, probes, session=record.session, approve=os.environ.get("OPERATOR_SAFETY_MODE") == APPROVE,
                    memory=memory)
    leftovers = Leftovers(upstream, record, memory, settings.run)
    record.withdraw_open()
    approvals = Approvals(record, memory=memory)
    own: dict[tuple[str, ...], Own] = {(caller, *LEFTOVERS): partial(leftovers.end, caller) for caller in sockets}
    proxy = Proxy(policy, record, upstream, own=own, approvals=approvals)
    left = time_limit.seconds_left(store, settings.run, settings.max_time)
    with answering.served(approvals):
        over = await serve(proxy, sockets, left)
    if over:
        await time_limit.end_run(upstream, settings.project)
    return Exit.OK


async def serve(proxy: Proxy, sockets: Mapping[str, Path], seconds: float) -> bool:
    """Serves each caller at its socket until SIGTERM or SIGINT; True where the `seconds` were over before."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        for caller, path in sockets.items():
            await proxy.serve(caller, path)
        async with asyncio.timeout(seconds):
            await stop.wait()
        return False
    except TimeoutError:
        return True
    finally:
        await proxy.stop()


async def _ways_around(world: World) -> dict[str, str]:
    """As soon as the engine answers. Raises `EngineGone` where it does not."""
    loop = asyncio.get_running_loop()
    end = loop.time() + _START
    while True:
        try:
            return await ways_around(world)
        except EngineGone:
            if loop.time() > end:
                raise
        await asyncio.sleep(_BETWEEN_TRIES)
