"""What the full screen draws beside the run itself: the agent's log with its live text, long work, remarks, effects."""

from dataclasses import dataclass, field

from operator_demo import events, phrases
from operator_demo.events import Event
from operator_demo.run_state import RunState
from operator_demo.screen.quantities import seconds
from operator_demo.ticket_state import Moment

_MOST_ENTRIES, _MOST_NOTES, _MOST_EFFECTS, _MOST_PARTS, _MOST_LIVE = 300, 50, 50, 8, 8000


@dataclass
class Entry:
    """One line of the agent's log. `kind`: thinking, text, call, finding, retry, refusal, interrupt."""

    at: float
    kind: str
    text: str = ""
    call: str = ""
    why: str = ""
    ran: str = ""  # of a call: what ran, where it is shown otherwise
    status: str = ""  # of a call; empty while it runs
    exit_code: int | None = None
    duration: float | None = None
    output: str = ""


@dataclass
class Live:
    """Text that is being written just now. `kind`: thinking, text, command or output."""

    kind: str
    text: str = ""
    call: str = ""


@dataclass
class ScreenState(RunState):
    """Ephemeral events (`delta`, `progress`) change only `live` and `progress`, which the durable ones tidy up."""

    entries: list[Entry] = field(default_factory=list)
    live: list[Live] = field(default_factory=list)
    progress: dict[tuple[str, str], events.Progress] = field(default_factory=dict)
    notes: list[Moment[events.Note]] = field(default_factory=list)
    effects: list[events.Effect] = field(default_factory=list)

    def apply(self, e: Event) -> None:
        super().apply(e)
        match e.data:
            case events.Chapter():
                self.progress = {}
            case events.Progress() as progress:
                self.progress[(progress.task, progress.item)] = progress
            case events.Fault():
                self.progress = {key: p for key, p in self.progress.items() if key[0] != "fault"}
            case events.Note() as note:
                self._note(e.at, note)
            case events.Gap(filled=False) as gap:
                self._note(e.at, events.Note(level="warning", text=f"events {gap.first} to {gap.last} "
                                                                   f"of {gap.from_source} are missing"))
            case events.Contradiction(text=text):
                self._note(e.at, events.Note(level="error", text=text))
            case events.Effect() as effect:
                self.effects = [*self.effects, effect][-_MOST_EFFECTS:]
            case events.Guard(caller=events.AGENT, ruling="deny") as refusal:
                self._enter(Entry(e.at, "guard", phrases.refused_request(refusal)))
            case _ if e.source == events.AGENT:
                self._log(e)

    def _note(self, at: float, note: events.Note) -> None:
        self.notes = [*self.notes, Moment(at, note)][-_MOST_NOTES:]

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
                command, why = phrases.command(call.tool, call.input), phrases.why(call.input)
                self._enter(Entry(e.at, "call", command, call.call, why, phrases.what_ran(call)))
            case events.ToolResult() as result:
                self._forget_live("output")
                self._end_call(e.at, result)
            case events.Finding() as finding:
                self._enter(Entry(e.at, "finding", phrases.finding(finding)))
            case events.Retry(reason=reason, delay=delay):
                self.live = []
                self._enter(Entry(e.at, "retry", f"{reason}; again in {seconds(delay)}"))
            case events.Refusal(reason=reason) | events.Interrupt(reason=reason):
                self.live = []
                self._enter(Entry(e.at, e.type, reason))

    def _enter(self, entry: Entry) -> None:
        self.entries.append(entry)
        del self.entries[:-_MOST_ENTRIES]

    def _end_call(self, at: float, result: events.ToolResult) -> None:
        """The result of a call whose beginning is not (or no more) in the log gets an entry of its own."""
        entry = next((x for x in reversed(self.entries) if x.kind == "call" and x.call == result.call), None)
        if entry is None:
            entry = Entry(at, "call", result.tool, result.call)
            self._enter(entry)
        entry.status, entry.output = result.status or "unknown", result.output
        entry.exit_code, entry.duration = result.exit_code, result.duration

    def _write(self, delta: events.Delta) -> None:
        if not self.live or (self.live[-1].kind, self.live[-1].call) != (delta.kind, delta.call):
            self.live = [*self.live[1 - _MOST_PARTS:], Live(delta.kind, call=delta.call)]
        self.live[-1].text = (self.live[-1].text + delta.text)[-_MOST_LIVE:]

    def _forget_live(self, kind: str) -> None:
        self.live = [part for part in self.live if part.kind != kind]
