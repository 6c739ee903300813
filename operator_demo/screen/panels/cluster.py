"""The system as a picture: the clients, and below them the members as boxes with the links between them."""

from collections.abc import Sequence
from dataclasses import replace

from rich.text import Text

from operator_demo import events
from operator_demo.screen.panels.member_box import Condition, box, condition_of, figures_of
from operator_demo.screen.panels.progress import preparing
from operator_demo.screen.panels.view import GREY, STYLES, Lines, View, fit, line
from operator_demo.screen.quantities import plural
from operator_demo.screen.screen_state import ScreenState

MOST_BOXES = 9  # members; more are a table
_WIDEST, _NARROWEST, _GAP = 26, 10, 2  # cells of a box, and between two
_CLIENTS, _BOX = 3, 5  # lines
_LARGE = 36  # lines of all panels in a column, from which the boxes are larger


def cluster(state: ScreenState, view: View) -> Lines:
    """The picture where it fits, else a table; below it how many live, and what that means."""
    if not state.members:
        return fit(preparing(state, view), view)
    summary = _summary(state, view)
    room = view.sized(view.width, view.height - len(summary))
    shown = _picture(state, room) if _fits(state, room) else table(state, room)
    return fit([*shown, *summary], view)


def height_of_cluster(state: ScreenState, view: View) -> int:
    """The lines that `cluster` likes to have; they do not depend on how the members are."""
    groups = groups_of(state)
    if not groups:  # nothing is known yet; most systems have one group
        return _CLIENTS + _BOX + 1 + (1 if view.height >= _LARGE else 0)
    drawn, listed = _drawn_and_listed(groups)
    below = len(drawn) + sum(len(group.members) for group in listed) + _lines_of_system(state)
    if not _fits_across(drawn, view):
        return len(state.members) + 1 + below
    more = 1 if view.height >= _LARGE else 0
    return _CLIENTS + max(len(drawn), 1) * (_BOX + more) + len(drawn) - 1 + below


# -- which members stand together ------------------------------------------------------------------------------------


def groups_of(state: ScreenState) -> list[events.Group]:
    """As the subject lays them out; else all members are one group, of which a majority must live."""
    known = [name for group in state.groups for name in group.members]
    others = tuple(name for name in state.members if name not in known)
    groups = [*state.groups]
    if others:
        groups.append(events.Group("", others, None if groups else len(others) // 2 + 1))
    return [group for group in groups if any(name in state.members for name in group.members)]


def _drawn_and_listed(groups: Sequence[events.Group]) -> tuple[list[events.Group], list[events.Group]]:
    """Those with a quorum are drawn; on the others nothing depends, and each of their members gets a line."""
    return [g for g in groups if g.quorum is not None], [g for g in groups if g.quorum is None]


def _fits(state: ScreenState, view: View) -> bool:
    drawn, listed = _drawn_and_listed(groups_of(state))
    lines = len(drawn) * 4 + sum(len(group.members) for group in listed) + (1 if view.height >= 6 else 0)
    return _fits_across(drawn, view) and lines <= view.height


def _fits_across(drawn: Sequence[events.Group], view: View) -> bool:
    most = max((len(group.members) for group in drawn), default=0)
    return sum(len(group.members) for group in drawn) <= MOST_BOXES and _width(most, view) >= _NARROWEST


def _width(members: int, view: View) -> int:
    return min((view.width - _GAP * (members - 1)) // max(members, 1), _WIDEST)


# -- the picture -----------------------------------------------------------------------------------------------------


def _picture(state: ScreenState, view: View) -> Lines:
    drawn, listed = _drawn_and_listed(groups_of(state))
    below = [_listed(name, state, view) for group in listed for name in group.members]
    most = max((len(group.members) for group in drawn), default=1)
    width = _width(most, view)
    room = view.height - len(below)
    clients = room >= len(drawn) * 4 + _CLIENTS
    room -= _CLIENTS if clients else 0
    links = len(drawn) - 1 if room >= len(drawn) * 4 + len(drawn) - 1 else 0
    height = min((room - links) // max(len(drawn), 1), _BOX + 1)
    lines: Lines = []
    for n, group in enumerate(drawn):
        conditions = [condition_of(name, _seen(name, group, state), state.violated, view.symbols)
                      for name in group.members]
        if n == 0 and clients:
            lines += _clients(state, conditions, width, view)
        elif n > 0 and links:
            lines.append(_between(group, view))
        lines += _row(group, conditions, state, width, view.sized(view.width, height))
    return [*lines, *below]


def _row(group: events.Group, conditions: Sequence[Condition], state: ScreenState, width: int, view: View) -> Lines:
    """The boxes of a group side by side; between two that reach each other there is a link."""
    boxes = [box(name, _seen(name, group, state), condition, width, view)
             for name, condition in zip(group.members, conditions, strict=True)]
    lines = []
    for n in range(view.height):
        row = Text(" " * _margin(len(boxes), width, view), no_wrap=True, end="")
        for number, drawn in enumerate(boxes):
            if number > 0:
                whole = conditions[number - 1].serves and conditions[number].serves
                row.append((view.symbols.link if whole else " ") * _GAP if n == 1 else " " * _GAP, GREY)
            row.append_text(drawn[n])
        lines.append(row)
    return lines


def _margin(members: int, width: int, view: View) -> int:
    return max((view.width - members * width - _GAP * (members - 1)) // 2, 0)


def _seen(name: str, group: events.Group, state: ScreenState) -> events.MemberSeen:
    """A member as it was seen. Where too few live, none of them leads, whatever it says of itself."""
    m = state.members.get(name, events.MemberSeen())
    return replace(m, leader=False) if m.leader and lost(group, state) else m


def _living(group: events.Group, state: ScreenState) -> int:
    return sum(state.members.get(name, events.MemberSeen()).healthy is True for name in group.members)


def lost(group: events.Group, state: ScreenState) -> bool:
    """Is its quorum lost?"""
    alone = len(_drawn_and_listed(groups_of(state))[0]) == 1
    return _living(group, state) < (group.quorum or 0) or (alone and state.quorum is False)


def _clients(state: ScreenState, conditions: Sequence[Condition], width: int, view: View) -> Lines:
    """What the clients feel, and a line from them to every member that they reach."""
    s, margin = view.symbols, _margin(len(conditions), width, view)
    top_left, top_right, _, _, horizontal, vertical = tuple(s.frame)
    centres = [margin + n * (width + _GAP) + width // 2 for n in range(len(conditions))]
    trunk = centres[len(centres) // 2] if len(centres) % 2 else (centres[0] + centres[-1]) // 2
    felt = _felt(state, view)
    head = Text(" " * max(trunk - felt.cell_len // 2, 0), no_wrap=True, end="")
    head.append_text(felt)
    bus = [" "] * (centres[-1] + 1)
    for place in range(min(centres[0], trunk), max(centres[-1], trunk) + 1):
        bus[place] = horizontal
    for centre in centres:
        bus[centre] = s.ties[2]
    bus[centres[0]], bus[centres[-1]] = top_left, top_right
    bus[trunk] = s.ties[4] if trunk in centres else s.ties[3]
    if len(centres) == 1:
        bus[trunk] = vertical
    feet = Text(no_wrap=True, end="")
    for centre, condition in zip(centres, conditions, strict=True):
        feet.append(" " * (centre - feet.cell_len))
        feet.append(vertical if condition.serves else s.broken, GREY if condition.serves else STYLES["bad"])
    return [head, Text("".join(bus), GREY, no_wrap=True, end=""), feet]


def _felt(state: ScreenState, view: View) -> Text:
    """`clients  198 ok/s   0 errors/s`"""
    if not state.load:
        return line("clients  ", ("no load yet", "dim"))
    now = state.load[-1].data
    return line("clients  ", (f"{now.ops:.0f}", "strong"), " ok/s   ",
                (f"{plural(now.failed, 'error')}/s", "bad" if now.failed else "dim"))


def _between(group: events.Group, view: View) -> Text:
    """What a lower group is, between two rows of boxes."""
    text = f"{view.symbols.frame[5]}  {group.title}" if group.title else view.symbols.frame[5]
    return Text(text.center(view.width), GREY, no_wrap=True, end="")


def _listed(name: str, state: ScreenState, view: View) -> Text:
    m = state.members.get(name, events.MemberSeen())
    condition = condition_of(name, m, state.violated, view.symbols)
    return line((f"{condition.mark} ", condition.tone), (f"{name}  ", "strong"), (m.kind or "", "dim"),
                (f"  {condition.word}", condition.tone), (f"  {m.error or ''}", "dim"))


# -- the table -------------------------------------------------------------------------------------------------------


def table(state: ScreenState, view: View) -> Lines:
    """A line for each member, under heads; what is not well comes first where not all have room."""
    s = view.symbols
    rows = [(name, m, condition_of(name, m, state.violated, s)) for name, m in state.members.items()]
    room = view.height - 1
    if len(rows) > room:
        rows.sort(key=lambda row: not row[2].word)
    names = list(dict.fromkeys(f.name for _, m, _ in rows for f in figures_of(m, s)))
    width = max([6, *(len(name) for name in state.members)])
    head = line((f"  {'member':<{width}}  {'role':<9} {'state':<14}", "dim"), *((f"{n:>12}", "dim") for n in names))
    lines = [head]
    for name, m, condition in rows[:room]:
        values = {f.name: f.text for f in figures_of(m, s)}
        row = line((f"{condition.mark} ", condition.tone), (f"{name:<{width}}  ", "strong"), f"{m.role:<9} ",
                   (f"{condition.word or 'healthy':<14}", condition.tone if condition.word else ""))
        if condition.serves:
            row.append("".join(f"{values.get(n, s.none):>12}" for n in names))
        else:
            row.append(m.error or "", STYLES["dim"])
        lines.append(row)
    if len(rows) > room > 0:
        lines[-1] = line((f"{s.ellipsis} and {len(rows) - room + 1} more members", "dim"))
    return lines


# -- how it is as a whole --------------------------------------------------------------------------------------------


def _lines_of_system(state: ScreenState) -> int:
    return len(state.system) + (1 if state.others else 0)


def _summary(state: ScreenState, view: View) -> Lines:
    """How many of each group live and what that means; what the subject tells; what others did on the engine."""
    drawn, _ = _drawn_and_listed(groups_of(state))
    lines = [quorum_line(group, state, view) for group in drawn]
    lines += [line((text, "dim")) for text in state.system]
    if state.others:
        lines.append(line((f"{plural(state.others, 'container')} outside the demo changed", "dim")))
    return lines


def _losses(number: int) -> str:
    return "one loss" if number == 1 else f"{number} losses"


def quorum_line(group: events.Group, state: ScreenState, view: View) -> Text:
    """`quorum 2 of 3 · one more loss stops all writes`"""
    s = view.symbols
    living, total, needed = _living(group, state), len(group.members), group.quorum or 0
    title = f"{group.title}: " if group.title else ""
    if not state.observed:
        return line((f"{s.todo} ", "dim"), (f"{title}not seen yet", "dim"))
    if lost(group, state):
        means = f"{needed} are needed" if living < needed else "they do not agree"
        return line((f"{s.bad} {title}NO QUORUM ", "bad"), f"{s.dot} {living} of {total} live, {means}")
    spare = living - needed
    means = "one more loss stops all writes" if spare == 0 else f"{_losses(spare)} can be borne"
    mark, tone = (s.warn, "warn") if spare == 0 else (s.healthy, "good")
    return line((f"{mark} ", tone), (f"{title}quorum {living} of {total} ", "strong"), (f"{s.dot} {means}", "dim"))
