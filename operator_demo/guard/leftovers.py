"""Ends what the agent began through the guard and left running.

A process started by `docker exec` outlives its killed client, and so does a one-shot container. After a command that
was cut short, or a session that was interrupted, the agent asks for both to be ended. The engine gives a process's id
in its own namespace only, so a helper container in that namespace kills the process groups.

Limits: an exec that left its process group (`setsid`) stays; with user namespaces remapped the engine refuses the
helper.
"""

import secrets
import socket
from collections.abc import Mapping, Sequence
from typing import Any

from operator_demo import labels
from operator_demo.guard.http import BadRequest
from operator_demo.guard.memory import EXEC, ONE_SHOT, Begun, Memory
from operator_demo.guard.record import Record
from operator_demo.guard.request import Request
from operator_demo.guard.upstream import Call, EngineGone, Upstream

_SLACK = 0.05  # seconds
_HELPER_WAIT = 5.0  # seconds


class Leftovers:
    def __init__(self, upstream: Upstream, record: Record, memory: Memory, run: str, image: str = "") -> None:
        """`image` (with a shell in it) is what the helper runs from: "" for that of the container we are in."""
        self._upstream, self._record, self._memory = upstream, record, memory
        self._run, self._image = run, image

    async def end(self, caller: str, request: Request) -> list[str]:
        """Ends what the caller began since the time in the query (`since`, seconds since the epoch) and what still
        runs, or the one exec with the id in the query (`exec`); says what, in words for people. Raises `BadRequest` and
        `EngineGone`."""
        try:
            since = float(request.query.get("since") or 0.0) - _SLACK
        except ValueError as e:
            raise BadRequest("since takes seconds since the epoch") from e
        execs = self._memory.since(EXEC, caller, since)
        if only := request.query.get("exec"):
            return await self._end_execs(caller, [begun for begun in execs if begun.id == only])
        return await self._end_one_shots(caller, since) + await self._end_execs(caller, execs)

    async def _end_one_shots(self, caller: str, since: float) -> list[str]:
        ended = []
        for begun in self._memory.since(ONE_SHOT, caller, since):
            described = await self._upstream.get(("containers", begun.id, "json"))
            if described is None:
                continue  # it is gone
            await self._upstream.ask(Call("DELETE", ("containers", begun.id), {"force": "1"}))
            ended.append(f"container {str(described['Name']).lstrip('/')}, with the data of {begun.container.name}")
        return ended

    async def _end_execs(self, caller: str, execs: Sequence[Begun]) -> list[str]:
        pids, ended = [], []
        for begun in execs:
            described = await self._upstream.get(("exec", begun.id, "json"))
            if described and described["Running"] and int(described["Pid"] or 0) > 1:
                pids.append(int(described["Pid"]))
                ended.append(f"`{_command(described)}` in {begun.container.name}")
        if pids:
            await self._kill_groups(pids, caller)
        return ended

    async def _kill_groups(self, pids: list[int], caller: str) -> None:
        image = self._image or await self._own_image()
        name = f"operator-demo-kill-{secrets.token_hex(4)}"
        self._record.own("end of what a command left", name, caller)
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


def _command(described: Mapping[str, Any]) -> str:
    process = described["ProcessConfig"]
    return " ".join([process["entrypoint"], *(process.get("arguments") or [])])
