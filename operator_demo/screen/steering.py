"""What a key does: one table for a run, one for its replay; and what the person at the keys looks at.

A key that is only a matter of looking (zoom, scroll, help) ends here. The others are words for the run.
"""

from dataclasses import dataclass, field

from operator_demo.approvals import ALWAYS, NO, YES
from operator_demo.screen.scrolling import Scroll

NEXT, BACK, PAUSE, STOP, MENU, QUIT = "next", "back", "pause", "stop", "menu", "quit"
EVENT_LATER, EVENT_EARLIER = "event_later", "event_earlier"
CHAPTER_LATER, CHAPTER_EARLIER = "chapter_later", "chapter_earlier"
ZOOM, OUTPUT, SEARCH, HELP, ESCAPE = "zoom", "output", "search", "help", "escape"


@dataclass(frozen=True)
class Binding:
    word: str
    keys: tuple[str, ...]  # by the names that `keys.Parser` gives
    shown: str  # in the footer
    does: str
    about: str  # in the help
    manual: bool = False  # only where keys bring the run forward


CLUSTER, AGENT, LOAD, PROOF = PANELS = ("cluster", "agent", "load", "proof")
"""What the keys 1 to 4 zoom."""

LOOKING = (
    Binding(ZOOM, ("1", "2", "3", "4"), "1-4", "zoom", "one panel alone: cluster, agent, load, proof; again: back"),
    Binding(OUTPUT, ("o",), "o", "output", "the whole output of the agent's last command, or of the step in view"),
    Binding(SEARCH, ("/",), "/", "search", "search in the agent's log; n and N: the next match, the one before"),
    Binding(HELP, ("?",), "?", "help", "all keys"),
    Binding(ESCAPE, ("escape",), "esc", "back", "back to the whole screen"),
)
LIVE = (
    Binding(NEXT, ("space", "enter", "right", "page_down"), "space", "next", "the next chapter", manual=True),
    Binding(BACK, ("left", "page_up"), "←", "back", "read the chapter before again; space: return"),
    Binding(PAUSE, ("p",), "p", "pause agent", "the agent waits before its next step; again: it goes on", manual=True),
    Binding(STOP, ("s",), "s", "stop agent", "the agent stops after this step; the ticket is escalated", manual=True),
    Binding(MENU, ("f",), "f", "recording", "with run --fallback: leave the live run, go on from its recording",
            manual=True),
    *LOOKING,
    Binding(QUIT, ("q", "Q"), "q", "quit", "ends the run and takes everything down"),
)
REPLAY = (
    Binding(PAUSE, ("space", "p"), "space", "pause", "the replay pauses, and goes on"),
    Binding(EVENT_LATER, ("right",), "→", "event", "one event later"),
    Binding(EVENT_EARLIER, ("left",), "←", "event", "one event earlier"),
    Binding(CHAPTER_LATER, ("]", "page_down"), "]", "chapter", "the next chapter"),
    Binding(CHAPTER_EARLIER, ("[", "page_up"), "[", "chapter", "the chapter before"),
    *LOOKING,
    Binding(QUIT, ("q", "Q"), "q", "quit", "ends the replay"),
)
SCROLLING = (
    Binding("scroll", ("up", "down", "page_up", "page_down", "home", "end"), "↑↓", "scroll",
            "in a zoomed panel and in an output: also PgUp, PgDn, Home; End: the end, and what comes in there"),
)
ANSWERS = {"y": YES, "n": NO, "a": ALWAYS}
_LAST = "last"  # the output of the last command that has one


@dataclass
class Steering:
    """`zoom` is the panel that has the screen to itself, "" for none; `output` the tool call whose output is open, ""
    for none; `typing` what is being typed to be searched, None where nothing is; `again` how many chapters back the
    narration is read once more."""

    table: tuple[Binding, ...] = LIVE
    zoom: str = ""
    output: str = ""
    help: bool = False
    typing: str | None = None
    again: int = 0
    in_view: str = ""  # the tool call of the step at the top of the zoomed agent's panel, as drawn last
    scrolls: dict[str, Scroll] = field(default_factory=dict)
    words: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.words = {key: binding.word for binding in self.table for key in binding.keys}

    @property
    def covered(self) -> bool:
        """Does something else than the whole screen have the terminal?"""
        return bool(self.help or self.output or self.zoom)

    @property
    def scroll(self) -> Scroll:
        """That of what is in front."""
        name = HELP if self.help else self.output or self.zoom
        return self.scrolls.setdefault(name, Scroll(grows=name == AGENT))

    def press(self, key: str, asked: bool = False, confirming: bool = False) -> str:
        """The word for the run, or "" where there is none. While something is `asked` only answers count. While the
        run is `confirming` what was pressed, y is a yes, and each key is heard."""
        if asked:
            return ANSWERS.get(key, "")
        if confirming:
            return ANSWERS.get(key) or self.words.get(key, ESCAPE)
        if self.typing is not None:
            self._type(key)
            return ""
        if self.help or self.output:
            self._read(key)
            return ""
        if self.zoom and self.scroll.press(key):
            return ""
        if self.again and self.words.get(key) == NEXT:
            self.again -= 1
            return ""
        return self._do(key, self.words.get(key, ""))

    def _do(self, key: str, word: str) -> str:
        match word:
            case "zoom":
                panel = PANELS[int(key) - 1]
                self.zoom = "" if self.zoom == panel else panel
                self.scrolls.pop(panel, None)
            case "help":
                self.help = True
                self.scrolls.pop(HELP, None)
            case "escape":
                self.zoom, self.again = "", 0
            case "output":
                scrolled = self.zoom == AGENT and self.scroll.top is not None
                self.output = self.in_view if scrolled and self.in_view else _LAST
                self.scrolls.pop(self.output, None)
            case "search":
                self.zoom = self.zoom or AGENT
                self.typing = ""
            case "back":
                self.again += 1
            case _:
                return word
        return ""

    def _read(self, key: str) -> None:
        """What is over the screen is read, and closed by the key that opened it, or by escape or q."""
        if self.scroll.press(key):
            return
        word = self.words.get(key, "")
        if word == SEARCH and self.output:
            self.typing = ""
        elif word == HELP and self.output:
            self.help = not self.help
        elif word in (ESCAPE, QUIT, HELP, OUTPUT):
            if self.help:
                self.help = False
            else:
                self.output = ""

    def _type(self, key: str) -> None:
        typed = self.typing or ""
        if key == "enter":
            self.scroll.search(typed)
            self.typing = None
        elif key == "escape":
            self.typing = None
        elif key == "backspace":
            self.typing = typed[:-1]
        elif key == "space" or len(key) == 1:
            self.typing = typed + (" " if key == "space" else key)

    def settle(self, call: str) -> None:
        """The output that is open is that of `call`, and stays it when another command ends."""
        if self.output == _LAST:
            self.output = call

    @property
    def wants_last(self) -> bool:
        return self.output == _LAST

    @property
    def in_front(self) -> tuple[Binding, ...]:
        """The keys of what has the screen to itself; none where it is the whole screen."""
        if self.typing is not None:
            return (Binding("", ("enter",), "enter", "find", ""), Binding("", ("escape",), "esc", "leave", ""))
        if self.help:
            return (*SCROLLING, Binding(ESCAPE, ("escape",), "esc", "close", ""))
        if not self.covered:
            return ()
        again = (Binding("", ("n", "N"), "n N", "next match", ""),) if self.scroll.query else ()
        search = Binding(SEARCH, ("/",), "/", "search", "")
        opens = () if self.output else (Binding(OUTPUT, ("o",), "o", "output", ""),)
        return (*SCROLLING, search, *again, *opens, Binding(ESCAPE, ("escape",), "esc", "back", ""))
