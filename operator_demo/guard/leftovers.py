"""Ends what the agent began through the guard and left running.

A process started by `docker exec` outlives its killed client, and so does a one-shot container. After a command that
was cut short, or a session that was interrupted, the agent asks for both to be ended. The engine gives a process's id
in its own namespace only, so a helper container in that namespace kills the process groups.

Limits: an exec that left its process group (`setsid`) stays; with user namespaces remapped the engine refuses the
helper; a guard that was started again does not know what was begun before.
"""

import secrets
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from operator_demo import labels
from operator_demo.guard.decision import Decision
from operator_demo.guard.http import BadRequest
from operator_demo.guard.record import Record
from operator_demo.guard.request import AGENT, Request
from operator_demo.guard.upstream import Call, EngineGone, Upstream

_MOST = 4096  # that are remembered
_SLACK = 0.05  # seconds
_HELPER_WAIT = 5.0  # seconds


@dataclass(frozen=True)
class _Begun:
    at: float
    container: str  # the name of the member


class Leftovers:
    def __init__(self, upstream: Upstream, record: Record, run: str, image: str = "") -> None:
        """`image` (with a shell in it) is what the helper runs from: "" for that of the container we are in."""
        self._upstream, self._record, self._run, self._image = upstream, record, run, image
        self._execs: dict[str, _Begun] = {}
        self._one_shots: dict[str, _Begun] = {}

    def answered(self, request: Request, decision: Decision, answer: Any) -> None:
        """Learns what the agent began from the engine's answer to a request that was allowed."""
        if decision.caller != AGENT or decision.target is None or not isinstance(answer, dict) or "Id" not in answer:
            return
        begun = _Begun(time.time(), decision.target.name)
        if request.path[2:] == ("exec",):
            _remember(self._execs, str(answer["Id"]), begun)
        elif request.path == ("containers", "create"):
            _remember(self._one_shots, str(answer["Id"]), begun)

    async def end(self, request: Request) -> list[str]:
        """Ends what was begun since the time in the query (`since`, seconds since the epoch) and still runs; says what,
        in words for people. Raises `BadRequest` and `EngineGone`."""
        try:
            since = float(request.query.get("since") or 0.0) - _SLACK
        except ValueError as e:
            raise BadRequest("since takes seconds since the epoch") from e
        return await self._end_one_shots(since) + await self._end_execs(since)

    async def _end_one_shots(self, since: float) -> list[str]:
        ended = []
        for id_, begun in list(self._one_shots.items()):
            found = await self._upstream.get(("containers", id_, "json")) if begun.at >= since else None
            if found is None:
                continue  # it was there before, or is gone
            await self._upstream.ask(Call("DELETE", ("containers", id_), {"force": "1"}))
            ended.append(f"container {str(found['Name']).lstrip('/')}, with the data of {begun.container}")
        return ended

    async def _end_execs(self, since: float) -> list[str]:
        pids, ended = [], []
        for id_, begun in list(self._execs.items()):
            found = await self._upstream.get(("exec", id_, "json")) if begun.at >= since else None
            if found and found["Running"] and int(found["Pid"] or 0) > 1:
                pids.append(int(found["Pid"]))
                ended.append(f"`{_command(found)}` in {begun.container}")
        if pids:
            await self._kill_groups(pids)
        return ended

    async def _kill_groups(self, pids: list[int]) -> None:
        image = self._image or await self._own_image()
        name = f"operator-demo-kill-{secrets.token_hex(4)}"
        self._record.own("end of what a command left", name)
        body = {
            "Image": image, "Labels": {labels.RUN: self._run}, "NetworkDisabled": True,
            "Entrypoint": ["/bin/sh", "-c"], "Cmd": ["kill -s KILL -- " + " ".join(f"-{pid}" for pid in pids)],
            "HostConfig": {"PidMode": "host", "NetworkMode": "none", "CapDrop": ["ALL"], "CapAdd": ["KILL"],
                           "ReadonlyRootfs": True, "SecurityOpt": ["no-new-privileges"]}}
        made = await self._must(Call("POST", ("containers", "create"), {"name": name}, body))
        try:
            await self._must(Call("POST", ("containers", made["Id"], "start"), {}))
            await self._upstream.ask(Call("POST", ("containers", made["Id"], "wait"), {}), _HELPER_WAIT)
        finally:
            await self._upstream.ask(Call("DELETE", ("containers", made["Id"]), {"force": "1"}))

    async def _own_image(self) -> str:
        own = await self._upstream.get(("containers", socket.gethostname(), "json"))
        if own is None:
            raise EngineGone("The guard's own container is not on the engine.")
        return str(own["Image"])

    async def _must(self, call: Call) -> Any:
        status, answer = await self._upstream.ask(call)
        if status >= 400:
            raise EngineGone(f"The engine answers {status}: {(answer or {}).get('message', '')}")
        return answer


def _remember(where: dict[str, _Begun], id_: str, begun: _Begun) -> None:
    where[id_] = begun
    while len(where) > _MOST:
        del where[next(iter(where))]


def _command(described: Mapping[str, Any]) -> str:
    process = described["ProcessConfig"]
    return " ".join([process["entrypoint"], *(process.get("arguments") or [])])
