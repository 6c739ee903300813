"""The table of a campaign: one row for each subject, scenario and model."""

import math
from collections.abc import Iterable, Sequence
from statistics import median
from typing import Any

from operator_demo.evaluation.campaign import NO_AGENT
from operator_demo.events import Score
from operator_demo.screen.quantities import amount, money, seconds

Row = dict[str, Any]
COLUMNS = ("subject", "scenario", "model", "trials", "reached", "rate", "low", "high", "added", "ttd", "ttm", "steps",
           "tokens", "cost_usd", "client_errors", "lost_seconds", "cause_named", "collateral")
HEADS = ("SUBJECT", "SCENARIO", "MODEL", "REACHED", "RATE (95 %)", "ADDED", "TTD", "TTM", "STEPS", "COST", "LOST S",
         "CAUSE")
_Z = 1.959964  # the normal quantile of a 95 % interval


def rows(results: Iterable[Row]) -> list[Row]:
    """`rate` with its 95 % interval (`low`, `high`); `added` is the rate above that of the same runs without an agent;
    the others are medians of the runs that have them; `cause_named` is a share, `collateral` counts runs."""
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for result in results:
        groups.setdefault((result["subject"], result["scenario"], result["model"]), []).append(result)
    table = [_row(*key, group) for key, group in sorted(groups.items())]
    without_agent = {(r["subject"], r["scenario"]): r["rate"] for r in table if r["model"] == NO_AGENT}
    for row in table:
        healed = without_agent.get((row["subject"], row["scenario"]))
        row["added"] = None if healed is None or row["model"] == NO_AGENT else row["rate"] - healed
    return table


def cells(row: Row) -> tuple[str, ...]:
    """A row of `rows` for people, under `HEADS`."""
    added = "—" if row["added"] is None else f"{100 * row['added']:+.0f} %"
    cause = "—" if row["cause_named"] is None else f"{100 * row['cause_named']:.0f} %"
    rate = f"{100 * row['rate']:.0f} % ({100 * row['low']:.0f}-{100 * row['high']:.0f})"
    return (row["subject"], row["scenario"], row["model"], f"{row['reached']}/{row['trials']}", rate, added,
            seconds(row["ttd"]), seconds(row["ttm"]), _number(row["steps"]), money(row["cost_usd"]),
            _number(row["lost_seconds"]), cause)


def _number(value: float | None) -> str:
    return "—" if value is None else amount(value)


def _row(subject: str, scenario: str, model: str, group: Sequence[Row]) -> Row:
    reached = sum(bool(r["reached"]) for r in group)
    low, high = wilson(reached, len(group))
    scores = [Score.of(r["score"]) for r in group if r["score"]]
    causes = [s.marks.cause for s in scores if s.marks.cause is not None]
    return {
        "subject": subject, "scenario": scenario, "model": model, "trials": len(group), "reached": reached,
        "rate": reached / len(group), "low": low, "high": high, "added": None,
        "ttd": _median(s.ttd for s in scores), "ttm": _median(s.ttm for s in scores),
        "steps": _median(s.work.steps for s in scores), "tokens": _median(s.work.tokens for s in scores),
        "cost_usd": _median(s.work.cost_usd for s in scores),
        "client_errors": _median(s.service.client_errors for s in scores),
        "lost_seconds": _median(s.service.lost_seconds for s in scores),
        "cause_named": sum(causes) / len(causes) if causes else None,
        "collateral": sum(bool(s.collateral) for s in scores),
    }


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """The 95 % interval of a success rate by Wilson's score (Wilson 1927, JASA 22), which stays sensible for few
    trials and for rates of 0 and 1."""
    if trials == 0:
        return 0.0, 1.0
    rate, z2 = successes / trials, _Z * _Z
    middle = (rate + z2 / (2 * trials)) / (1 + z2 / trials)
    half = _Z / (1 + z2 / trials) * math.sqrt(rate * (1 - rate) / trials + z2 / (4 * trials * trials))
    return max(0.0, middle - half), min(1.0, middle + half)


def _median(many: Iterable[float | None]) -> float | None:
    known = [value for value in many if value is not None]
    return median(known) if known else None
