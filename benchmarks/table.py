"""What was measured, for people, for programs and for the documentation."""

import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.measure import FILE, ROOT, Row, spread
from operator_demo.engine import connect
from operator_demo.errors import OperatorError

PAGE = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
HEAD = ("work", "ours", "spread", "against", "theirs", "ratio", "target", "")


@dataclass
class Report:
    """One run of the benchmarks. `rows` and `skipped` (the reason) by the benchmark's name."""

    machine: Mapping[str, Any]
    date: str
    rows: dict[str, list[Row]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)

    def cells(self) -> list[tuple[str, ...]]:
        """The table's body."""
        rows = [_cells(row) for found in self.rows.values() for row in found]
        return rows + [(name, "", "", "", "", "", "", f"not measured: {why}") for name, why in self.skipped.items()]

    def remarks(self) -> list[str]:
        return [f"{row.work}: {row.remark}" for found in self.rows.values() for row in found if row.remark]

    @property
    def heading(self) -> str:
        m = self.machine
        return (f"{self.date}, {m['cpus']} CPUs ({m['cpu']}), {m['memory_gb']} GB, {m['system']}, "
                f"Python {m['python']}, Docker {m['docker']}, load {m['load']} at the start. "
                f"operator-demo {m['operator_demo']}.")


def new_report() -> Report:
    return Report(_machine(), datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"))


def text(report: Report) -> str:
    body = [HEAD, *report.cells()]
    widths = [max(len(row[n]) for row in body) for n in range(len(HEAD))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in body]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join([report.heading, "", *lines, "", *report.remarks()]).rstrip() + "\n"


def as_json(report: Report) -> str:
    rows = [_described(name, row) for name, found in report.rows.items() for row in found]
    return json.dumps({"date": report.date, "machine": report.machine, "rows": rows, "skipped": report.skipped},
                      indent=1) + "\n"


def markdown(report: Report) -> str:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    lines = [report.heading, "", line(HEAD), line(["---"] * len(HEAD)), *map(line, report.cells())]
    return "\n".join(lines + ([""] if report.remarks() else []) + [f"- {r}" for r in report.remarks()]) + "\n"


def write_page(report: Report, page: Path = PAGE) -> None:
    """Puts the table in the place of the last one."""
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise OperatorError(f"{page} lacks the lines {BEGIN} and {END}.")
    page.write_text(f"{before}{BEGIN}\n{markdown(report)}{END}{after}", encoding="utf-8")


def _cells(row: Row) -> tuple[str, ...]:
    unit, ratio = f" {row.unit}", "" if row.ratio is None else f"{_figure(row.ratio)}x"
    bound = "≥" if row.at_least else "≤"
    spreads = "" if len(row.ours) < 2 else " to ".join(_figure(s) for s in spread(row.ours))
    return (row.work, _figure(row.median) + unit, spreads, row.against,
            "" if row.base is None else _figure(row.base) + unit, ratio,
            f"{bound} {_figure(row.target)}{'x' if row.against_theirs else unit}", "met" if row.met else "MISSED")


def _figure(value: float) -> str:
    """Three digits, or all of a greater number."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _described(name: str, row: Row) -> dict[str, Any]:
    ratios = row.ratios
    return {
        "benchmark": name, "work": row.work, "against": row.against, "unit": row.unit,
        "ours": list(row.ours), "theirs": list(row.theirs), "median": row.median, "median_theirs": row.base,
        "spread": spread(row.ours), "spread_theirs": spread(row.theirs) if row.theirs else None,
        "ratio": row.ratio, "ratio_spread": spread(ratios) if ratios else None,
        "ratio_of_pairs": median(ratios) if ratios else None,
        "target": row.target, "target_is": "ratio" if row.against_theirs else "value",
        "bound": "at least" if row.at_least else "at most", "met": row.met, "remark": row.remark,
    }


# -- the machine -----------------------------------------------------------------------------------------------------


def _machine() -> dict[str, Any]:
    return {
        "cpus": os.cpu_count(), "cpu": _first(r"model name\s*: (.*)", Path("/proc/cpuinfo")) or platform.machine(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "system": _first(r'PRETTY_NAME="(.*)"', Path("/etc/os-release")) or platform.platform(),
        "kernel": platform.release(), "python": platform.python_version(), "docker": _engine_version(),
        "load": f"{os.getloadavg()[0]:.1f}", "operator_demo": _our_version(), "command": " ".join(sys.argv[1:]),
    }


def _first(pattern: str, path: Path) -> str:
    try:
        found = re.search(pattern, path.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return ""
    return found[1] if found else ""


def _engine_version() -> str:
    try:
        engine = connect()
    except OperatorError:
        return "none"
    try:
        return engine.version
    finally:
        engine.close()


def _our_version() -> str:
    return subprocess.run([FILE, "--version"], capture_output=True, text=True,
                          check=True).stdout.strip().removeprefix("operator-demo ")
