"""The events: the one contract between monitor, agent, workload, stage, screen and audit.

An event is an envelope (`Event`) around a payload (`Payload`), one dataclass for each type. Durable events carry `seq`,
which rises by one per (run, source), so that a reader can tell a gap from silence. Ephemeral events (`seq` is None) are
the live text of something whose finished form follows as a durable event. `operator_demo.wire` is how events travel.

Who reads an event looks at `data`, the typed payload, whose texts are harmless. `raw` is the JSON object as it came;
the record keeps it whole, with fields that this version does not know.
"""

import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, FrozenInstanceError, dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, ClassVar, Self, TypeVar, dataclass_transform

from operator_demo.fields import FieldError, JsonObject, Text, decode, encode

STAGE, MONITOR, AGENT, WORKLOAD, GUARD = "stage", "monitor", "agent", "workload", "guard"
OF_CONTAINERS = (MONITOR, AGENT, WORKLOAD, GUARD)
SOURCES = (STAGE, *OF_CONTAINERS)


class BadEvent(ValueError):
    """What claims to be an event does not keep the contract."""


class Payload:
    """What an event says. `owners` are the sources that may say it; `ephemeral` is not kept.

    Behaves as a frozen dataclass. What `dataclass` would generate for each of forty classes stands here once, since
    that takes longer than all else that a short command does.
    """

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]  # by `dataclass`, for each class
    type: ClassVar[str] = ""
    owners: ClassVar[tuple[str, ...]] = ()
    ephemeral: ClassVar[bool] = False

    def __init__(self, **values: Any) -> None:
        unknown = values.keys() - {f.name for f in fields(self)}
        missing = {f.name for f in fields(self) if f.default is MISSING} - values.keys()
        if unknown or missing:
            raise TypeError(f"{type(self).__name__}: {sorted(missing)} missing, {sorted(unknown)} unknown")
        self.__dict__.update(values)

    def __setattr__(self, name: str, value: object) -> None:
        raise FrozenInstanceError(f"cannot assign to field {name!r}")

    def _values(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in fields(self)}

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other._values() == self._values()

    def __hash__(self) -> int:
        return hash((type(self), *self._values().values()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self._values().items())})"

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Self:
        """From a JSON object; what it holds beside the fields travels along. Raises `BadEvent`."""
        made = payload(cls.type, raw)
        assert isinstance(made, cls)
        made.__dict__["raw"] = raw
        return made

    def to_raw(self) -> JsonObject:
        """The JSON object. Fields that hold their default are left out."""
        raw = self.__dict__.get("raw") or encode(self)
        assert isinstance(raw, dict)
        return raw


@dataclass(init=False, repr=False, eq=False)
class Unknown(Payload):
    """The payload of a type that this version does not know, or of a record that does not keep the contract."""


TYPES: dict[str, type[Payload]] = {}
"""Every type of event by name."""

P = TypeVar("P", bound=type[Payload])


@dataclass_transform(frozen_default=True, kw_only_default=True)
def said_by(*owners: str, ephemeral: bool = False) -> Callable[[P], P]:
    """Makes a payload of a class: a frozen dataclass in the catalogue, named as the class (`RunStarted`:
    `run_started`)."""
    def register(cls: P) -> P:
        name = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()
        cls.type, cls.owners, cls.ephemeral = name, owners, ephemeral
        TYPES[name] = dataclass(init=False, repr=False, eq=False)(cls)
        return cls
    return register


# -- the run, told by the host ----------------------------------------------------------------------------------------


@said_by(STAGE)
class RunStarted(Payload):
    """A run begins. `brain` is `claude`, `rehearsal` or `none`. `clock_offset`: by how many seconds the engine's clock
    is ahead of the host's; `manual`: do keys advance it? `talk`: the seconds that the presenter has planned; `title`
    says in words what the subject is."""

    project: str
    subject: str
    mode: str
    model: str
    brain: str
    version: str
    engine: str
    seed: int | None
    clock_offset: float = 0.0
    manual: bool | None = None
    talk: float | None = None
    title: str = ""


@said_by(STAGE)
class Chapter(Payload):
    """The run enters a chapter. `notes` are the speaker's, not for the audience."""

    name: str
    title: str
    narration: Text
    notes: Text = ""


@said_by(STAGE)
class TruthSealed(Payload):
    """The root cause is fixed: SHA-256 over the hexadecimal nonce, a newline and the canonical JSON."""

    sha256: str


@said_by(STAGE)
class Fault(Payload):
    """`phase` is `injecting`, `injected`, `ended` (it is seen to hold no more; `by` is `tool_call`, `policy` or
    `unknown`), `again`, `reverted` or `failed`; `targets` are member names. `id` is that of the journal, `saw` the
    proof in words."""

    phase: str
    kind: str
    targets: tuple[str, ...]
    id: str = ""
    saw: Text = ""
    by: str = ""


@said_by(STAGE)
class TruthOpened(Payload):
    """The sealed root cause, opened."""

    nonce: str
    truth: JsonObject
    sha256: str


@dataclass(frozen=True)
class Clocks:
    """Seconds after the fault; None is what did not happen or cannot be known."""

    symptom: float | None = None
    ticket: float | None = None
    diagnosis: float | None = None
    repairing_call: float | None = None
    recovered: float | None = None
    verified: float | None = None


@dataclass(frozen=True)
class Marks:
    """None where the run has nothing to hold it against."""

    detected: bool | None = None
    localised: bool | None = None
    cause: bool | None = None
    repaired: bool | None = None


@dataclass(frozen=True)
class Calls:
    """Tool calls by what they do to the subject."""

    reading: int = 0
    repairing: int = 0
    destructive: int = 0
    unknown: int = 0


@dataclass(frozen=True)
class Work:
    """What the agent did. `cost_usd` is None where a price was unknown; `most_repeated` counts one command."""

    steps: int = 0
    tokens: int = 0
    cost_usd: float | None = None
    calls: Calls = Calls()
    changes_before_finding: int = 0
    most_repeated: int = 0


@dataclass(frozen=True)
class Service:
    """What the clients felt; None without a load to compare with."""

    client_errors: int | None = None
    lost_seconds: int | None = None
    writes_lost: int | None = None


@dataclass(frozen=True)
class OracleWords:
    passed: bool | None = None
    words: Text = ""


@said_by(STAGE)
class Score(Payload):
    """How good the run was; `operator_demo.score` tells what each measure is. `waited`: the seconds of `ttm` in which
    the agent waited for the presenter."""

    outcome: str
    expected: str
    reached: bool
    clocks: Clocks
    marks: Marks
    work: Work
    service: Service
    oracle: OracleWords
    collateral: tuple[str, ...]
    ttd: float | None = None
    ttm: float | None = None
    waited: float | None = None


@said_by(STAGE, MONITOR, WORKLOAD, GUARD)
class Note(Payload):
    """A remark for people; `level` is `info`, `warning` or `error`. `stand_ins` are services that answer in the place
    of the real system, `others` counts containers outside the demo that changed."""

    level: str
    text: Text
    stand_ins: tuple[str, ...] = ()
    others: int = 0


@said_by(STAGE)
class Gap(Payload):
    """Events that were missing in a log, and whether they were filled from the volume."""

    from_source: str
    first: int
    last: int
    filled: bool


@said_by(STAGE)
class Contradiction(Payload):
    """The volume, which is the record, does not hold what the host was told, or cannot be read; in words. The run
    counts as `unverified`. `from_source` and `seq` name the event; `recorded` is what the volume holds in its place."""

    text: Text
    from_source: str = ""
    seq: int | None = None
    recorded: JsonObject | None = None


@said_by(STAGE)
class RunFinished(Payload):
    """The run is over. `outcome` is `repaired`, `escalated`, `no_action`, `cleared`, `unverified`, `interrupted` or
    `failed`; `ttd` and `ttm` are seconds, where known, and `waited` those in which the agent waited for the
    presenter."""

    outcome: str
    exit_status: int
    ttd: float | None = None
    ttm: float | None = None
    waited: float | None = None


@said_by(STAGE, ephemeral=True)
class Progress(Payload):
    """Long work: `task` (build, pull, up, down), `item`, `status`; `current` and `total` where known."""

    task: str
    item: str
    status: str
    current: float | None = None
    total: float | None = None


@said_by(STAGE, ephemeral=True)
class Prompt(Payload):
    """What the run waits for. `space`: what the key for the next chapter does now, "" where it does nothing;
    `question`: what the presenter must confirm; `menu`: what else there is to go on with."""

    space: str = ""
    question: str = ""
    menu: str = ""


@said_by(STAGE, ephemeral=True)
class RecordHead(Payload):
    """Where the chain over the record of the run stands: its number of entries, and the hash of the last in hex."""

    entries: int
    head: str


# -- what is seen -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Group:
    """Members that stand together in the picture, from the top down; `quorum` is how many of them must live, None where
    the service does not depend on them."""

    title: str
    members: tuple[str, ...]
    quorum: int | None = None


@said_by(MONITOR)
class MonitorStarted(Payload):
    """The monitor watches these members; `groups` say how they are laid out."""

    subject: str
    members: tuple[str, ...]
    groups: tuple[Group, ...] = ()


@dataclass(frozen=True)
class Figure:
    """A short figure with its unit under its name; `share` from 0 to 1 where it is one of something."""

    name: str
    text: str
    share: float | None = None


@dataclass(frozen=True, kw_only=True)
class MemberSeen:
    """A member as observed. `state` is the engine's word for its container; sizes in bytes, `read_latency` in
    seconds; `figures` are what its subject shows of it. A subject may add fields of its own to the raw object."""

    container: str = ""
    state: str = ""
    address: str | None = None
    exit_code: int | None = None
    reachable: bool | None = None
    healthy: bool | None = None
    leader: bool | None = None
    error: str | None = None
    kind: str | None = None
    index: float | None = None
    term: float | None = None
    db_size: float | None = None
    read_latency: float | None = None
    alarms: tuple[str, ...] = ()
    figures: tuple[Figure, ...] = ()

    @property
    def role(self) -> str:
        """`leader`, what its subject calls it, `follower` of a healthy one, or nothing."""
        return "leader" if self.leader else self.kind or ("follower" if self.healthy else "")


@dataclass(frozen=True, kw_only=True)
class ClusterSeen:
    """`shown` are lines in which the subject says more."""

    leader: str | None = None
    quorum: bool | None = None
    shown: tuple[Text, ...] = ()


@said_by(MONITOR)
class Observation(Payload):
    """One look: per member what was seen, the cluster as a whole, the keys violated now, seconds taken."""

    members: dict[str, MemberSeen]
    cluster: ClusterSeen
    violations: tuple[str, ...]
    duration: float


@said_by(MONITOR)
class Readiness(Payload):
    """What the system lacks, in words, as long as it has not been well once. Empty: it is well now, and from here on
    a violation opens a ticket."""

    missing: tuple[Text, ...]


@said_by(MONITOR)
class Effect(Payload):
    """What the engine says happened to a container; `explained` is `fault`, `tool_call`, `workload`, `policy` or null.
    `call` is the id of a tool call, `time` (seconds since the epoch) the engine's; `command`, `signal`, `network` and
    `volume` say more of some actions."""

    container: str
    member: str | None
    action: str
    explained: str | None
    time: float | None = None
    call: str | None = None
    exit_code: int | None = None
    signal: str = ""
    command: Text = ""
    network: str = ""
    volume: str = ""


@dataclass(frozen=True)
class Limit:
    """`limit` is the greater of `floor` and `times` what is `usual`, which is None where nothing was measured."""

    limit: float
    unit: str
    floor: float
    times: float
    usual: float | None = None


@said_by(MONITOR)
class Limits(Payload):
    """By invariant: the limits that are judged against this machine, and where each number comes from."""

    limits: dict[str, Limit]


@said_by(MONITOR)
class Armed(Payload):
    """The oracle took its baseline while all was healthy."""

    fingerprint: JsonObject
    checks: tuple[str, ...]


@dataclass(frozen=True)
class Check:
    """`status` is `passed`, `failed`, `unknown`, `not_tested` or `not_checked`."""

    name: str
    status: str
    saw: Text = ""


@said_by(MONITOR)
class Verdict(Payload):
    """The oracle's judgement. `phase` is `opening` or `final`."""

    phase: str
    passed: bool
    checks: tuple[Check, ...]


# -- tickets ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Violation:
    """An invariant that does not hold, attached to a ticket. `key` is `invariant` or `invariant:member`."""

    key: str
    invariant: str = ""
    member: str | None = None
    severity: str = ""
    text: Text = ""
    since: str = ""


@said_by(MONITOR)
class TicketOpened(Payload):
    """An incident, with the violations that it began with. `reported`: somebody says so, and nobody saw it."""

    subject: str
    severity: str
    title: str
    violations: tuple[Violation, ...]
    reported: bool = False


@said_by(MONITOR)
class TicketUpdated(Payload):
    """The violations that are attached now (a full list)."""

    violations: tuple[Violation, ...]


@said_by(AGENT)
class TicketClaimed(Payload):
    """A session holds the ticket (a lease, renewed)."""

    holder: str


@said_by(AGENT)
class TicketVerifying(Payload):
    """The agent says that it is repaired, or (`claim`: `no_action`) that nothing is to do."""

    summary: Text
    actions: tuple[Text, ...]
    claim: str = "repaired"


@said_by(MONITOR)
class TicketReturned(Payload):
    """The oracle did not agree: back to the agent, once."""

    words: Text


@said_by(AGENT)
class TicketReleased(Payload):
    """The holder let go without a result; it is open again."""

    reason: Text


@said_by(MONITOR)
class TicketResolved(Payload):
    """The oracle's verdict passed; `outcome` is what was claimed: `repaired` or `no_action`."""

    outcome: str = ""


@said_by(MONITOR)
class TicketCleared(Payload):
    """It healed with nobody holding it."""


@said_by(MONITOR, AGENT, STAGE)
class TicketEscalated(Payload):
    """Handed to a human; nobody works on it further. By the stage where nobody else is left to close it. `by` is
    `presenter` where the presenter stopped the agent."""

    reason: Text
    by: str = ""


# -- the agent --------------------------------------------------------------------------------------------------------


@said_by(MONITOR)
class AgentOrder(Payload):
    """What the agent may do from here on. `order` is `go`, `hold` (claim no ticket), `pause` (stand still between two
    steps, and claim none) or `stop` (end after this step; the ticket goes to a human); `by` says who wants it."""

    order: str
    by: Text = ""


@said_by(AGENT)
class AgentPaused(Payload):
    """The agent stands still between two steps."""


@said_by(AGENT)
class AgentResumed(Payload):
    """The agent goes on, after so many seconds."""

    seconds: float


@said_by(AGENT)
class AgentStarted(Payload):
    """The agent is up and looks for a ticket. `way_out` says why its shell can reach more than the subject's network;
    empty where it cannot."""

    mode: str
    model: str
    brain: str
    way_out: Text = ""


@said_by(AGENT)
class SessionStarted(Payload):
    """The agent takes up a ticket."""

    model: str
    brain: str
    mode: str
    container: str = ""


@said_by(AGENT)
class Reasoning(Payload):
    """Finished prose of the model; `kind` is `thinking` or `text`."""

    kind: str
    text: Text


@said_by(AGENT)
class ToolCall(Payload):
    """Written, and on disk, before the tool runs. `input` is exactly what the tool gets, but for known secrets, which a
    mark replaces; `sha256` and `length` (bytes of UTF-8) are those of the command that bash gets. `diagnosed`: was
    there a finding before?"""

    call: str
    tool: str
    input: JsonObject
    diagnosed: bool = False
    sha256: str = ""
    length: int = 0


@said_by(AGENT)
class ToolResult(Payload):
    """`status` is `ok`, `error`, `timeout`, `refused`, `interrupted` or `unknown` (a crash in between); `duration` in
    seconds. Of the output, `omitted_bytes` and `removed` characters (terminal sequences) are not in the record."""

    call: str
    tool: str
    status: str
    output: Text
    exit_code: int | None = None
    duration: float | None = None
    omitted_bytes: int = 0
    removed: int = 0


@said_by(AGENT)
class Finding(Payload):
    """The diagnosis, from a fixed vocabulary of causes. `proposal`: what an agent that may not act would do."""

    member: str | None
    cause: str
    text: Text
    proposal: Text = ""


@said_by(AGENT)
class Usage(Payload):
    """One model request. `cost_usd` is null where no price is known; `duration` in seconds."""

    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    cost_usd: float | None
    duration: float
    request_id: str | None
    stop_reason: str | None

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens + self.cache_read_tokens + self.cache_write_tokens


@said_by(AGENT)
class Retry(Payload):
    """A model request is tried again after `delay` seconds."""

    reason: Text
    attempt: int
    delay: float


@said_by(AGENT)
class Refusal(Payload):
    """A budget, the policy or the model said no; `call` is the tool call that was refused."""

    reason: Text
    call: str = ""


@said_by(AGENT)
class Interrupt(Payload):
    """The session was cut short; `ended` tells what it had started and was ended with it."""

    reason: Text
    ended: tuple[str, ...] = ()


@said_by(AGENT, STAGE)
class SessionFinished(Payload):
    """By the stage where the agent is gone. `status` is `verified`, `unverified`, `escalated`, `interrupted`, `budget`,
    `observed` or `error`."""

    status: str
    summary: Text


@said_by(AGENT, ephemeral=True)
class Delta(Payload):
    """Live text: `kind` is `thinking`, `text`, `command` or `output`; with `call` for the last."""

    kind: str
    text: Text
    call: str = ""


# -- the load ---------------------------------------------------------------------------------------------------------


@said_by(WORKLOAD)
class WorkloadStarted(Payload):
    """The load begins: operations a second, the share of reads, the number of keys."""

    rate: float
    read_share: float
    keys: int


@said_by(WORKLOAD)
class Load(Payload):
    """One second of load: operations done, latencies in seconds (null without any), errors by kind."""

    ops: float
    p50: float | None
    p99: float | None
    errors: dict[str, int]
    reads: int = 0
    writes: int = 0
    late: int = 0
    stale: int = 0

    @property
    def failed(self) -> int:
        return sum(self.errors.values())


@said_by(WORKLOAD)
class WriteCheck(Payload):
    """Every acknowledged write was looked for: counts of writes."""

    kept: int
    lost: int
    unknown: int


# -- the guard --------------------------------------------------------------------------------------------------------


@said_by(GUARD)
class Guard(Payload):
    """The guard's decision on a request to the engine that would change something, or that is refused; on disk before
    the request is forwarded. `ruling` is `allow`, `ask` or `deny`; `path` the request's, readable; `object` and
    `member` what it is about; `call` the tool call during which it came; `digest` the request's SHA-256."""

    caller: str
    ruling: str
    rule: str
    method: str
    path: Text
    object: Text = ""
    object_id: str = ""
    member: str | None = None
    reason: Text = ""
    call: str | None = None
    digest: str = ""
    destructive: bool = False


@said_by(GUARD)
class ApprovalRequested(Payload):
    """A request of the agent waits for a human, at most `limit` seconds. `id` names it once; `rule` is the kind of
    request, `call` the tool call during which it came; `digest` the request's SHA-256, which the answer must name."""

    id: str
    rule: str
    method: str
    path: Text
    digest: str
    limit: float
    object: Text = ""
    member: str | None = None
    destructive: bool = False
    call: str | None = None


@said_by(GUARD)
class ApprovalAnswered(Payload):
    """It waits no more. `answer` is `yes`, `no`, `always` (also for requests of the same kind on the same member in
    this run), `timeout` (which is a no) or `withdrawn` (the client hung up, or the guard ended); `by` who answered."""

    id: str
    answer: str
    by: Text = ""
    call: str | None = None


ENTRY_TYPES = ("reasoning", "tool_call", "tool_result", "finding", "usage", "retry", "refusal", "interrupt")
"""The types that make up an agent's log (with `effect` and `guard`, which monitor and guard add beside it)."""


# -- the envelope -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Event:
    """`ts` is UTC ISO-8601 with microseconds on the clock of whoever says it; `seq` is None when ephemeral."""

    run: str
    source: str
    type: str
    raw: JsonObject = field(default_factory=dict)
    seq: int | None = None
    ts: str = ""
    ticket: str | None = None
    session: str | None = None

    @cached_property
    def data(self) -> Payload:
        """The typed payload; `Unknown` for what a record of another version holds."""
        try:
            return payload(self.type, self.raw)
        except BadEvent:
            return Unknown()

    @property
    def at(self) -> float:
        """Seconds since the epoch."""
        return parse_ts(self.ts)

    @property
    def ephemeral(self) -> bool:
        return self.seq is None and self.type in TYPES and TYPES[self.type].ephemeral

    def numbered(self, seq: int, ts: str) -> "Event":
        return replace(self, seq=seq, ts=ts)


def event(run: str, source: str, content: Payload, *, ticket: str | None = None, session: str | None = None) -> Event:
    """A new event, checked and stamped with the time; `seq` is given by the store.

    Raises `BadEvent` for a source that does not own the type, or a field that does not keep to its type.
    """
    return checked(Event(run, source, content.type, content.to_raw(), ts=now(), ticket=ticket, session=session))


def checked(e: Event) -> Event:
    """The event itself. Raises `BadEvent` unless its payload keeps the contract and is its source's to say."""
    data = payload(e.type, e.raw)
    if e.source not in data.owners:
        raise BadEvent(f"{e.source} may not say {e.type}")
    object.__setattr__(e, "data", data)  # as `cached_property` keeps it
    return e


def payload(type: str, raw: Mapping[str, Any]) -> Payload:
    """Raises `BadEvent` for an unknown type, a field that is missing, and one of another type than its own."""
    kind = TYPES.get(type)
    if kind is None:
        raise BadEvent(f"unknown event type {type!r}")
    try:
        return decode(kind, raw)
    except FieldError as e:
        raise BadEvent(f"{type}: {e}") from e


# -- times and ids ----------------------------------------------------------------------------------------------------


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
