"""What the gate has seen, written down: a file for the program or for this table alone, and the table made from it.

Written only where OPERATOR_WRITE_PROVEN is set: a run of one scenario on a busy machine is no record.
"""

import fcntl
import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from presenter import Result

from operator_demo import subject
from operator_demo.chaos import scenario
from operator_demo.events import Finding
from operator_demo.findings import standing

ROOT = Path(__file__).parents[2]
BEGIN, END = "<!-- proven: begin ({}) -->", "<!-- proven: end ({}) -->"
SECTIONS = {"known": "known", "no agent": "without_agent", "rehearsal": "scenarios"}
COLUMNS = {"known": ("known repair", "TTD", "TTM"), "no agent": ("no agent", "TTD"),
           "rehearsal": ("rehearsal", "it named", "TTD", "TTM")}


@dataclass(frozen=True)
class Record:
    """`title` is in the marks around the table in `page`. `brains` are those that are run."""

    subject: str
    file: Path
    page: Path
    title: str
    brains: tuple[str, ...]


ETCD = Record("etcd", ROOT / "subjects" / "etcd" / "proven.json", ROOT / "docs" / "scenarios.md", "etcd",
              ("known", "rehearsal"))
TIKV_ON_STAND_INS = Record("tikv", ROOT / "tests" / "tikv" / "on_stand_ins.json", ROOT / "docs" / "tests.md",
                           "tikv on stand-ins", ("known", "no agent", "rehearsal"))


def note(record: Record, name: str, brain: str, result: Result) -> None:
    if not os.environ.get("OPERATOR_WRITE_PROVEN"):
        return
    path = record.file
    with open(path.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        whole: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        for known in record.brains:
            whole.setdefault(SECTIONS[known], {})
        whole[SECTIONS[brain]][name] = _told(result)
        text = json.dumps({section: dict(sorted(entries.items())) for section, entries in sorted(whole.items())},
                          indent=1)
        _replace(path, text + "\n")
        if record.page.exists():
            _replace(record.page, _with_table(record.page.read_text(), record, whole))
    path.with_suffix(".lock").unlink(missing_ok=True)


def _told(result: Result) -> dict[str, Any]:
    finished = result.last("run_finished")
    named = [finding.cause for finding in standing([Finding.of(e["data"]) for e in result.of("finding")])]
    return {"outcome": finished["outcome"], "reached": result.status == 0,
            "cause": ", ".join(dict.fromkeys(named)) or None,
            "ttd": _seconds(finished.get("ttd")), "ttm": _seconds(finished.get("ttm")),
            "version": result.last("run_started")["version"], "date": datetime.now(UTC).date().isoformat()}


def _with_table(page: str, record: Record, whole: dict[str, Any]) -> str:
    begin, end = BEGIN.format(record.title), END.format(record.title)
    if begin not in page or end not in page:
        return page
    head, rest = page.split(begin, 1)
    return head + begin + "\n" + table(record, whole) + end + rest.split(end, 1)[1]


def table(record: Record, whole: dict[str, Any]) -> str:
    found = subject.load(record.subject)
    heads = ["scenario", "difficulty", "right is"]
    for brain in record.brains:
        heads += COLUMNS[brain]
    rows = [heads, ["---"] * len(heads)]
    for name in scenario.names(found.folder):
        play = scenario.load(found, name)
        row = [f"`{name}`", play.difficulty, play.outcome]
        for brain in record.brains:
            row += _cells(brain, whole.get(SECTIONS[brain], {}).get(name, {}))
        rows.append(row)
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _cells(brain: str, entry: dict[str, Any]) -> list[str]:
    values = {"TTD": _time(entry, "ttd"), "TTM": _time(entry, "ttm"), "it named": entry.get("cause") or "-"}
    first = _mark(entry)
    if brain == "no agent" and entry:
        first = entry["outcome"]  # nobody repairs it: never what is right
    return [first, *(values[column] for column in COLUMNS[brain][1:])]


def _mark(entry: dict[str, Any]) -> str:
    return f"{entry['outcome']}{'' if entry['reached'] else ' (not what is right)'}" if entry else "not run"


def _time(entry: dict[str, Any], key: str) -> str:
    value = entry.get(key)
    return f"{value:.1f} s" if value is not None else "-"


def _seconds(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def _replace(path: Path, text: str) -> None:
    fresh = path.with_suffix(f".{os.getpid()}.new")
    fresh.write_text(text)
    fresh.replace(path)
