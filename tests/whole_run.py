"""What a run of all tests has shown, written down: the table in docs/tests.md.

Written only where OPERATOR_WRITE_PROVEN is set and nothing was left out, so not by a run of a few tests.
"""

import os
import platform
import time
from collections import Counter, defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "tests.md"
BEGIN, END = "<!-- whole run: begin -->", "<!-- whole run: end -->"
BEGAN = time.monotonic()
OUTCOMES = ("passed", "failed", "error", "skipped")


def is_whole(config: pytest.Config) -> bool:
    return bool(os.environ.get("OPERATOR_WRITE_PROVEN")) and not config.option.markexpr and not config.option.keyword \
        and config.args_source is pytest.Config.ArgsSource.TESTPATHS


def write(stats: dict[str, list[Any]]) -> None:
    """`stats` as pytest's terminal reporter keeps them: reports by outcome."""
    head, rest = PAGE.read_text().split(BEGIN, 1)
    PAGE.write_text(head + BEGIN + "\n" + _told(stats) + END + rest.split(END, 1)[1])


def _told(stats: dict[str, list[Any]]) -> str:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for outcome in OUTCOMES:
        for report in stats.get(outcome, []):
            counts[report.nodeid.split("/")[1]][outcome] += 1
    rows = [_row(folder, counts[folder]) for folder in sorted(counts)]
    rows.append(_row("**all**", sum(counts.values(), Counter())))
    failed = [f"Failed: `{r.nodeid}`" for outcome in ("failed", "error") for r in stats.get(outcome, [])]
    left_out = [f"Left out: `{r.nodeid}` ({r.longrepr[2]})" for r in stats.get("skipped", [])]
    return "\n".join([
        f"{datetime.now(UTC).date().isoformat()}, {os.cpu_count()} cores, Python {platform.python_version()}; "
        f"{(time.monotonic() - BEGAN) / 60:.0f} minutes.", "",
        "| tests of | passed | failed | left out |", "| --- | --- | --- | --- |", *rows, "",
        *(f"- {line}" for line in (*failed, *left_out)), ""])


def _row(name: str, counts: Counter[str]) -> str:
    return f"| {name} | {counts['passed']} | {counts['failed'] + counts['error']} | {counts['skipped']} |"
