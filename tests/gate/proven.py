"""What the gate has seen, written down: `subjects/<name>/proven.json`, and the table made from it in docs/scenarios.md.

Written only where OPERATOR_WRITE_PROVEN is set: a run of one scenario on a busy machine is no record.
"""

import fcntl
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from presenter import Result

from operator_demo import subject
from operator_demo.chaos import scenario

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "scenarios.md"
BEGIN, END = "<!-- proven: begin ({}) -->", "<!-- proven: end ({}) -->"
SECTIONS = {"known": "known", "rehearsal": "scenarios"}


def note(subject_name: str, name: str, brain: str, result: Result) -> None:
    if not os.environ.get("OPERATOR_WRITE_PROVEN"):
        return
    path = ROOT / "subjects" / subject_name / "proven.json"
    with open(path.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        whole: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        whole.setdefault("scenarios", {})
        whole.setdefault(SECTIONS[brain], {})[name] = _told(result)
        text = json.dumps({section: dict(sorted(entries.items())) for section, entries in sorted(whole.items())},
                          indent=1)
        _replace(path, text + "\n")
        if PAGE.exists():
            _replace(PAGE, _with_table(PAGE.read_text(), subject_name, whole))
    path.with_suffix(".lock").unlink(missing_ok=True)


def _told(result: Result) -> dict[str, Any]:
    finished = result.last("run_finished")
    findings = [e["data"]["cause"] for e in result.of("finding")]
    return {"outcome": finished["outcome"], "reached": result.status == 0, "cause": findings[-1] if findings else None,
            "ttd": _seconds(finished.get("ttd")), "ttm": _seconds(finished.get("ttm")),
            "version": result.last("run_started")["version"], "date": datetime.now(UTC).date().isoformat()}


def _with_table(page: str, subject_name: str, whole: dict[str, Any]) -> str:
    begin, end = BEGIN.format(subject_name), END.format(subject_name)
    if begin not in page or end not in page:
        return page
    head, rest = page.split(begin, 1)
    return head + begin + "\n" + table(subject_name, whole) + end + rest.split(end, 1)[1]


def table(subject_name: str, whole: dict[str, Any]) -> str:
    found = subject.load(subject_name)
    rows = ["| scenario | difficulty | right is | known repair | TTD | TTM | rehearsal | it named | TTD | TTM |",
            "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"]
    for name in scenario.names(found.folder):
        play = scenario.load(found, name)
        known, brain = (whole.get(SECTIONS[kind], {}).get(name, {}) for kind in ("known", "rehearsal"))
        rows.append(f"| `{name}` | {play.difficulty} | {play.outcome} | {_mark(known)} | {_time(known, 'ttd')} | "
                    f"{_time(known, 'ttm')} | {_mark(brain)} | {brain.get('cause') or '-'} | {_time(brain, 'ttd')} | "
                    f"{_time(brain, 'ttm')} |")
    return "\n".join(rows) + "\n"


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
