from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from agent_bench import Bench
from fake_messages import FakeMessages, Reply

from operator_demo.agent import request


@pytest.fixture
def make_bench(tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    made: list[Bench] = []

    def make(**arguments: Any) -> Bench:
        made.append(Bench(tmp_path, **arguments))
        return made[-1]

    yield make
    for bench in made:
        bench.close()


@pytest.fixture
def bench(make_bench: Callable[..., Bench]) -> Bench:
    return make_bench()


@pytest.fixture
def fake() -> Iterator[Callable[..., FakeMessages]]:
    made: list[FakeMessages] = []

    def make(*replies: Reply, endless: bool = False) -> FakeMessages:
        made.append(FakeMessages(*replies, endless=endless))
        return made[-1]

    yield make
    for server in made:
        server.close()


@pytest.fixture
def short_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request, "_FIRST_DELAY", 0.02)
