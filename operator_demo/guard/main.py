"""The guard's process: a socket for each caller, until it is told to stop."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from operator_demo.errors import Exit
from operator_demo.events import GUARD
from operator_demo.guard.decision import Decider, Decision, Ruling
from operator_demo.guard.proxy import Proxy
from operator_demo.guard.record import Record
from operator_demo.guard.request import AGENT, MONITOR, Request
from operator_demo.guard.upstream import EngineGone, Upstream
from operator_demo.settings import Settings
from operator_demo.store import Recorder, Store

SOCKET_NAME = "docker.sock"
_FOLDER = "/run/guard"  # has a folder for each caller: a volume that the caller alone mounts besides
_ENGINE = Path("/var/run/docker.sock")
_START = 20.0  # seconds that the engine may take for its first answer
_BETWEEN_TRIES = 0.2  # seconds


class _NothingAllowed:
    async def decide(self, caller: str, request: Request) -> Decision:
        return Decision(Ruling.DENY, "no policy", "The guard has no policy, so it allows nothing.")

    def answered(self, request: Request, decision: Decision, body: Any) -> None:
        return


def run(settings: Settings) -> int:
    """Returns 0 after an orderly stop. Raises `StoreError` without a store, `EngineGone` without an engine."""
    folder = Path(os.environ.get("OPERATOR_GUARD") or _FOLDER)
    sockets = {caller: folder / caller / SOCKET_NAME for caller in (AGENT, MONITOR)}
    with Store(settings.store_path, durable=True) as store:
        record = Record(Recorder(store, settings.run, GUARD, sys.stdout))
        upstream = Upstream(_ENGINE)
        return asyncio.run(serve(_NothingAllowed(), record, upstream, sockets))


async def serve(policy: Decider, record: Record, upstream: Upstream, sockets: Mapping[str, Path]) -> int:
    """Serves each caller at its socket until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await _wait_for(upstream)
    proxy = Proxy(policy, record, upstream)
    try:
        for caller, path in sockets.items():
            await proxy.serve(caller, path)
        await stop.wait()
    finally:
        await proxy.stop()
    return Exit.OK


async def _wait_for(upstream: Upstream) -> None:
    loop = asyncio.get_running_loop()
    end = loop.time() + _START
    while True:
        try:
            await upstream.get(("version",))
            return
        except EngineGone:
            if loop.time() > end:
                raise
        await asyncio.sleep(_BETWEEN_TRIES)
