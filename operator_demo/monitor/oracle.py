"""The independent check of a repair. It relies on nothing that the agent says.

Its baseline is taken while all is healthy (`arm`) and kept in the volume, so that it outlives a restart of the monitor.
When a ticket opens, the oracle checks once: it must fail then, or a later pass would prove nothing. When the agent says
that the ticket is repaired, the oracle judges.
"""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from operator_demo import events, outcomes, rpc, tickets
from operator_demo.errors import OperatorError
from operator_demo.events import Armed, parse_ts
from operator_demo.home import replace_json
from operator_demo.monitor import checks
from operator_demo.monitor.observer import Observer, loads
from operator_demo.store import Recorder, Row
from operator_demo.subject import Check, Member, Observation
from operator_demo.workload.check import check as check_writes
from operator_demo.workload.ledger import LEDGER_FILE, LedgerError, LeftLedger
from operator_demo.workload.worker import TIMEOUT

HOLD = 10.0  # seconds in a row that the invariants must hold
HEAL = 15.0  # seconds after the agent's claim within which they must begin to hold, if the subject names no time
PATIENCE = 25.0  # seconds more at which the oracle stops waiting for them
LOAD_HEAL = 20.0  # seconds more for the load when everything else is back
QUIET = 3.0  # seconds without a violation that make the subject healthy
_ASK = 5.0  # seconds that each of the subject's checks may take
_ASK_BRIEFLY = 2.0  # the same, when the ticket opens and it is expected to fail
_POLL = 0.2  # seconds between two looks at the tickets
_LOADS = 600  # newest seconds of load that are read

Fingerprint = dict[str, dict[str, Any]]


class NotHealthy(OperatorError):
    """The baseline cannot be taken."""


class Oracle:
    def __init__(self, observer: Observer, recorder: Recorder, take_fingerprint: Callable[[], Fingerprint],
                 workload_socket: Path, data: Path, stop: threading.Event) -> None:
        """`data` is the volume: the baseline is kept there, and the workload its ledger."""
        self._observer, self._recorder, self._stop = observer, recorder, stop
        self._take_fingerprint, self._workload_socket = take_fingerprint, workload_socket
        self._file, self._ledger_file = data / "baseline.json", data / LEDGER_FILE
        self._baseline = _read(self._file)
        self._opened: set[str] = set()

    # -- baseline ----------------------------------------------------------------------------------------------------

    @property
    def armed(self) -> bool:
        return self._baseline is not None

    def healthy(self) -> bool:
        return self._observer.held_for() >= QUIET and self._observer.all_healthy()

    def arm(self, scenario: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Takes the baseline. `scenario["allow"]` names what a repair may change. Raises `NotHealthy`."""
        observation = self._observer.look()
        if not self.healthy():
            missing = " ".join(self._observer.what_is_missing())
            raise NotHealthy("The oracle takes its baseline only from a healthy subject. "
                             + (missing or f"It has been quiet for {self._observer.held_for():.0f} s only."))
        self._observer.limits.set()
        baseline = {"fingerprint": self._fingerprint(observation), "observation": asdict(observation),
                    "allow": list((scenario or {}).get("allow") or [])}
        replace_json(self._file, baseline)
        self._baseline = baseline
        names = ["invariants", "data_plane", "agreement", "redundancy", "writes", "load", "fingerprint"]
        self._recorder.say(Armed(fingerprint=dict(baseline["fingerprint"]), checks=tuple(names)))
        return {"checks": names}

    def _fingerprint(self, observation: Observation) -> Fingerprint:
        """The engine's fingerprint, with the subject's own ids of its members."""
        items = json.loads(json.dumps(self._take_fingerprint()))  # as it is when it is read back
        known = self._baseline["fingerprint"] if self._baseline else {}
        for name, seen in observation.members.items():
            # A member that does not answer keeps its id here; `redundancy` reports that it is missing.
            id_ = seen.get("id") or known.get(name, {}).get("member_id")
            if name in items and id_:
                items[name]["member_id"] = id_
        return dict(items)

    # -- judging -----------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Watches the tickets until the stop event."""
        while not self._stop.wait(_POLL):
            ticket = tickets.current(self._recorder.store, self._recorder.run)
            if ticket is None:
                continue
            if ticket["ticket"] not in self._opened:
                self._opened.add(ticket["ticket"])
                if not self._is_recorded(ticket["ticket"], "opening"):
                    self._say("opening", ticket, self.opening())
            elif ticket["state"] == "verifying":
                self.judge(ticket)

    def _is_recorded(self, ticket: str, phase: str) -> bool:
        return self._recorder.store.row(
            "SELECT 1 FROM events WHERE run=? AND source='monitor' AND type='verdict' AND ticket=? AND "
            "json_extract(data, '$.phase')=?", self._recorder.run, ticket, phase) is not None

    def opening(self) -> list[Check]:
        """The checks that need not wait for anything to heal."""
        members = self._observer.members.latest
        return [checks.invariants(self._observer.state, self._observer.held_for(), HOLD),
                self._ask("data_plane", lambda: self._observer.subject.data_plane(members, _ASK_BRIEFLY)),
                *self._against_baseline()]

    def judge(self, ticket: Row) -> None:
        """Waits for the invariants to hold, checks everything, and changes the ticket accordingly."""
        claimed_at = parse_ts(ticket["updated"])
        self._wait_for_quiet()
        if self._stop.is_set():
            return
        results = self.final(ticket, claimed_at)
        with contextlib.suppress(tickets.TicketStateError), self._recorder.transaction():
            # Both or none: the ticket may have been escalated meanwhile.
            self._say("final", ticket, results)
            tickets.judge(self._recorder, ticket["ticket"], checks.accepted(results), checks.words(results))

    def _wait_for_quiet(self) -> None:
        heal = self._observer.subject.heal_time or HEAL
        began = time.monotonic()
        while not self._stop.wait(_POLL):
            waited, held = time.monotonic() - began, self._observer.held_for()
            if held >= HOLD or waited >= heal + PATIENCE or (waited >= heal and held == 0):
                return

    def final(self, ticket: Row, claimed_at: float) -> list[Check]:
        observer, subject = self._observer, self._observer.subject
        observer.look()
        members: Sequence[Member] = observer.members.latest
        results = [
            checks.invariants(observer.state, observer.held_for(), HOLD),
            self._ask("data_plane", lambda: subject.data_plane(members, _ASK)),
            self._ask("agreement", lambda: subject.agreement(members, self._keys(), _ASK)),
            *self._against_baseline(),
            self._ask("writes", self._writes),
        ]
        if tickets.claim_of(self._recorder.store, self._recorder.run, ticket["ticket"]) == outcomes.NO_ACTION:
            results.append(checks.untouched(self._effects_of(ticket["ticket"])))
        patience = LOAD_HEAL if checks.accepted(results) else 0.0
        return [*results, self._ask("load", lambda: self._load(ticket, claimed_at, patience))]

    def _effects_of(self, ticket: str) -> list[dict[str, Any]]:
        """What the agent's commands for the ticket changed, as the engine reported it."""
        return [e.raw for e in self._recorder.store.events(self._recorder.run, types=("effect",))
                if e.ticket == ticket and e.raw["explained"] == "tool_call"]

    def _load(self, ticket: Row, claimed_at: float, patience: float) -> Check:
        """The load recovers last, and other work on the machine disturbs it: it gets up to `patience` seconds."""
        until = time.monotonic() + patience
        while True:
            newest = loads(self._recorder, _LOADS)[::-1]
            check = checks.load(newest, self._fault_at(ticket), claimed_at, time.time())
            if check.status != checks.FAILED or time.monotonic() >= until or self._stop.wait(1.0):
                return check

    def _against_baseline(self) -> list[Check]:
        baseline = self._baseline
        if baseline is None:
            return [Check(name, "unknown", "the oracle was not armed before the fault")
                    for name in ("redundancy", "fingerprint")]
        before, now = Observation(**baseline["observation"]), self._observer.last
        return [self._ask("redundancy", lambda: self._observer.subject.redundancy(before, now)),
                self._ask("fingerprint", lambda: checks.fingerprint(baseline["fingerprint"], self._fingerprint(now),
                                                                    baseline["allow"]))]

    def _ask(self, name: str, check: Callable[[], Check]) -> Check:
        """A check that raises is unknown, and never passed."""
        try:
            return check()
        except Exception as e:
            return Check(name, "unknown", f"could not be checked: {getattr(e, 'message', None) or repr(e)}")

    def _writes(self) -> Check:
        try:
            return checks.writes(rpc.call(self._workload_socket, "check", timeout=_ASK * 3, limit=_ASK * 2))
        except rpc.RpcError as e:
            return self._writes_left(e.message)

    def _writes_left(self, reason: str) -> Check:
        """Checks what a workload that does not answer, for `reason`, has acknowledged up to its end."""
        try:
            ledger = LeftLedger(self._ledger_file)
        except LedgerError:
            return checks.writes(None, reason)
        subject = self._observer.subject
        answer = check_writes(ledger, lambda: subject.client(self._running, TIMEOUT), _ASK * 2)
        found = checks.writes(answer)
        return replace(found, saw=f"{found.saw}; the workload is gone, this is by the ledger that it left")

    def _running(self) -> list[Member]:
        return [m for m in self._observer.members.latest if m.state == "running" and m.address]

    def _keys(self) -> list[str]:
        """Those that the load writes; none without a ledger."""
        try:
            return LeftLedger(self._ledger_file).keys
        except LedgerError:
            return []

    def _fault_at(self, ticket: Row) -> float:
        """When the fault began: the ticket's first violation, or an effect of the fault shortly before it."""
        began = min([parse_ts(v["since"]) for v in ticket["violations"]] + [parse_ts(ticket["opened"])])
        effects = self._recorder.store.rows(
            "SELECT json_extract(data, '$.time') AS time FROM events WHERE run=? AND source='monitor' AND "
            "type='effect' AND json_extract(data, '$.explained')='fault'", self._recorder.run)
        return float(min([began, *(e["time"] for e in effects if began - checks.BEFORE < e["time"])]))

    def _say(self, phase: str, ticket: Row, results: list[Check]) -> None:
        as_events = tuple(events.Check(c.name, c.status, c.saw) for c in results)
        self._recorder.say(events.Verdict(phase=phase, passed=checks.accepted(results), checks=as_events),
                           ticket=ticket["ticket"], session=ticket["holder"])


def _read(path: Path) -> dict[str, Any] | None:
    try:
        return dict(json.loads(path.read_text()))
    except (OSError, ValueError):
        return None
