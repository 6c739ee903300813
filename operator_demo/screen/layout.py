"""Which panels stand where, for the size of the terminal. No size is refused.

A panel keeps its place and its size within a chapter: both follow from the size of the terminal, the chapter and the
number of members alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text

from operator_demo.headline import headline
from operator_demo.screen.frame import Column, Section, framed
from operator_demo.screen.overlays import overlay
from operator_demo.screen.pane import Words, line_of, lines_of
from operator_demo.screen.panels.about import about
from operator_demo.screen.panels.agent import agent, agent_use
from operator_demo.screen.panels.approval import approval
from operator_demo.screen.panels.cluster import cluster, height_of_cluster
from operator_demo.screen.panels.ending import ending
from operator_demo.screen.panels.footer import footer, header, status_line
from operator_demo.screen.panels.load import load, load_line
from operator_demo.screen.panels.moment import strike
from operator_demo.screen.panels.proof import proof, verdict
from operator_demo.screen.panels.story import story, title_line
from operator_demo.screen.panels.ticket import monitor
from operator_demo.screen.panels.timeline import timeline
from operator_demo.screen.panels.view import Body, Lines, View, wrapped
from operator_demo.screen.screen_state import ScreenState
from operator_demo.screen.steering import PANELS

FULL, MEDIUM, SMALL = (120, 32), (80, 24), (40, 10)
"""The least (columns, lines) of each tier."""
_SIDES = 4  # cells that a frame takes of the width
_LEAST, _LOAD, _LARGE_LOAD = 5, 9, 13  # lines of a panel that is not the main one


@dataclass(frozen=True)
class Pane:
    """A panel. `key` is the one that gives it the whole screen; 0 where it has none."""

    name: str
    body: Body
    more: Words | None = None  # beside the name

    def title(self, state: ScreenState, view: View) -> Text:
        key = PANELS.index(self.name.lower()) if self.name.lower() in PANELS else None
        mark = "" if key is None else view.symbols.keys[key]
        row = Text.assemble((mark, ""), (self.name, "bold"), no_wrap=True, end="")
        if self.more is not None:
            row.append("  ")
            row.append_text(line_of(self.more, state, view))
        return row


def _use(state: ScreenState, view: View) -> Text:
    return Text(agent_use(state, view), "")


def _promise(state: ScreenState, view: View) -> Text:
    return Text("the oracle looks from outside")


CLUSTER, LOAD = Pane("Cluster", cluster), Pane("Load", load)
AGENT, PROOF = Pane("Agent", agent, _use), Pane("Proof", proof, _promise)
ABOUT, STRIKE = Pane("What you will see", about), Pane("The fault", strike)
VERDICT = Pane("Proof", verdict, _promise)
TICKET, ENDING = Pane("The ticket", monitor), Pane("What happened", ending)


def main_pane(state: ScreenState) -> Pane:
    """The panel that matters now."""
    match state.chapter.name:
        case "welcome" | "healthy" | "load":
            return ABOUT
        case "fault" if state.fault_ticket is None:
            return STRIKE
        case "fault" | "detection" if not state.agent.sessions:
            return TICKET
        case "repair":
            return AGENT
        case "verified":
            return VERDICT
        case "end":
            return ENDING
    return AGENT if state.entries else ABOUT


def arrange(state: ScreenState, view: View) -> Text:
    """The whole screen for the size in `view`."""
    size = (view.width, view.height)
    if not _holds(size, SMALL):
        return Text("\n", no_wrap=True, end="").join(lines_of(_words, state, view))
    if view.steering.covered:
        return Text("\n", no_wrap=True, end="").join(overlay(state, view))
    if not _holds(size, MEDIUM):
        rows = _small(state, view)
    elif not _holds(size, FULL) or view.big:
        rows = _medium(state, view)
    else:
        rows = _full(state, view)
    return Text("\n", no_wrap=True, end="").join(rows)


def _holds(size: tuple[int, int], least: tuple[int, int]) -> bool:
    return size[0] >= least[0] and size[1] >= least[1]


def _words(state: ScreenState, view: View) -> Lines:
    """Where there is no room for a panel: all in a sentence."""
    return [*wrapped(status_line(state, view).plain, "", view), *wrapped(headline(state), "strong", view)]


# -- the tiers -------------------------------------------------------------------------------------------------------


def _full(state: ScreenState, view: View) -> Lines:
    """The system at the left; at the right what matters in this chapter."""
    gap = [Text()] if view.height >= 38 else []
    head = [_bar(header, state, view), *gap, *_inset(story, state, view, 4), *gap, *_inset(timeline, state, view, 2),
            *gap]
    asked = _asked(state, view)
    height = view.height - len(head) - len(asked) - 3  # the rules over and under the panels, the footer
    left = (view.width - 7) * 48 // 100
    right = view.width - 7 - left
    main = main_pane(state)
    last = AGENT if main is VERDICT else PROOF
    panels = framed([Column(left, _stacked(state, view, left, height, last)),
                     Column(right, [_section(main, state, view, right, height)])], view.symbols)
    return [*head, *panels, *asked, _bar(footer, state, view)]


def _stacked(state: ScreenState, view: View, width: int, height: int, last: Pane) -> list[Section]:
    """Cluster, load and a third panel. The cluster comes first, then the load, as far as the others keep the least."""
    room = height - 2  # the rules between them
    for_cluster = min(height_of_cluster(state, view.sized(width, room)), room - 2 * _LEAST)
    for_load = min(_LOAD if room < 36 else _LARGE_LOAD, room - for_cluster - _LEAST)
    return [_section(CLUSTER, state, view, width, for_cluster), _section(LOAD, state, view, width, for_load),
            _section(last, state, view, width, room - for_load - for_cluster)]


def _medium(state: ScreenState, view: View) -> Lines:
    """The one panel that matters in this chapter, between the story and the load."""
    head = [_bar(header, state, view), *_inset(story, state, view, 4), *_inset(timeline, state, view, 2)]
    asked = _asked(state, view)
    height = view.height - len(head) - len(asked) - 4  # the frame, the load's line, the footer
    width = view.width - _SIDES
    panel = framed([Column(width, [_section(_one_pane(state), state, view, width, height)])], view.symbols)
    return [*head, *panel, *asked, _bar(load_line, state, view), _bar(footer, state, view)]


def _one_pane(state: ScreenState) -> Pane:
    """Where there is room for one: before the fault is there, the system itself."""
    main = main_pane(state)
    return CLUSTER if main is ABOUT and state.observed else main


def _small(state: ScreenState, view: View) -> Lines:
    lines = 2 if view.height >= 14 else 1
    head = [_bar(title_line, state, view), *_inset(story, state, view, lines)]
    asked = _asked(state, view)
    height = max(view.height - len(head) - len(asked) - 3, 0)
    width = view.width - _SIDES
    panel = framed([Column(width, [_section(_one_pane(state), state, view, width, height)])], view.symbols)
    return [*head, *panel, *asked, _bar(status_line, state, view)]


# -- the parts -------------------------------------------------------------------------------------------------------


def _section(pane: Pane, state: ScreenState, view: View, width: int, height: int) -> Section:
    room = view.sized(width, height)
    return Section(pane.title(state, room), lines_of(pane.body, state, room))


def _asked(state: ScreenState, view: View) -> Sequence[Text]:
    """What waits for a human's answer, over the footer."""
    if not state.waiting:
        return []
    more = f" (1 of {len(state.waiting)})" if len(state.waiting) > 1 else ""
    title = Text(f" The agent asks for your approval{more} ", "bold reverse")
    room = view.sized(view.width - _SIDES, 5 if _holds((view.width, view.height), MEDIUM) else 3)
    return framed([Column(room.width, [Section(title, lines_of(approval, state, room))])], view.symbols)


def _bar(words: Words, state: ScreenState, view: View) -> Text:
    return line_of(words, state, view.sized(view.width, 1))


def _inset(body: Body, state: ScreenState, view: View, height: int) -> Lines:
    """Lines without a frame, a cell away from both edges."""
    return [Text.assemble(" ", row, no_wrap=True, end="")
            for row in lines_of(body, state, view.sized(view.width - 2, height))]
