"""Events put into words: who speaks, the lines, and their tone. The one place that has a sentence for each type.

Plain output and the audit choose from it which events to show, and shorten them. They give a speaker `agent` the name
of its brain. To tell a new type of event, add a case here.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from operator_demo import events, orders, phrases
from operator_demo.approvals import ALWAYS, YES
from operator_demo.chapters import NAMES
from operator_demo.events import Event, MemberSeen, Payload, Violation
from operator_demo.phrases import one_line
from operator_demo.screen.quantities import milliseconds, money, plural, seconds
from operator_demo.screen.terminal_text import Line, Symbols
from operator_demo.text import clean

SILENT = (events.Delta,)
"""The types that are not told: the live text of what a later event says whole."""

_SPEAKERS: dict[type[Payload], str] = {
    events.Verdict: "oracle", events.Armed: "oracle", events.Effect: "engine",
    events.WorkloadStarted: "load", events.Load: "load", events.WriteCheck: "load"}

_ORDERS = {orders.GO: "may work", orders.HOLD: "shall claim no ticket yet", orders.PAUSE: "shall pause after this step",
           orders.STOP: "shall stop after this step"}


@dataclass(frozen=True)
class Telling:
    """`lines` has at least one line; each is (text, tone), without line breaks and control characters."""

    speaker: str
    lines: list[Line]


def tell(e: Event, symbols: Symbols) -> Telling | None:
    """None for the `SILENT` types."""
    if isinstance(e.data, SILENT):
        return None
    return Telling(_SPEAKERS.get(type(e.data), e.source), lines(e.data, e, symbols))


def lines(data: Payload, e: Event, symbols: Symbols) -> list[Line]:
    """The lines of an event, by the type of its payload; one that this version does not know is told as its name."""
    for part in (_run, _monitor, _tickets, _agent, _load, _guard):
        told = part(data, e, symbols)
        if told is not None:
            return told
    return [(one_line(clean(e.type)).replace("_", " "), "")]


def _run(data: Payload, e: Event, symbols: Symbols) -> list[Line] | None:
    match data:
        case events.RunStarted():
            agent = phrases.brain_label(data.brain, data.model)
            run = f"run {e.run}: {data.subject} in project {data.project}"
            return [(f"{run}, {data.mode} mode, agent: {agent}", "strong")]
        case events.Chapter():
            number = f"{NAMES.index(data.name) + 1}/{len(NAMES)} " if data.name in NAMES else ""
            return [(f"{symbols.here} {number}{data.title or data.name}", "strong"), *_toned(data.narration)]
        case events.Progress():
            name = data.task if data.task == data.item else f"{data.task} {data.item}"
            return [(f"{name}: {data.status}", "dim")]
        case events.TruthSealed():
            return [(f"root cause sealed: sha256 {data.sha256}", "")]
        case events.TruthOpened():
            return [(f"the sealed root cause was: {phrases.json_fields(data.truth)}", "")]
        case events.Fault():
            tone = "bad" if data.phase in ("injected", "failed") else "warn"
            return [(f"fault {data.phase}: {data.kind} of {', '.join(data.targets)}", tone)]
        case events.Note():
            tone = {"warning": "warn", "error": "bad"}.get(data.level, "")
            return _text(f"{data.level}: " if tone else "", data.text, tone)
        case events.Gap():
            state, tone = ("were filled in", "dim") if data.filled else ("are missing", "warn")
            return [(f"events {data.first} to {data.last} of {data.from_source} {state}", tone)]
        case events.Contradiction():
            return _text("contradiction: ", data.text, "bad")
        case events.Prompt():
            asked = data.question or (f"space: {data.space}" if data.space else "")
            return [(one_line(asked) or "no key is waited for", "strong" if asked else "dim")]
        case events.Score():
            return [(f"score: {data.outcome}, expected {data.expected}", "good" if data.reached else "warn")]
        case events.RecordHead():
            return [(f"the record has {data.entries} entries, head {data.head}", "dim")]
        case events.RunFinished():
            tone = "good" if data.outcome in ("repaired", "no_action") else "warn"
            waited = f"{seconds(data.ttm)} {phrases.to_repair(data.ttm, data.waited)}" if data.waited else ""
            return [(f"the run is over: {data.outcome}", tone), *_toned(waited)]
    return None


def _monitor(data: Payload, e: Event, symbols: Symbols) -> list[Line] | None:
    match data:
        case events.MonitorStarted():
            return [(f"watches {data.subject}: {', '.join(data.members)}", "")]
        case events.Observation():
            return [health(data.members), leader(leader_of(data.members))]
        case events.Readiness(missing=()):
            return [("all is well; from now on a violation opens a ticket", "good")]
        case events.Readiness():
            return [("not ready yet:", ""), *((one_line(text), "dim") for text in data.missing)]
        case events.Effect():
            if data.explained:
                return [(f"{phrases.effect(data)} [{data.explained.replace('_', ' ')}]", "")]
            return [(f"{symbols.warn} {phrases.effect(data)}: unexplained, no tool call accounts for it", "warn")]
        case events.Limits():
            return [(phrases.limit(name, limit), "") for name, limit in data.limits.items()] or [("no limits", "")]
        case events.Armed():
            checks = f" for: {', '.join(data.checks)}" if data.checks else ""
            return [(f"took its baseline{checks}", "")]
        case events.Verdict():
            head = f"{data.phase} verdict: {'passed' if data.passed else 'not passed'}"
            tone = "good" if data.passed else "bad"
            if data.phase == "opening":  # must fail while the fault is there
                tone = "bad" if data.passed else "warn"
                head += "" if data.passed else ", as expected while the fault is present"
            return [(head, tone), *(phrases.check(c, symbols) for c in data.checks)]
    return None


def _tickets(data: Payload, e: Event, symbols: Symbols) -> list[Line] | None:
    ticket = _ticket(e)
    match data:
        case events.TicketOpened():
            head = f"{ticket} opened ({data.severity}): {data.title}"
            return [(head, "bad"), *(_violation(v, symbols) for v in data.violations)]
        case events.TicketUpdated():
            return [(f"{ticket}: {phrases.violated(data)}", "")]
        case events.TicketClaimed():
            return [(f"{ticket} claimed by session {data.holder}", "")]
        case events.TicketVerifying():
            claim = "nothing needs to be done" if data.claim == "no_action" else "it is repaired"
            actions: list[Line] = [(f"did: {one_line(action)}", "") for action in data.actions]
            return [*_text(f"{ticket} verifying: the agent says {claim}. ", data.summary, ""), *actions]
        case events.TicketReturned():
            return _text(f"{ticket} returned to the agent: ", data.words, "warn")
        case events.TicketReleased():
            return _text(f"{ticket} released: ", data.reason, "warn")
        case events.TicketResolved():
            return [(f"{ticket} resolved", "good")]
        case events.TicketCleared():
            return [(f"{ticket} cleared", "")]
        case events.TicketEscalated():
            return _text(f"{ticket} escalated: ", data.reason, "warn")
    return None


def _agent(data: Payload, e: Event, symbols: Symbols) -> list[Line] | None:
    match data:
        case events.AgentOrder():
            return [(f"the agent {_ORDERS.get(data.order, one_line(data.order))}, by {one_line(data.by)}", "accent")]
        case events.AgentPaused():
            return [("stands still between two steps, as the presenter wishes", "accent")]
        case events.AgentResumed():
            return [(f"goes on, after {seconds(data.seconds)}", "accent")]
        case events.AgentStarted():
            ready = (f"{phrases.brain_label(data.brain, data.model)} is ready ({data.mode} mode)", "")
            if not data.way_out:
                return [ready]
            beyond = f"its shell can reach more than the subject's network: {one_line(data.way_out)}"
            return [ready, (f"{symbols.warn} {beyond}", "warn")]
        case events.SessionStarted():
            return [(f"{phrases.brain_label(data.brain, data.model)} claims {_ticket(e)} ({data.mode} mode)", "")]
        case events.Reasoning():
            return _text("thinks: " if data.kind == "thinking" else "says: ", data.text, "")
        case events.ToolCall():
            typed = _toned(phrases.command(data.tool, data.input), "strong") or [("", "")]
            ran, reasons = phrases.what_ran(data), phrases.why(data.input)
            return [*typed, *([(ran, "warn")] if ran else []),
                    *(_text("why: ", reasons, "dim", "dim") if reasons.strip() else [])]
        case events.ToolResult():
            output: list[Line] = [(f"{symbols.quote} {line}", "dim") for line in data.output.rstrip().splitlines()]
            if data.omitted_bytes:
                output.append((f"{symbols.quote} ({data.omitted_bytes} bytes were not kept)", "dim"))
            if data.removed:
                sequences = f"{data.removed} characters of terminal sequences were removed"
                output.append((f"{symbols.quote} ({sequences})", "dim"))
            return [phrases.result(data.status, data.exit_code, data.duration, symbols), *output]
        case events.Finding():
            return _text("finding: ", phrases.finding(data), "strong")
        case events.Usage():
            cost = money(data.cost_usd).replace("—", symbols.none)
            tokens = f"{data.input_tokens} tokens in, {data.output_tokens} out"
            return [(f"request {data.request_id or symbols.none}: {tokens}, {seconds(data.duration)}, {cost}, "
                     f"{data.stop_reason or symbols.none}", "dim")]
        case events.Retry():
            return _text(f"retry {data.attempt} in {seconds(data.delay)}: ", data.reason, "warn")
        case events.Refusal():
            return _text(f"{symbols.refused} refused: ", data.reason, "warn")
        case events.Interrupt():
            ended: list[Line] = [(f"ended: {name}", "") for name in data.ended]
            return [*_text("interrupted: ", data.reason, "warn"), *ended]
        case events.SessionFinished():
            return _text(f"session {e.session or symbols.none} is over: {data.status}. ", data.summary, "")
    return None


def _load(data: Payload, e: Event, symbols: Symbols) -> list[Line] | None:
    match data:
        case events.WorkloadStarted():
            return [(f"starts: {data.rate:g} op/s on {data.keys} keys", "")]
        case events.Load():
            kinds = ", ".join(f"{kind} {count}" for kind, count in data.errors.items() if count)
            latency = f"p50 {milliseconds(data.p50)}, p99 {milliseconds(data.p99)}".replace("—", symbols.none)
            errors = f"{plural(data.failed, 'error')}{f' ({kinds})' if kinds else ''}"
            return [(f"{data.ops:.0f} op/s, {latency}, {errors}", "warn" if data.failed else "")]
        case events.WriteCheck():
            tone = "bad" if data.lost else "good"
            return [(f"acknowledged writes: {data.kept} kept, {data.lost} lost, {data.unknown} unknown", tone)]
    return None


def _guard(data: Payload, e: Event, symbols: Symbols) -> list[Line] | None:
    match data:
        case events.Guard(ruling="deny"):
            refused = f"refused to the {one_line(data.caller)}: {phrases.refused_request(data)}"
            return [(f"{symbols.shield} {refused}", "bad")]
        case events.Guard():
            target = f" on {one_line(data.object)}" if data.object else ""
            tone = "warn" if data.destructive else ""
            reason = f": {one_line(data.reason)}" if data.reason else ""
            return [(f"{data.caller}: {one_line(data.rule)}{target} [{data.ruling}]{reason}", tone)]
        case events.ApprovalRequested():
            asked = f"{symbols.warn} a human is asked: {phrases.asked_for(data)}"
            return [(f"{asked} (y, n or a; {data.id}; in {data.limit:g} s it is a no)", "warn")]
        case events.ApprovalAnswered():
            tone = "good" if data.answer in (YES, ALWAYS) else "warn"
            return [(f"the answer is {one_line(data.answer)}, by {one_line(data.by)} ({one_line(data.id)})", tone)]
    return None


# -- parts of lines ---------------------------------------------------------------------------------------------------


def health(members: Mapping[str, MemberSeen]) -> Line:
    """`3 of 3 members are healthy`"""
    healthy = sum(m.healthy is True for m in members.values())
    return f"{healthy} of {len(members)} members are healthy", "good" if healthy == len(members) else "warn"


def member(name: str, data: MemberSeen, symbols: Symbols) -> Line:
    """`✖ etcd1 is exited: no address`"""
    state = phrases.member_state(data)
    if data.healthy:
        return f"{symbols.healthy} {name} is {state}", "good"
    return f"{symbols.bad} {name} is {state}{f': {data.error}' if data.error else ''}", "bad"


def leader_of(members: Mapping[str, MemberSeen]) -> str | None:
    return next((name for name, m in members.items() if m.leader), None)


def leader(name: str | None) -> Line:
    return f"leader: {name or 'none'}", "" if name else "bad"


def _violation(data: Violation, symbols: Symbols) -> Line:
    return f"{symbols.warn} {data.key}: {one_line(data.text)}", ""


def _ticket(e: Event) -> str:
    return f"ticket {e.ticket}" if e.ticket else "ticket"


def _text(head: str, text: str, tone: str, rest: str = "") -> list[Line]:
    """`head` and the first line of `text` in `tone`, the other lines in the tone `rest`."""
    first, *others = text.strip().splitlines() or [""]
    return [((head + first).rstrip(" :") if not first else head + first, tone), *((line, rest) for line in others)]


def _toned(text: str, tone: str = "") -> list[Line]:
    return [(line, tone) for line in text.strip().splitlines()]
