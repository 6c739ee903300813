from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fakes import FakeFault, Run

from operator_demo.chaos import helper
from operator_demo.chaos.faults import FAULTS
from operator_demo.stage import chapters, presses


@pytest.fixture
def make_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Run]]:
    """Builds a run on a cluster of its own, with a fault that breaks that."""
    runs: list[Run] = []

    def make(**how: Any) -> Run:
        run = Run(tmp_path, **how)
        runs.append(run)
        monkeypatch.setitem(FAULTS, "fake", FakeFault(run.cluster))
        return run

    monkeypatch.setattr(chapters, "COUNTDOWN", 0)
    monkeypatch.setattr(chapters, "DWELL", 0.3)
    monkeypatch.setattr(chapters, "AIM", 0.0)
    monkeypatch.setattr(presses, "STEP", 0.0)
    monkeypatch.setattr(presses, "REPEAT", 0.0)
    monkeypatch.setattr(helper, "sweep", lambda ground: None)
    monkeypatch.setattr(helper, "usable_image", lambda engine, *wanted: "image")
    yield make
    for run in runs:
        run.store.close()
