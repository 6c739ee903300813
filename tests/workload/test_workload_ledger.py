import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operator_demo.workload.check import judge
from operator_demo.workload.ledger import Entry, Ledger, LedgerError, LeftLedger, number


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "workload.db"


@pytest.fixture
def ledger(path: Path) -> Iterator[Ledger]:
    made = Ledger(path, ["a", "b"])
    yield made
    made.close()


def write(ledger: Ledger, key: str, times: int = 1) -> None:
    for _ in range(times):
        ledger.acknowledge(key, ledger.next(key))


OUTCOMES = st.lists(st.sampled_from(["acknowledged", "refused", "unanswered"]), max_size=60)


@given(OUTCOMES, st.integers(0, 70))
def test_every_acknowledged_write_is_counted_once(outcomes: list[str], value: int) -> None:
    """Against the plain list of what was acknowledged."""
    entry, plain = Entry(), []
    for outcome in outcomes:
        entry.last += 1
        if outcome == "acknowledged":
            entry.acknowledged = entry.last
            plain.append(entry.last)
        elif outcome == "refused":
            entry.last -= 1
        else:
            entry.leave_hole(entry.last, entry.last)
    assert entry.count() == len(plain)
    assert entry.count(value) == sum(n > value for n in plain)
    found = judge("k", entry, value)
    kept, above = sum(n <= value for n in plain), sum(n > value for n in plain)
    late = entry.is_hole(value)  # an unanswered write that took effect late: what came before it may be overwritten
    assert (found.kept, found.lost, found.unknown) == (kept, 0 if late else above, above if late else 0)
    assert entry.unanswered == outcomes.count("unanswered")


def test_without_an_answer_nothing_counts_as_kept() -> None:
    found = judge("k", Entry(acknowledged=5, last=5), None)
    assert (found.kept, found.lost, found.unknown) == (0, 0, 5)


def test_what_a_read_during_the_run_missed_stays_lost(ledger: Ledger) -> None:
    write(ledger, "a", 10)
    ledger.missed("a", 10, 4)
    write(ledger, "a", 5)
    found = judge("a", ledger.entry("a"), 15)
    assert (found.kept, found.lost) == (9, 6)


def test_a_late_write_that_was_never_answered_is_no_loss(ledger: Ledger) -> None:
    write(ledger, "a", 4)
    ledger.unanswered("a", ledger.next("a"))
    write(ledger, "a", 3)
    assert ledger.missed("a", 8, 5) is False
    assert ledger.missed("a", 8, 6) is True
    assert ledger.entry("a").lost == 2


def test_what_a_writer_left_is_read_by_another(ledger: Ledger, path: Path) -> None:
    """`ledger` is never closed before it is read, as after a crash."""
    write(ledger, "a", 7)
    ledger.flush()
    write(ledger, "a", 2)  # not on the disk
    left = LeftLedger(path)
    assert (left.keys, left.entry("a").acknowledged) == (["a", "b"], 7)
    assert [judge("a", left.entry("a"), value).lost for value in (9, 7, 6)] == [0, 0, 1]
    assert LeftLedger(path).entry("a") == left.entry("a")


def test_what_nobody_left_cannot_be_read(path: Path) -> None:
    with pytest.raises(LedgerError):
        LeftLedger(path)
    assert not path.exists()


def test_an_orderly_end_leaves_no_hole(path: Path) -> None:
    ledger = Ledger(path, ["a"])
    write(ledger, "a", 7)
    ledger.unanswered("a", ledger.next("a"))
    ledger.next("a")
    ledger.refuse("a")
    ledger.close()
    entry = (again := Ledger(path, ["a"])).entry("a")
    assert (entry.acknowledged, entry.last, entry.refused, entry.unanswered) == (7, 8, 1, 1)
    again.close()


@pytest.mark.parametrize("after_flush", [0, 1, 5, 8, 30])
def test_after_a_crash_what_was_not_flushed_is_unknown_and_never_used_again(path: Path, after_flush: int) -> None:
    crashed = Ledger(path, ["a"])
    write(crashed, "a", 3)
    crashed.flush()
    write(crashed, "a", after_flush)
    highest = crashed.entry("a").last
    entry = (again := Ledger(path, ["a"])).entry("a")  # as after SIGKILL: the first one was never closed
    assert again.next("a") > highest
    assert entry.acknowledged <= highest
    assert entry.acknowledged + entry.unanswered >= highest, "each value is known or counted as unanswered"
    assert entry.count() == entry.acknowledged
    again.close()
    crashed.close()


def test_values_are_reserved_on_the_disk_before_they_are_used(path: Path, ledger: Ledger) -> None:
    with sqlite3.connect(path) as db:
        for _ in range(100):
            value = ledger.next("a")
            (reserved,) = db.execute("SELECT reserved FROM ledger WHERE key='a'").fetchone()
            assert reserved >= value
            ledger.acknowledge("a", value)


def test_a_file_that_is_none_is_a_clear_error(path: Path) -> None:
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(LedgerError, match=r"workload\.db"):
        Ledger(path, ["a"])


@pytest.mark.parametrize(("value", "is_"), [
    ("12", 12), (None, 0), ("", 0), ("-1", 0), ("x", 0), ("\u0663", 0), ("1 ", 0)])
def test_what_is_no_counter_is_zero(value: str | None, is_: int) -> None:
    assert number(value) == is_
