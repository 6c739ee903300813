"""What the guard itself asks the engine."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_engine import FakeEngine, Received
from http_socket import Handler

from operator_demo.guard.upstream import EngineGone, Upstream


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[FakeEngine]:
    made = FakeEngine(tmp_path / "engine.sock")
    yield made
    made.close()


def get(engine: FakeEngine) -> Any:
    return asyncio.run(Upstream(engine.path).get(("networks", "2")))


def test_an_answer_is_decoded(engine: FakeEngine) -> None:
    engine.says({"Id": "x"})
    assert get(engine) == {"Id": "x"}


@pytest.mark.parametrize("status", [404, 400])
def test_there_is_no_such_object(engine: FakeEngine, status: int) -> None:
    """Docker answers 400 to a name that is none, and to the beginning of several ids."""
    engine.says({"message": "2 matches found based on ID prefix: network 2 is ambiguous"}, status)
    assert get(engine) is None


def test_it_knows_in_which_version_of_its_api_the_engine_answers(engine: FakeEngine) -> None:
    def answer(handler: Handler, request: Received) -> None:
        handler.answer({"Id": "x"}, more={"Api-Version": "1.41"})

    engine.answer = answer
    upstream = Upstream(engine.path)
    versions = ("", "1.41", "1.40")
    assert [upstream.is_newest(version) for version in versions] == [True, False, False]
    asyncio.run(upstream.get(("networks", "2")))
    assert [upstream.is_newest(version) for version in versions] == [True, True, False]


@pytest.mark.parametrize("status", [500, 503, 301])
def test_any_other_answer_is_no_answer(engine: FakeEngine, status: int) -> None:
    engine.says({"message": "out of order"}, status)
    with pytest.raises(EngineGone, match=str(status)):
        get(engine)
