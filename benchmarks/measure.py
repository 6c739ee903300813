"""A row of the table, the arithmetic behind it, and what all benchmarks share."""

import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "operator-demo"


class Unavailable(Exception):
    """Cannot be measured on this machine; the text says why."""


@dataclass(frozen=True)
class Row:
    """One line of the table. `ours` and `theirs` are samples in `unit`, taken in turns so that both saw the same
    machine; `theirs` is empty where there is nothing to compare with.

    With `against_theirs` the target bounds the ratio ours / theirs (of the medians), else our median itself;
    `at_least` turns the bound round.
    """

    work: str
    against: str
    unit: str
    ours: Sequence[float]
    theirs: Sequence[float]
    target: float
    against_theirs: bool = True
    at_least: bool = False
    remark: str = ""

    @property
    def median(self) -> float:
        return median(self.ours)

    @property
    def base(self) -> float | None:
        return median(self.theirs) if self.theirs else None

    @property
    def ratio(self) -> float | None:
        return self.median / self.base if self.base else None

    @property
    def ratios(self) -> Sequence[float]:
        """Of each pair of samples; what the machine did to both falls out. Empty where they are no pairs."""
        if len(self.ours) != len(self.theirs):
            return []
        return [a / b for a, b in zip(self.ours, self.theirs, strict=True) if b]

    @property
    def met(self) -> bool:
        judged = self.ratio if self.against_theirs else self.median
        if judged is None:
            return False
        return judged >= self.target if self.at_least else judged <= self.target


def quantile(samples: Sequence[float], q: float) -> float:
    """The smallest sample that at least the share `q` of them do not exceed."""
    return sorted(samples)[max(0, math.ceil(q * len(samples)) - 1)]


def spread(samples: Sequence[float]) -> tuple[float, float]:
    """Where eight in ten samples lie."""
    return quantile(samples, 0.1), quantile(samples, 0.9)


Benchmark = Callable[[], list[Row]]
"""Measures and cleans up all that it started, also when it fails or is interrupted. Raises `Unavailable`."""


def say(text: str) -> None:
    """Progress, for a person who waits."""
    print(text, file=sys.stderr, flush=True)
