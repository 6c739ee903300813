"""bash under an account of its own, which may use the engine and the subject, and nothing of the agent.

The account can read neither the store, nor the program, nor the key, nor PID 1, and its environment inherits nothing.
Whatever a command started in this container ends with the command: first its process group, then every other process of
the account (also one that used `setsid`).
"""

import asyncio
import codecs
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from operator_demo.guard import callers, rules
from operator_demo.ring import Ring

SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

STDOUT_LIMIT, STDERR_LIMIT = 192 * 1024, 64 * 1024  # bytes kept of one command
_DRAIN = 0.3  # seconds that output may still come after bash has ended
_LOOK = 0.2  # seconds, at least, between two looks at how long a human was waited for
_GRACE = 0.7  # seconds between SIGTERM and SIGKILL


@dataclass(frozen=True)
class Account:
    """Who the commands run as."""

    uid: int = 10001
    gid: int = 10001
    home: str = "/home/shell"

    @property
    def folder(self) -> str:
        return self.home if os.path.isdir(self.home) else "/tmp"

    def environment(self) -> dict[str, str]:
        """Also says where the engine is, and what the guard allows there."""
        return {"PATH": SEARCH_PATH, "HOME": self.folder, "USER": "shell", "LOGNAME": "shell", "SHELL": "/bin/bash",
                "LANG": "C.UTF-8", "TERM": "dumb", "PAGER": "cat", "DOCKER_CLI_HINTS": "false",
                "DOCKER_HOST": os.environ.get("DOCKER_HOST", callers.ENGINE),
                "OPERATOR_RULES": rules.ALL}


class Execution:
    """One command. Its output and exit code can be read at any time, also after it was cancelled."""

    def __init__(self, account: Account, environment: Mapping[str, str], command: str) -> None:
        self._account, self._environment, self._command = account, environment, command
        self.stdout, self.stderr = Ring(STDOUT_LIMIT), Ring(STDERR_LIMIT)
        self.exit_code: int | None = None
        self.timed_out = False
        self.began = time.time()
        self.duration = 0.0

    async def run(self, timeout: float, show: Callable[[str], None],
                  waited: Callable[[], float] = lambda: 0.0) -> None:
        """Runs to the end, the timeout (seconds) or the cancellation; then no process of it is left. The timeout does
        not count the seconds that `waited` tells, those in which a human was waited for.

        Raises `OSError` when bash cannot be started under the account.
        """
        begun = time.monotonic()
        # `env` changes the folder, after the account: root without DAC_OVERRIDE could not enter a home of mode 0700.
        process = await asyncio.create_subprocess_exec(
            "/usr/bin/env", "-C", self._account.folder, "/bin/bash", "-c", self._command,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env=dict(self._environment), umask=0o022,
            user=self._account.uid, group=self._account.gid, extra_groups=[],
            start_new_session=True)
        assert process.stdout is not None
        assert process.stderr is not None
        readers = [asyncio.create_task(_copy(process.stdout, self.stdout, show)),
                   asyncio.create_task(_copy(process.stderr, self.stderr, show))]
        try:
            self.timed_out = not await _ended_within(process, timeout, waited)
            if not self.timed_out:
                await asyncio.wait(readers, timeout=_DRAIN)
        finally:
            await self._end(process, readers)
            self.duration = time.monotonic() - begun
            code = process.returncode
            self.exit_code = None if code is None else code if code >= 0 else 128 - code

    async def _end(self, process: asyncio.subprocess.Process, readers: list[asyncio.Task[None]]) -> None:
        if process.returncode is None:
            _signal_group(process.pid, signal.SIGTERM)
            with suppress(TimeoutError):
                await asyncio.wait_for(_exit_of(process), _GRACE)
        _signal_group(process.pid, signal.SIGKILL)
        kill_all_of(self._account)
        await _exit_of(process)
        _, hanging = await asyncio.wait(readers, timeout=1.0)
        for reader in hanging:
            reader.cancel()
        _reap_orphans()


async def _exit_of(process: asyncio.subprocess.Process) -> None:
    """Its own `wait()` also waits for the pipes, which a process in the background may hold open."""
    while process.returncode is None:
        await asyncio.sleep(0.01)


async def _ended_within(process: asyncio.subprocess.Process, timeout: float, waited: Callable[[], float]) -> bool:
    end = time.monotonic() + timeout
    left = timeout
    while process.returncode is None and left > 0:
        with suppress(TimeoutError):
            await asyncio.wait_for(_exit_of(process), max(left, _LOOK))
        left = end + waited() - time.monotonic()
    return process.returncode is not None


async def _copy(stream: asyncio.StreamReader, ring: Ring, show: Callable[[str], None]) -> None:
    decode = codecs.getincrementaldecoder("utf-8")("replace").decode
    while data := await stream.read(65536):
        ring.feed(data)
        show(decode(data))


def _signal_group(leader: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, number)


def kill_all_of(account: Account) -> None:
    """Kills every process of the account at once: the kernel does it, so no process can fork away meanwhile."""
    with suppress(subprocess.TimeoutExpired, OSError):
        subprocess.run(["/bin/sh", "-c", "kill -KILL -1"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, env={}, user=account.uid, group=account.gid, extra_groups=[],
                       timeout=5, check=False)


def _reap_orphans() -> None:
    """PID 1 of a container inherits orphans. The agent itself has no child process at this moment."""
    if os.getpid() != 1:
        return
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
