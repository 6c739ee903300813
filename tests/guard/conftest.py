"""Guards that end with their test."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from running_guard import Guard


@pytest.fixture
def make_guard(tmp_path: Path) -> Iterator[Callable[..., Guard]]:
    """Makes a guard in front of the engine's socket at a path."""
    guards: list[Guard] = []

    def make(engine: Path, rate: float = 1e6, **more: Any) -> Guard:
        guards.append(Guard(tmp_path, engine, rate=rate, **more))
        return guards[-1]

    yield make
    for guard in guards:
        guard.stop()
