"""`run --load NAME`: a service of the subject that makes load besides the program's own."""

from collections.abc import Callable
from typing import Any

import pytest
from fakes import FakeEnvironment

from operator_demo import subject as subjects
from operator_demo.errors import UsageError
from operator_demo.stage.environment import Environment

ENGINE: Any = None  # nothing is asked of it


def environment(name: str) -> Environment:
    return Environment(ENGINE, f"demo-{name}", subjects.load(name))


def test_the_service_is_one_of_the_project_only_if_asked_for() -> None:
    tikv = environment("tikv")
    before = set(tikv.subject_project().services)
    tikv.add_load("ycsb")
    project = tikv.subject_project(variables={"OPERATOR_RATE": "60"})
    assert set(project.services) - before == {"ycsb"}
    assert project.services["ycsb"].environment["RATE"] == "60"
    assert not tikv.without_load, "the program's own load is made too"


@pytest.mark.parametrize(("subject", "name", "hint"), [
    ("tikv", "ycbs", "It has ycsb."),
    ("tikv", "tikv0", "It has ycsb."),
    ("etcd", "ycsb", "It has none; leave out --load."),
])
def test_another_name_is_refused_and_told_what_there_is(subject: str, name: str, hint: str) -> None:
    with pytest.raises(UsageError, match=name) as refused:
        environment(subject).add_load(name)
    assert refused.value.hint == hint
    assert refused.value.exit_status == 2


@pytest.mark.parametrize("added", ["", "ycsb"])
def test_the_run_says_that_another_makes_load_too(added: str, make_run: Callable[..., Any],
                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeEnvironment, "added_load", added)
    run = make_run()
    assert run.stage.perform() == 0
    assert any("makes load too" in note["text"] for note in run.display.of("note")) == bool(added)
