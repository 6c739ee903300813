"""What a key does: one table for a run, one for its replay; and what the person at the keys looks at.

A key that is only a matter of looking (zoom, scroll, help) ends here. The others are words for the run.
"""

from dataclasses import dataclass, field

from operator_demo.approvals import ALWAYS, NO, YES

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


PANELS = ("cluster", "agent", "load", "proof")
"""What the keys 1 to 4 zoom."""

LOOKING = (
    Binding(ZOOM, ("1", "2", "3", "4"), "1-4", "zoom", "one panel alone: cluster, agent, load, proof; again: back"),
    Binding(OUTPUT, ("o",), "o", "output", "the whole output of the agent's last command"),
    Binding(SEARCH, ("/",), "/", "search", "search in the agent's log"),
    Binding(HELP, ("?",), "?", "help", "all keys"),
    Binding(ESCAPE, ("escape",), "esc", "back", "back to the whole screen"),
)
LIVE = (
    Binding(NEXT, ("space", "enter", "right", "page_down"), "space", "next", "the next chapter", manual=True),
    Binding(BACK, ("left", "page_up"), "←", "back", "read the last chapter again"),
    Binding(PAUSE, ("p",), "p", "pause agent", "the agent waits before its next step; again: it goes on", manual=True),
    Binding(STOP, ("s",), "s", "stop agent", "the agent stops after this step; the ticket is escalated", manual=True),
    Binding(MENU, ("f",), "f", "menu", "what else can be done", manual=True),
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
ANSWERS = {"y": YES, "n": NO, "a": ALWAYS}


@dataclass
class Steering:
    """`zoom` is the panel that has the screen to itself; "" for none. `scroll` counts lines back from its end."""

    table: tuple[Binding, ...] = LIVE
    zoom: str = ""
    scroll: int = 0
    output: bool = False  # the last output is open
    help: bool = False
    words: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.words = {key: binding.word for binding in self.table for key in binding.keys}

    def press(self, key: str, asked: bool = False) -> str:
        """The word for the run, or "" where there is none. While something is `asked` only answers count."""
        if asked:
            return ANSWERS.get(key, "")
        if self.zoom and self._scrolled(key):
            return ""
        word = self.words.get(key, "")
        match word:
            case "zoom":
                panel = PANELS[int(key) - 1]
                self.zoom, self.scroll = "" if self.zoom == panel else panel, 0
            case "help":
                self.help = not self.help
            case "escape":
                self.zoom, self.scroll, self.help = "", 0, False
            case "output" | "search":
                pass
            case _:
                return word
        return ""

    def _scrolled(self, key: str) -> bool:
        step = {"up": 1, "down": -1, "page_up": 10, "page_down": -10}.get(key)
        if key == "end":
            self.scroll = 0
        elif step is not None:
            self.scroll = max(self.scroll + step, 0)
        return key == "end" or step is not None
