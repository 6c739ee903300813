"""Removes runs from the store and from the home, for what must go."""

import re
import shutil
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from operator_demo import search
from operator_demo.errors import UsageError
from operator_demo.events import timestamp
from operator_demo.home import file_errors, home
from operator_demo.store import Store, StoreBusy

_DAYS = {"d": 1, "w": 7}
_GOES_ON = timedelta(days=1)  # a run without an end, of which there is news this recent, may go on


def parse_age(text: str) -> timedelta:
    """Of `90d` or `12w`. Raises `UsageError`."""
    match = re.fullmatch(r"(\d{1,5})([dw])", text)
    if match is None:
        raise UsageError(f"{text!r} is no age.", "Say it in days or weeks, for instance 90d or 12w.")
    return timedelta(days=int(match[1]) * _DAYS[match[2]])


def older_than(store: Store, age: timedelta) -> list[str]:
    """The runs of which the newest event is older than that."""
    rows = store.rows("SELECT run FROM chains WHERE (SELECT max(ts) FROM events WHERE events.run=chains.run) < ? "
                      "ORDER BY run", _before(age))
    return [str(row["run"]) for row in rows]


def goes_on(store: Store, run: str) -> bool:
    """May the run still be played?"""
    row = store.row("SELECT finished, (SELECT max(ts) FROM events WHERE run=r.run) AS newest FROM runs r WHERE run=?",
                    run)
    return row is not None and row["finished"] is None and (row["newest"] or "") > _before(_GOES_ON)


def delete(store: Store, runs: list[str]) -> None:
    """Removes them from the store and from the index of the search, and what a `down` has put aside of them."""
    for run in runs:
        search.forget(store, run)
        store.delete(run)
        aside = home() / "aside" / run
        with file_errors(aside), suppress(FileNotFoundError):
            shutil.rmtree(aside)
    with suppress(StoreBusy):  # the space is used again by later runs
        store.shrink()


def _before(age: timedelta) -> str:
    return timestamp(datetime.now(UTC) - age)
