"""The guard's process: a socket for each caller, until it is told to stop."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from operator_demo.errors import Exit
from operator_demo.events import GUARD
from operator_demo.guard.host_access import ways_around
from operator_demo.guard.policy import Policy
from operator_demo.guard.proxy import Proxy
from operator_demo.guard.record import Record
from operator_demo.guard.request import AGENT, MONITOR
from operator_demo.guard.upstream import EngineGone, Upstream
from operator_demo.guard.world import World
from operator_demo.settings import Settings
from operator_demo.store import Recorder, Store

SOCKET_NAME = "docker.sock"
_FOLDER = "/run/guard"  # has a folder for each caller: a volume that the caller alone mounts besides
_ENGINE = Path("/var/run/docker.sock")
_RECORD = 5.0  # seconds that a request waits while others write into the record
_START = 20.0  # seconds that the engine may take for its first answer
_BETWEEN_TRIES = 0.2  # seconds


def run(settings: Settings) -> int:
    """Returns 0 after an orderly stop. Raises `StoreError` without a store, `EngineGone` without an engine."""
    folder = Path(os.environ.get("OPERATOR_GUARD") or _FOLDER)
    sockets = {caller: folder / caller / SOCKET_NAME for caller in (AGENT, MONITOR)}
    with Store(settings.store_path, durable=True) as store:
        store.wait_for_lock(_RECORD)
        record = Record(Recorder(store, settings.run, GUARD, sys.stdout))
        upstream = Upstream(_ENGINE)
        world = World(upstream, settings.project, settings.run)
        proxy = Proxy(Policy(world, session=record.session), record, upstream)
        return asyncio.run(_run(proxy, sockets, world, record))


async def _run(proxy: Proxy, sockets: Mapping[str, Path], world: World, record: Record) -> int:
    """Serves each caller at its socket until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    for member, reason in (await _ways_around(world)).items():
        record.warn(f"Nothing is run in {member}, and no files are written there, because {reason}.")
    try:
        for caller, path in sockets.items():
            await proxy.serve(caller, path)
        await stop.wait()
    finally:
        await proxy.stop()
    return Exit.OK


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
