"""What the full screen draws beside the run itself: the agent's log with its live text, long work, remarks, effects."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from operator_demo import events, phrases, results
from operator_demo.approvals import ALWAYS, NO, TIMEOUT, WITHDRAWN, YES
from operator_demo.events import Event
from operator_demo.fields import JsonObject
from operator_demo.run_state import RunState
from operator_demo.screen import reasons
from operator_demo.screen.quantities import seconds
from operator_demo.ticket_state import Moment

_MOST_ENTRIES, _MOST_NOTES, _MOST_EFFECTS, _MOST_PARTS, _MOST_LIVE = 1000, 50, 50, 8, 8000
_MOST_CHAPTERS = 100
STATEMENTS = ("finding", "resolve", "no_action", "escalate")
"""Tools by which the agent says something and does nothing: each has a form of its own."""
PROSE = ("thinking", "text")
_ANSWERED = {YES: "a human said yes", NO: "a human said no", ALWAYS: "a human said always",
             TIMEOUT: "nobody answered in time, which is a no", WITHDRAWN: "it was withdrawn"}


@dataclass(frozen=True)
class Entry:
    """One thing in the agent's log. `kind`: thinking, text, call, one of `STATEMENTS`, guard, approval, retry, refusal,
    interrupt.

    A call that is no statement is a step: it has a `number`, from 1, and a `reason` in words.
    """

    at: float
    kind: str
    text: str = ""  # of a call: the command
    call: str = ""
    tool: str = ""
    input: JsonObject = field(default_factory=dict, hash=False)
    number: int = 0
    reason: str = ""
    why: str = ""  # the reasoning that was given with the call
    ran: str = ""  # of a call: what ran, where it is shown otherwise
    changes: str = ""  # what of the cluster it changes, by the guard's word
    denied: bool = False  # the guard refused a request of it
    status: str = ""  # of a call; empty while it runs
    exit_code: int | None = None
    duration: float | None = None
    output: str = ""
    result: str = ""  # of a call: the output in a sentence

    @property
    def worked(self) -> bool:
        return self.status == "ok" and self.exit_code in (None, 0)


@dataclass
class Live:
    """Text that is being written just now. `kind`: thinking, text, command or output."""

    kind: str
    text: str = ""
    call: str = ""


@dataclass
class ScreenState(RunState):
    """Ephemeral events (`delta`, `progress`, `prompt`) change only `live`, `progress` and `prompt`."""

    chapters: list[events.Chapter] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    steps: int = 0
    changing: dict[str, str] = field(default_factory=dict)  # what a call changes, where the guard told before the agent
    live: list[Live] = field(default_factory=list)
    progress: dict[tuple[str, str], events.Progress] = field(default_factory=dict)
    prompt: events.Prompt = field(default_factory=events.Prompt)
    notes: list[Moment[events.Note]] = field(default_factory=list)
    effects: list[events.Effect] = field(default_factory=list)
    groups: tuple[events.Group, ...] = ()  # of members, as they are laid out
    system: tuple[str, ...] = ()  # what the subject tells of the whole
    others: int = 0  # containers outside the demo that changed
    checks: tuple[str, ...] = ()  # that the oracle makes, by name
    findings: list[float] = field(default_factory=list)  # when the agent named a cause
    repairs: list[float] = field(default_factory=list)  # when a command of the agent changed a member
    well_since: float | None = None  # None while an invariant is violated

    def apply(self, e: Event) -> None:
        super().apply(e)
        match e.data:
            case events.RunStarted():
                self.entries = [self._with_result(entry) for entry in self.entries]  # the project has a name now
            case events.Chapter() as chapter:
                self.progress = {}
                self.chapters = [*self.chapters, chapter][-_MOST_CHAPTERS:]
            case events.Progress() as progress:
                self.progress[(progress.task, progress.item)] = progress
            case events.Prompt() as prompt:
                self.prompt = prompt
            case events.Fault():
                self.progress = {key: p for key, p in self.progress.items() if key[0] != "fault"}
            case events.Note() as note:
                self._note(e.at, note)
                self.others += note.others
            case events.Gap(filled=False) as gap:
                self._note(e.at, events.Note(level="warning", text=f"events {gap.first} to {gap.last} "
                                                                   f"of {gap.from_source} are missing"))
            case events.Contradiction(text=text):
                self._note(e.at, events.Note(level="error", text=text))
            case events.Effect() as effect:
                self.effects = [*self.effects, effect][-_MOST_EFFECTS:]
                if effect.explained == "tool_call" and effect.member and effect.action != "exec_start":
                    self.repairs = [*self.repairs, e.at][-_MOST_EFFECTS:]
            case events.Guard(caller=events.AGENT) as ruling:
                self._hear_guard(e.at, ruling)
            case events.ApprovalRequested() as asked:
                self._enter(Entry(e.at, "approval", phrases.asked_for(asked), asked.id))
            case events.ApprovalAnswered() as answered:
                said = _ANSWERED.get(answered.answer, answered.answer)
                self._change(lambda entry: entry.kind == "approval" and entry.call == answered.id,
                             status=answered.answer, result=f"{said} ({answered.by})" if answered.by else said)
            case events.Armed(checks=checks):
                self.checks = checks
            case events.MonitorStarted(groups=groups):
                self.groups = groups
            case events.Observation(violations=violations, cluster=whole):
                self.system = whole.shown
                self.well_since = None if violations else e.at if self.well_since is None else self.well_since
            case _ if e.source == events.AGENT:
                self._log(e)

    def narration(self, again: int) -> str:
        """Of the chapter; `again`: of the one so many before it, as far as there are any."""
        back = min(again, len(self.chapters) - 1)
        if back < 1:
            return self.chapter.narration
        chapter = self.chapters[-1 - back]
        return f"(read again: {chapter.title}) {chapter.narration}"

    def _note(self, at: float, note: events.Note) -> None:
        self.notes = [*self.notes, Moment(at, note)][-_MOST_NOTES:]

    @property
    def newest_step(self) -> Entry | None:
        return next((entry for entry in reversed(self.entries) if entry.number), None)

    # -- the agent's log ---------------------------------------------------------------------------------------------

    def _log(self, e: Event) -> None:
        match e.data:
            case events.Delta() as delta:
                self._write(delta)
            case events.SessionStarted() | events.SessionFinished():
                self.live = []
            case events.Reasoning(kind=kind, text=text):
                self._forget_live(kind)
                self._enter(Entry(e.at, kind, text))
            case events.ToolCall() as call:
                self._forget_live("command")
                self._begin_call(e.at, call)
            case events.ToolResult() as result:
                self._forget_live("output")
                self._end_call(e.at, result)
            case events.Finding() as finding:
                self._hear_finding(e.at, phrases.finding(finding))
                self.findings = [*self.findings, e.at][-_MOST_ENTRIES:]
            case events.Retry(reason=reason, delay=delay):
                self.live = []
                self._enter(Entry(e.at, "retry", f"{reason}; again in {seconds(delay)}"))
            case events.Refusal(call=call) if any(call and entry.call == call for entry in self.entries):
                pass  # the result of the call says it
            case events.Refusal(reason=reason) | events.Interrupt(reason=reason):
                self.live = []
                self._enter(Entry(e.at, e.type, reason))

    def _enter(self, entry: Entry) -> None:
        self.entries.append(entry)
        del self.entries[:-_MOST_ENTRIES]

    def _change(self, chosen: Callable[[Entry], bool], **changes: Any) -> bool:
        """Changes the newest entry that is chosen; False where none is."""
        for n in range(len(self.entries) - 1, -1, -1):
            if chosen(self.entries[n]):
                self.entries[n] = self._with_result(replace(self.entries[n], **changes))
                return True
        return False

    def _begin_call(self, at: float, call: events.ToolCall) -> None:
        if call.tool in STATEMENTS:
            self._state(Entry(at, call.tool, phrases.statement(call.tool, call.input), call.call, call.tool,
                                         call.input))
            return
        self.steps += 1
        why = phrases.why(call.input)
        reason = reasons.reason(call.tool, call.input, why, self._unused_prose())
        self._enter(Entry(
            at, "call", phrases.command(call.tool, call.input), call.call, call.tool, call.input, self.steps, reason,
            why, phrases.what_ran(call), self.changing.pop(call.call, "")))

    def _unused_prose(self) -> str:
        """What was said since the last call."""
        said = []
        for entry in reversed(self.entries):
            if entry.call and entry.kind != "approval":
                break
            if entry.kind == "text":
                said.append(entry.text)
        return "\n\n".join(reversed(said))

    def _state(self, statement: Entry) -> None:
        """Each statement stands there once: the call and its own event are one, and prose that says the same goes."""
        while self.entries and self._is_repeated(self.entries[-1], statement):
            self.entries.pop()
        self._enter(statement)

    def _is_repeated(self, entry: Entry, statement: Entry) -> bool:
        if entry.kind == "text":
            return reasons.repeats(entry.text, statement.text)
        return (entry.kind, entry.text) == (statement.kind, statement.text)

    def _hear_finding(self, at: float, text: str) -> None:
        """Usually the finding of a call that has just begun."""
        if not self._change(lambda entry: entry.kind == "finding" and not entry.status, text=text):
            self._state(Entry(at, "finding", text, status="ok"))

    def _end_call(self, at: float, result: events.ToolResult) -> None:
        """The result of a call whose beginning is not (or no more) in the log gets an entry of its own."""
        def is_it(entry: Entry) -> bool:
            return (entry.call, entry.tool) == (result.call, result.tool)

        if not any(map(is_it, self.entries)):
            self.steps += 1
            self._enter(Entry(at, "call", result.tool, result.call, result.tool, number=self.steps,
                              reason=reasons.default(result.tool, {})))
        self._change(is_it, status=result.status or "unknown", output=result.output, exit_code=result.exit_code,
                     duration=result.duration)

    def _with_result(self, entry: Entry) -> Entry:
        if not entry.status or not entry.tool:
            return entry
        if entry.denied and entry.status != "refused" and not entry.worked:
            return replace(entry, result="the guard refused it")
        ran = results.Ran(entry.tool, entry.input, entry.status, entry.output, entry.exit_code, self.run.project)
        return replace(entry, result=results.sentence(ran))

    def _hear_guard(self, at: float, ruling: events.Guard) -> None:
        """The guard's word may come before the call's own, or after it."""
        if ruling.ruling == "deny":
            self._change(lambda entry: entry.call == ruling.call and entry.number > 0, denied=True)
            self._enter(Entry(at, "guard", phrases.refused_request(ruling)))
        elif ruling.ruling == "allow" and ruling.call:
            known = [entry.changes for entry in self.entries if entry.call == ruling.call]
            known.append(self.changing.get(ruling.call, ""))
            changes = phrases.CHANGES if phrases.CHANGES in known else phrases.changes(ruling)
            if not self._change(lambda entry: entry.call == ruling.call and entry.number > 0, changes=changes):
                self.changing[ruling.call] = changes

    def _write(self, delta: events.Delta) -> None:
        if not self.live or (self.live[-1].kind, self.live[-1].call) != (delta.kind, delta.call):
            self.live = [*self.live[1 - _MOST_PARTS:], Live(delta.kind, call=delta.call)]
        self.live[-1].text = (self.live[-1].text + delta.text)[-_MOST_LIVE:]

    def _forget_live(self, kind: str) -> None:
        self.live = [part for part in self.live if part.kind != kind]
