"""A campaign is data: which subjects, scenarios and models, and how often."""

import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from operator_demo import subject as subjects
from operator_demo.chaos import scenario as scenarios
from operator_demo.chaos.scenario import Scenario
from operator_demo.document import Document, Value, read
from operator_demo.errors import UsageError
from operator_demo.outcomes import REPAIRED
from operator_demo.own_variables import foreign_environment
from operator_demo.trust import Agree, refuse_unknown

NO_AGENT = "none"
CONTROL = "quiet"  # the scenario in which nothing is broken and the right outcome is `no_action`
_KEYS = ("subjects", "models", "trials", "parallel", "baseline", "control", "options", "limit")
_CORES_A_RUN = 2  # for a cluster, its load and its monitor; with fewer, runs disturb each other
_HINT = "docs/score.md shows a campaign."


@dataclass(frozen=True)
class Trial:
    """One run. The same subject, scenario and `number` give the same `seed`, so that all models get the same fault."""

    subject: str
    scenario: str
    model: str
    number: int

    @property
    def name(self) -> str:
        return f"{self.subject}/{self.scenario}/{self.model}/{self.number}"

    @property
    def seed(self) -> int:
        return int.from_bytes(self._digest(f"{self.subject}/{self.scenario}/{self.number}")[:4], "big") % 2**31

    @property
    def project(self) -> str:
        """A project of its own on the engine."""
        return f"eval-{self._digest(self.name).hex()[:10]}"

    @staticmethod
    def _digest(text: str) -> bytes:
        return hashlib.sha256(text.encode()).digest()


@dataclass(frozen=True)
class Campaign:
    """`parallel` runs at a time; `options` go to every run; `limit` is the maximum seconds of a run; `host` is the
    engine's address, None for the one that the docker CLI uses."""

    trials: Sequence[Trial]
    parallel: int
    options: Sequence[str]
    limit: float
    host: str | None = None


def load(file: Path, agree: Agree = refuse_unknown) -> Campaign:
    """See `subject.load` for `agree`. Raises `UsageError` with file, line and key for a mistake."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, ValueError) as e:
        raise UsageError(f"cannot read {file}: {e}") from e
    root = read(text, Document(str(file), foreign_environment(os.environ), hint=_HINT))
    top = root.map(_KEYS)
    for key in ("subjects", "models"):
        if key not in top:
            root.fail(f"{key} is missing", _HINT)

    def integer(key: str, default: int) -> int:
        return top[key].integer(1) if key in top else default

    def flag(key: str) -> bool:
        return top[key].boolean() if key in top else True

    models = list(dict.fromkeys(v.parsed(_model) for v in top["models"].sequence()))
    baseline, numbers = flag("baseline"), range(1, integer("trials", 3) + 1)
    trials = [Trial(subject, play.name, model, number)
              for subject, plays in _plays(top["subjects"], flag("control"), agree).items() for play in plays
              for model in (*models, *([NO_AGENT] if baseline and play.outcome == REPAIRED else []))
              for number in numbers]
    return Campaign(trials, integer("parallel", max(1, (os.cpu_count() or 1) // _CORES_A_RUN)),
                    top["options"].texts() if "options" in top else [], float(integer("limit", 900)))


def _plays(value: Value, control: bool, agree: Agree) -> dict[str, list[Scenario]]:
    """The scenarios of each subject; `all` means all except `by-hand`."""
    plays = {}
    for name, chosen in value.map().items():
        found = subjects.load(name, agree)
        known = [s for s in scenarios.known(found) if s != scenarios.BY_HAND]
        names = known if not chosen.is_list and chosen.text() == "all" else [v.one_of(known) for v in chosen.sequence()]
        names += [CONTROL] if control and CONTROL in known else []
        plays[name] = [scenarios.load(found, s) for s in dict.fromkeys(names)]
    return plays


def _model(text: str) -> str:
    if not re.fullmatch(r"[\w.:-]{1,100}", text, re.ASCII) or text in ("auto", NO_AGENT):
        raise ValueError("rehearsal or the id of a model is expected here")
    return text
