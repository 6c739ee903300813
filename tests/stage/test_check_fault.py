"""Whether a fault is possible is checked before anything runs: nothing is asked that answers only later."""

from types import SimpleNamespace
from typing import Any

import pytest

from operator_demo import subject
from operator_demo.errors import OperatorError
from operator_demo.stage.environment import Environment


def test_a_surge_of_the_load_is_possible_before_there_is_a_load(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing_runs(self: Environment, op: str, **arguments: Any) -> Any:
        raise OperatorError("The monitor's container does not run.")

    monkeypatch.setattr(Environment, "ask", nothing_runs)
    environment = Environment(SimpleNamespace(id="engine"), "demo", subject.load("etcd"))  # type: ignore[arg-type]
    environment.check_fault("load-surge", "image")
