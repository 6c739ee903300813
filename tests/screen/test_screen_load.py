"""The load as points: heights, marks and the scale."""

from story import START, until
from test_screen_layout import draw

from operator_demo.screen.panels.view import STYLES
from operator_demo.screen.plot import Plot, columns, plotted
from operator_demo.screen.terminal_text import ASCII, UNICODE


def test_two_seconds_a_cell_and_the_latest_at_the_right() -> None:
    assert list(columns(11, 2)) == [8, 9, 10, 11]
    assert list(columns(12, 2)) == [10, 11, 12, 13]


def test_a_full_cell_an_empty_one_and_the_least() -> None:
    rows = plotted(Plot([1.0, 1.0, 0.0, None, 0.01, 0.5], [False] * 6, 2), UNICODE)
    assert [row.plain for row in rows] == ["⣿  ", "⣿ ⣸"]
    assert [row.plain for row in plotted(Plot([1.0, 0.0], [False] * 2, 2), ASCII)] == ["#", "#"]


def test_failing_seconds_are_marked() -> None:
    (row,) = plotted(Plot([1.0, 1.0, 1.0, 1.0], [False, False, False, True], 1), UNICODE)
    assert [(span.start, span.end, span.style) for span in row.spans] == [(0, 1, STYLES["good"]), (1, 2, STYLES["bad"])]


def test_the_fault_and_the_repair_are_marked_over_their_seconds() -> None:
    drawn = draw(until(36), (120, 40), 36)
    (marks,) = (row for row in drawn if "fault ▼" in row)
    assert marks.index("▼ repair") - marks.index("▼") == int(START + 22.5) // 2 - int(START + 15.1) // 2
    text = "\n".join(drawn)
    assert "250" in text and "1 s" in text, "the ends of the scales"
