"""The events: the one contract between monitor, agent, workload, stage, screen and audit.

An event is one JSON object on one line. Durable events carry `seq`, which rises by one per (run, source), so that a
reader can tell a gap from silence; ephemeral events (`seq` is null) are the live text of something whose finished form
follows as a durable event. A line is at most `MAX_LINE` bytes long, because engines tear longer log lines; a longer
event travels as numbered chunks and is put together again by `Decoder`.
"""

import json
import secrets
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

SCHEMA_VERSION = 1
MAX_LINE = 12 * 1024  # bytes; Docker tears a log line at 16 KiB
_CHUNK = 5 * 1024  # characters of JSON a chunk; it is quoted once more, which at worst doubles it

STAGE, MONITOR, AGENT, WORKLOAD = "stage", "monitor", "agent", "workload"
SOURCES = (STAGE, MONITOR, AGENT, WORKLOAD)

_read_json = json.JSONDecoder().raw_decode  # (json.loads looks for white space around it, which costs a third)


class BadEvent(ValueError):
    """A line that claims to be an event and is not a valid one."""


@dataclass(frozen=True)
class EventType:
    """One kind of event: who may say it, what its `data` holds, and whether it is kept."""

    name: str
    owners: tuple[str, ...]
    fields: tuple[str, ...]
    doc: str
    ephemeral: bool = False


def _catalogue() -> dict[str, EventType]:
    stage, monitor, agent, workload = (STAGE,), (MONITOR,), (AGENT,), (WORKLOAD,)
    types = [
        # -- the run, told by the host ---------------------------------------------------------------------------
        EventType("run_started", stage, ("project", "subject", "mode", "model", "brain", "version", "engine", "seed"),
                  "A run begins. `brain` is `claude`, `rehearsal` or `none`."),
        EventType("chapter", stage, ("name", "title", "narration"), "The run enters a chapter."),
        EventType("truth_sealed", stage, ("sha256",),
                  "The root cause is fixed: SHA-256 over the hexadecimal nonce, a newline and the canonical JSON."),
        EventType("fault", stage, ("phase", "kind", "targets"),
                  "`phase` is `injecting`, `injected`, `ended` (it is seen to hold no more; `by` is `tool_call`, "
                  "`policy` or `unknown`), `again`, `reverted` or `failed`; `targets` are member names. With `id`, "
                  "and `saw`: the proof, in words."),
        EventType("truth_opened", stage, ("nonce", "truth", "sha256"), "The sealed root cause, opened."),
        EventType("score", stage, ("outcome", "expected", "reached", "clocks", "marks", "work", "service", "oracle",
                                   "collateral"),
                  "How good the run was; `operator_demo.score` tells what each measure is."),
        EventType("note", stage, ("level", "text"), "A remark for people; `level` is `info`, `warning` or `error`."),
        EventType("gap", stage, ("from_source", "first", "last", "filled"),
                  "Events that were missing in a log, and whether they were filled from the volume."),
        EventType("run_finished", stage, ("outcome", "exit_status"),
                  "The run is over. `outcome` is `repaired`, `escalated`, `no_action`, `cleared`, `unverified`, "
                  "`interrupted` or `failed`; with `ttd`, `ttm` (seconds) where known."),
        EventType("progress", stage, ("task", "item", "status"),
                  "Long work: `task` (build, pull, up, down), `item`, `status`; with `current`, `total` where known.",
                  ephemeral=True),
        # -- what is seen ----------------------------------------------------------------------------------------
        EventType("monitor_started", monitor, ("subject", "members"), "The monitor watches these members."),
        EventType("observation", monitor, ("members", "cluster", "violations", "duration"),
                  "One look: per member what was seen, the cluster as a whole, the keys violated now, seconds taken."),
        EventType("effect", monitor, ("container", "member", "action", "explained"),
                  "What the engine says happened to a container; `explained` is `fault`, `tool_call`, `workload`, "
                  "`policy` or null; with `call` (tool call id), `exit_code` where known. `time` is the engine's."),
        EventType("armed", monitor, ("fingerprint", "checks"), "The oracle took its baseline while all was healthy."),
        EventType("verdict", monitor, ("phase", "passed", "checks"),
                  "The oracle's judgement. `phase` is `opening` or `final`; each check has `name`, `status` (`passed`, "
                  "`failed`, `unknown`, `not_tested`, `not_checked`) and `saw`."),
        # -- tickets ---------------------------------------------------------------------------------------------
        EventType("ticket_opened", monitor, ("subject", "severity", "title", "violations"),
                  "An incident. `violations` is a list of {key, invariant, member, severity, text, since}."),
        EventType("ticket_updated", monitor, ("violations",), "The violations that are attached now (a full list)."),
        EventType("ticket_claimed", agent, ("holder",), "A session holds the ticket (a lease, renewed)."),
        EventType("ticket_verifying", agent, ("summary", "actions"),
                  "The agent says that it is repaired, or (`claim`: `no_action`) that nothing is to do."),
        EventType("ticket_returned", monitor, ("words",), "The oracle did not agree: back to the agent, once."),
        EventType("ticket_released", agent, ("reason",), "The holder let go without a result; it is open again."),
        EventType("ticket_resolved", monitor, (),
                  "The oracle's verdict passed; `outcome` is what was claimed: `repaired` or `no_action`."),
        EventType("ticket_cleared", monitor, (), "It healed with nobody holding it."),
        EventType("ticket_escalated", (MONITOR, AGENT), ("reason",), "Handed to a human; nobody works on it further."),
        # -- the agent -------------------------------------------------------------------------------------------
        EventType("agent_started", agent, ("mode", "model", "brain"), "The agent is up and looks for a ticket."),
        EventType("session_started", agent, ("model", "brain", "mode"), "The agent takes up a ticket."),
        EventType("reasoning", agent, ("kind", "text"), "Finished prose of the model; `kind` is `thinking` or `text`."),
        EventType("tool_call", agent, ("call", "tool", "input"), "Written, and on disk, before the tool runs."),
        EventType("tool_result", agent, ("call", "tool", "status", "output"),
                  "`status` is `ok`, `error`, `timeout`, `refused`, `interrupted` or `unknown` (a crash in between); "
                  "with `exit_code`, `duration`, `omitted_bytes` where they apply."),
        EventType("finding", agent, ("member", "cause", "text"), "The diagnosis, from a fixed vocabulary of causes."),
        EventType("usage", agent, ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens",
                                   "cost_usd", "duration", "request_id", "stop_reason"), "One model request."),
        EventType("retry", agent, ("reason", "attempt", "delay"), "A model request is tried again after `delay` s."),
        EventType("refusal", agent, ("reason",), "A budget, the policy or the model said no."),
        EventType("interrupt", agent, ("reason",), "The session was cut short."),
        EventType("session_finished", agent, ("status", "summary"),
                  "`status` is `verified`, `unverified`, `escalated`, `interrupted`, `budget`, `observed` or `error`."),
        EventType("delta", agent, ("kind", "text"),
                  "Live text: `kind` is `thinking`, `text`, `command` or `output`; with `call` for the last.",
                  ephemeral=True),
        # -- the load --------------------------------------------------------------------------------------------
        EventType("workload_started", workload, ("rate", "read_share", "keys"), "The load begins."),
        EventType("load", workload, ("ops", "p50", "p99", "errors"),
                  "One second of load: operations done, latencies in seconds (null without any), errors by kind."),
        EventType("write_check", workload, ("kept", "lost", "unknown"),
                  "Every acknowledged write was looked for: counts of writes."),
    ]
    return {t.name: t for t in types}


TYPES = _catalogue()

ENTRY_TYPES = ("reasoning", "tool_call", "tool_result", "finding", "usage", "retry", "refusal", "interrupt")
"""The types that make up an agent's log (with `effect`, which the monitor adds beside it)."""


@dataclass(frozen=True)
class Event:
    """`ts` is UTC ISO-8601 with microseconds on the clock of whoever says it; `seq` is None when ephemeral."""

    run: str
    source: str
    type: str
    data: dict[str, Any] = field(default_factory=dict)
    seq: int | None = None
    ts: str = ""
    ticket: str | None = None
    session: str | None = None

    def to_json(self) -> str:
        return json.dumps({"v": SCHEMA_VERSION, **self.__dict__}, ensure_ascii=True, separators=(",", ":"))


def event(run: str, source: str, type: str, /, *, ticket: str | None = None, session: str | None = None,
          **data: Any) -> Event:
    """A new event, checked against the catalogue and stamped with the time; `seq` is given by the store.

    Raises `BadEvent` for an unknown type, a source that does not own it, or a missing field.
    """
    made = Event(run, source, type, data, ts=now(), ticket=ticket, session=session)
    check(made)
    return made


def check(e: Event) -> None:
    """Raises `BadEvent` unless the event keeps the contract (extra fields in `data` are allowed)."""
    kind = TYPES.get(e.type)
    if kind is None:
        raise BadEvent(f"unknown event type {e.type!r}")
    if e.source not in kind.owners:
        raise BadEvent(f"{e.source} may not say {e.type}")
    missing = [name for name in kind.fields if name not in e.data]
    if missing:
        raise BadEvent(f"{e.type} lacks {', '.join(missing)}")


def encode(e: Event) -> Iterator[str]:
    """The lines of one event, without newline, each at most `MAX_LINE` bytes of ASCII."""
    text = e.to_json()
    if len(text) <= MAX_LINE:
        yield text
        return
    parts = [text[i:i + _CHUNK] for i in range(0, len(text), _CHUNK)]
    key = f"{zlib.crc32(text.encode()):08x}"
    for n, part in enumerate(parts):
        yield json.dumps({"v": SCHEMA_VERSION, "chunk": key, "n": n, "of": len(parts), "part": part},
                         ensure_ascii=True, separators=(",", ":"))


def is_ours(line: str) -> bool:
    """Does the line claim to be an event, or a chunk of one?"""
    return line.startswith('{"v":')


class Decoder:
    """Turns the lines of one source back into events; for other lines, and chunks but the last, None comes back.

    Chunks of an event that never completes are dropped when the next one starts: the durable ones are then a gap in
    `seq`, which the reader fills.
    """

    def __init__(self) -> None:
        self._key = ""
        self._parts: list[str] = []

    def feed(self, line: str) -> Event | None:
        """Raises `BadEvent` for a JSON object of ours that does not keep the contract."""
        if not is_ours(line):
            return None
        try:
            raw, end = _read_json(line)
        except (ValueError, RecursionError) as e:
            raise BadEvent(f"torn line: {e}") from e
        if end != len(line):
            raise BadEvent("something follows the event on its line")
        if "chunk" in raw:
            whole = self._join(raw)
            return self.feed(whole) if whole is not None else None
        return from_dict(raw)

    def _join(self, raw: dict[str, Any]) -> str | None:
        try:
            key, n, of, part = str(raw["chunk"]), int(raw["n"]), int(raw["of"]), str(raw["part"])
        except (KeyError, TypeError, ValueError) as e:
            raise BadEvent(f"malformed chunk: {e}") from e
        if n == 0:
            self._key, self._parts = key, []
        if key != self._key or n != len(self._parts):
            self._key, self._parts = "", []
            raise BadEvent(f"chunk {n} of {of} out of order")
        self._parts.append(part)
        if len(self._parts) < of:
            return None
        whole, self._key, self._parts = "".join(self._parts), "", []
        if f"{zlib.crc32(whole.encode()):08x}" != key or '"chunk"' in whole[:24]:
            raise BadEvent("chunks do not add up")
        return whole


def from_dict(raw: dict[str, Any]) -> Event:
    """Raises `BadEvent` where a field is missing, of the wrong type, or of another schema version."""
    get = raw.get
    if get("v") != SCHEMA_VERSION:
        raise BadEvent(f"schema version {get('v')!r}, expected {SCHEMA_VERSION}")
    run, source, type_, ts, data, seq = get("run"), get("source"), get("type"), get("ts"), get("data"), get("seq")
    if not (isinstance(run, str) and isinstance(source, str) and isinstance(type_, str) and isinstance(ts, str)):
        raise BadEvent("run, source, type and ts must be text")
    if not isinstance(data, dict):
        raise BadEvent("data must be an object")
    if seq is not None and type(seq) is not int:
        raise BadEvent("seq must be a whole number or null")
    ticket, session = get("ticket"), get("session")
    if not ((ticket is None or isinstance(ticket, str)) and (session is None or isinstance(session, str))):
        raise BadEvent("ticket and session must be text or null")
    made = Event(run, source, type_, data, seq, ts, ticket, session)
    check(made)
    return made


def now() -> str:
    return timestamp(datetime.now(UTC))


def after(newest: str | None, skew: float = 0.0) -> str:
    """The time now (`skew` seconds ahead of this clock), or the microsecond after `newest` where that is not later."""
    stamp = timestamp(datetime.now(UTC) + timedelta(seconds=skew))
    if newest is None or stamp > newest:
        return stamp
    return timestamp(datetime.fromisoformat(newest) + timedelta(microseconds=1))


def timestamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def parse_ts(ts: str) -> float:
    """Seconds since the epoch of an event's `ts`."""
    return datetime.fromisoformat(ts).timestamp()


_ALPHABET = "abcdefghjkmnpqrstvwxyz23456789"


def new_id(prefix: str) -> str:
    """A short id such as `run-7k3mq2px`; 30**8 values, and a collision is refused by the store."""
    return prefix + "-" + "".join(secrets.choice(_ALPHABET) for _ in range(8))
