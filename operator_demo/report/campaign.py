"""A campaign as one page: its table with the intervals, and each run with a link to a page of its own."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from operator_demo.errors import OperatorError
from operator_demo.evaluation.campaign import NO_AGENT
from operator_demo.evaluation.table import HEADS, cells, rows
from operator_demo.events import Score
from operator_demo.outcomes import FAILED
from operator_demo.redaction import Scrubber
from operator_demo.report.digest import HEADLINES, digest
from operator_demo.report.page import campaign_page, run_page
from operator_demo.report.source import Recorded, from_store
from operator_demo.screen.quantities import seconds
from operator_demo.screen.scorecard import scorecard
from operator_demo.screen.terminal_text import UNICODE

Json = dict[str, Any]


def pages(name: str, results: Sequence[Json], homes: Mapping[str, Path], folder: str,
          secrets: Sequence[str]) -> tuple[str, dict[str, str]]:
    """The page of the campaign, and those of its runs by the name of the file in `folder`. `homes` are the homes of
    the runs, by the name of the trial; one whose record cannot be read gets no page."""
    runs: list[Json] = []
    written: dict[str, str] = {}
    for result in sorted(results, key=lambda result: str(result["trial"])):
        recorded = _recorded(homes[result["trial"]])
        run = _run(result)
        if recorded is not None:
            run["page"] = f"run-{len(runs) + 1}.html"
            written[run["page"]] = run_page(digest(recorded, secrets))
        runs.append(run)
    told = {"kind": "campaign", "title": f"Campaign {name}", "folder": folder, "heads": [_head(name) for name in HEADS],
            "rows": [_row(row) for row in rows(results)], "runs": runs}
    return campaign_page(Scrubber(secrets).deep(told)), written


def _head(name: str) -> str:
    return name if name in ("TTD", "TTM") else name.capitalize()


def _recorded(home: Path) -> Recorded | None:
    try:
        return from_store(home / "tickets.db", "last")
    except OperatorError:
        return None


def _row(row: Json) -> Json:
    baseline = row["model"] == NO_AGENT
    tone = "dim" if baseline else "good" if row["reached"] == row["trials"] else "warn" if row["reached"] else "bad"
    return {"cells": list(cells(row)), "rate": row["rate"], "low": row["low"], "high": row["high"], "tone": tone}


def _run(result: Json) -> Json:
    outcome = result["outcome"] or FAILED
    words, tone = HEADLINES.get(outcome, (outcome, "warn"))
    score = Score.of(result["score"]) if result["score"] else None
    return {"trial": result["trial"], "words": words, "reached": bool(result["reached"]), "page": None,
            "tone": "dim" if result["model"] == NO_AGENT else "good" if result["reached"] else "bad", "outcome": tone,
            "ttd": seconds(score.ttd if score else None), "ttm": seconds(score.ttm if score else None),
            "score": [list(row) for row in scorecard(score, UNICODE)] if score else [],
            "output": result.get("words", "")}
