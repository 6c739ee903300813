"""What `run` refuses before it does anything."""

from collections.abc import Callable
from typing import Any

import pytest


@pytest.mark.parametrize("option", [("--keep-data",), ("--load", "ycsb")], ids=" ".join)
def test_what_belongs_to_the_beginning_of_a_run_is_refused_with_attach(
        option: tuple[str, ...], operator_demo: Callable[..., Any]) -> None:
    done = operator_demo("run", "tikv", "--attach", *option)
    assert done.status == 2
    assert f"Leave out {option[0]}." in done.err


def test_a_load_that_the_subject_has_not(operator_demo: Callable[..., Any], fake_engine: Any) -> None:
    done = operator_demo("--host", fake_engine.url, "run", "tikv", "--load", "sysbench", "--model", "rehearsal")
    assert done.status == 2
    assert "tikv has no service 'sysbench' that makes load." in done.err
    assert "It has ycsb." in done.err
