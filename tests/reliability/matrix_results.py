"""What the crash matrix has shown, case by case: .build/reliability.json, and the table in docs/reliability.md.

The page is written only where OPERATOR_WRITE_PROVEN is set. With OPERATOR_RESUME set, a case that has passed with the
same built file is not run again.
"""

import fcntl
import hashlib
import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from presenter import FILE

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / ".build" / "reliability.json"
PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- crash matrix: begin -->", "<!-- crash matrix: end -->"
HEAD = "| cause | chapter | what follows | result | seconds | commit, date |\n| --- | --- | --- | --- | --- | --- |\n"

Results = dict[str, dict[str, Any]]  # by name of the case


@dataclass(frozen=True)
class Build:
    """`file` is the start of its checksum, `commit` what `--version` says of its origin."""

    file: str
    commit: str


def build(file: Path = FILE) -> Build:
    version = subprocess.run([file, "--version"], capture_output=True, text=True, check=True).stdout
    origin = re.search(r"\(commit (.+)\)", version)
    assert origin, version
    return Build(hashlib.sha256(file.read_bytes()).hexdigest()[:12], origin[1])


def has_passed(name: str, tested: Build, results: Path = RESULTS) -> bool:
    """Is the case done, so that a resumed run need not repeat it?"""
    result = read(results).get(name, {})
    return bool(os.environ.get("OPERATOR_RESUME")) and result.get("file") == tested.file \
        and result.get("outcome") == "passed"


@contextmanager
def noted(cause: str, chapter: str, promise: str, tested: Build) -> Iterator[None]:
    """Notes how the case inside went."""
    began, outcome = time.monotonic(), "failed"
    try:
        yield
        outcome = "passed"
    finally:
        result = {"cause": cause, "chapter": chapter, "promise": promise, "outcome": outcome, **asdict(tested),
                  "date": datetime.now(UTC).date().isoformat(), "seconds": round(time.monotonic() - began)}
        note(f"{cause} / {chapter}", result)


def note(name: str, result: dict[str, Any], results: Path = RESULTS, page: Path = PAGE) -> None:
    results.parent.mkdir(exist_ok=True)
    with results.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        known = read(results) | {name: result}
        results.write_text(json.dumps(known, indent=1) + "\n")
        if os.environ.get("OPERATOR_WRITE_PROVEN"):
            before, rest = page.read_text().split(BEGIN, 1)
            page.write_text(f"{before}{BEGIN}\n{table(known)}{END}{rest.split(END, 1)[1]}")


def read(results: Path) -> Results:
    try:
        return json.loads(results.read_text())
    except FileNotFoundError:
        return {}


def table(known: Results) -> str:
    rows = [f"| {r['cause']} | {r['chapter']} | {r['promise']} | {r['outcome']} | {r['seconds']} | {r['commit']}, "
            f"{r['date']} |\n" for _, r in sorted(known.items())]
    return HEAD + "".join(rows)
