"""A store with an open ticket, a monitor that answers, and an agent's session on them: what the tests share."""

import asyncio
import io
import os
import secrets
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
from anthropic import AsyncAnthropic

from operator_demo import rpc, tickets
from operator_demo.agent import session
from operator_demo.agent.budget import Budget, Limits
from operator_demo.agent.config import AgentSettings
from operator_demo.agent.record import AgentRecorder
from operator_demo.agent.shell import Account
from operator_demo.agent.stop import Stop
from operator_demo.agent.work import Work
from operator_demo.events import Check, Event, SessionStarted, Verdict, new_id
from operator_demo.redaction import Scrubber
from operator_demo.settings import Settings
from operator_demo.store import Recorder, Store

KEY = "sk-ant-test-" + "0123456789abcdefXYZ" * 2
VIOLATIONS = [{"key": "member_down:etcd2", "invariant": "member_down", "member": "etcd2", "severity": "critical",
               "text": "etcd2 is down", "since": "2026-01-01T00:00:00.000000Z"}]


def own_account() -> Account:
    """An account that nothing else on this machine runs as: `kill -1` must meet only processes of the test."""
    uid = 1_000_000 + secrets.randbelow(1_000_000)
    return Account(uid=uid, gid=uid, home="/tmp")


class Bench:
    def __init__(self, folder: Path, mode: str = "execute", limits: Limits | None = None,
                 model: str = "claude-opus-5-5") -> None:
        self.settings = Settings(run=new_id("run"), subject="etcd", project=f"t{secrets.token_hex(4)}", data=folder)
        self.store = Store(self.settings.store_path, durable=True)
        self.out = io.StringIO()
        self.agent = AgentSettings(mode=mode, brain="claude", model=model, limits=limits or Limits(), key=KEY,
                                   container="here")
        self.recorder = AgentRecorder(self.store, self.settings.run, self.out, Scrubber([KEY]))
        self.monitor = Recorder(self.store, self.settings.run, "monitor", io.StringIO())
        self.monitor_out = io.StringIO()
        self.stop_rpc = threading.Event()
        self.observed: dict[str, Any] = {
            "project": self.settings.project, "network": "net", "violations": [], "cluster": {"quorum": True},
            "members": {"etcd1": {"state": "running"}, "etcd2": {"state": "running"}}}
        self._rpc = threading.Thread(target=rpc.serve, args=(self.settings.monitor_socket, {
            "observe": lambda: self.observed,
            "inspect": lambda member: {"name": member, "state": "exited"},
            "logs": lambda member, lines: {"text": f"the last {lines} lines of {member}\x1b[31m red"},
        }, self.stop_rpc))
        self._rpc.start()
        self._oracles: list[threading.Thread] = []

    def close(self) -> None:
        self.stop_rpc.set()
        self._rpc.join()
        for thread in self._oracles:
            thread.join()
        self.store.close()

    # -- arranging -------------------------------------------------------------------------------------------------

    def open_ticket(self) -> str:
        return tickets.open_(self.monitor, subject="etcd", severity="critical", title="etcd2 is down",
                             violations=VIOLATIONS)

    def claimed(self, **changes: Any) -> Work:
        session_id = new_id("ses")
        row = tickets.claim(self.recorder, session_id)
        assert row is not None
        started = SessionStarted(model=self.agent.model, brain=self.agent.brain, mode=self.agent.mode,
                                 container=self.agent.container)
        self.recorder.say(started, ticket=row["ticket"], session=session_id)
        budget = Budget(self.store, self.settings.run, self.agent.limits, self.agent.model)
        return replace(Work(self.settings, self.agent, self.recorder, budget, row["ticket"], session_id,
                            account=own_account()), **changes)

    def oracle(self, *verdicts: bool) -> None:
        """Judges each time that a ticket is being verified."""
        def judge() -> None:
            for passed in verdicts:
                until = time.monotonic() + 20
                while time.monotonic() < until and not self.stop_rpc.is_set():
                    row = tickets.current(self.store, self.settings.run)
                    if row and row["state"] == "verifying":
                        verdict = Verdict(phase="final", passed=passed, checks=(Check("members", "passed", "3"),))
                        self.monitor.say(verdict, ticket=row["ticket"], session=row["holder"])
                        tickets.judge(self.monitor, row["ticket"], passed, "etcd2 is still down")
                        break
                    time.sleep(0.01)
        self._oracles.append(threading.Thread(target=judge))
        self._oracles[-1].start()

    # -- acting ----------------------------------------------------------------------------------------------------

    def run_session(self, base_url: str, *, work: Work | None = None,
                    meanwhile: Callable[[Stop], Any] | None = None, timeout: float = 60.0) -> str:
        """Opens a ticket (unless given), works on it, and returns the session's id."""
        if work is None:
            self.open_ticket()
            work = self.claimed()

        async def go() -> None:
            stop = Stop()
            client = AsyncAnthropic(api_key=KEY, base_url=base_url, max_retries=0, timeout=10.0,
                                    http_client=httpx2.AsyncClient(trust_env=False, timeout=10.0))
            side = asyncio.create_task(meanwhile(stop)) if meanwhile else None
            async with asyncio.timeout(timeout):
                await session.run(work, tickets.get(self.store, work.ticket), client, stop)
            if side:
                side.cancel()
                with suppress(asyncio.CancelledError):
                    await side
            await client.close()

        asyncio.run(go())
        return work.session

    # -- looking ---------------------------------------------------------------------------------------------------

    def events(self, *types: str) -> list[Event]:
        return list(self.store.events(self.settings.run, types=types))

    def data(self, type: str) -> list[dict[str, Any]]:
        return [e.raw for e in self.events(type)]

    def session_row(self, session_id: str) -> dict[str, Any]:
        row = self.store.row("SELECT * FROM agent_sessions WHERE session=?", session_id)
        assert row is not None
        return row

    def ticket_row(self) -> dict[str, Any]:
        row = self.store.row("SELECT * FROM tickets WHERE run=?", self.settings.run)
        assert row is not None
        return row

    def everything_written(self) -> str:
        """All bytes that reached the disk or stdout."""
        files = b"".join(p.read_bytes() for p in self.settings.data.glob("tickets.db*"))
        return files.decode("latin-1") + self.out.getvalue()


def left_of(account: Account) -> list[str]:
    """The processes of the account, once those that are dying have had a moment to be gone."""
    until = time.monotonic() + 3
    while (found := processes_of(account)) and time.monotonic() < until:
        time.sleep(0.02)
    return found


def processes_of(account: Account) -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                if os.stat(entry).st_uid == account.uid and "Z" not in (entry / "stat").read_text().split(")")[1][:3]:
                    found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
    return found
