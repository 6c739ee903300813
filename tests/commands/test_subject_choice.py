"""The subject that `run` takes where none is named, and what is said before anything is pulled."""

import io
import sys
from collections.abc import Callable
from typing import Any

import click
import pytest

from operator_demo import subject as subjects
from operator_demo.commands import output
from operator_demo.commands.subject_choice import agree_to_pull, choose_subject, size_to_pull
from operator_demo.stage.environment import Environment

SIZE = "about 1.0 GB"
TIKV_IMAGES = ["pingcap/pd:v8.5.7", "pingcap/tikv:v8.5.7", "prom/prometheus:v2.53.3"]
ENGINE: Any = None  # nobody asks it: what is missing is given


@pytest.fixture
def missing(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def set_missing(*images: str) -> None:
        monkeypatch.setattr(Environment, "images_to_pull", lambda _: list(images))

    return set_missing


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """On a terminal, with this typed into it."""
    def type_in(text: str) -> None:
        monkeypatch.setattr(output, "on_terminal", lambda: True)
        monkeypatch.setattr(sys, "stdin", io.StringIO(text))

    return type_in


@pytest.fixture
def not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "on_terminal", lambda: False)


def test_tikv_is_taken_where_its_images_are(missing: Callable[..., None], typed: Callable[[str], None]) -> None:
    missing()
    typed("")
    assert choose_subject(ENGINE)[0].subject.name == "tikv"


def test_without_a_terminal_it_is_etcd_and_tikv_is_offered_with_its_size(
        missing: Callable[..., None], not_asked: None) -> None:
    missing(*TIKV_IMAGES)
    found, why = choose_subject(ENGINE)
    assert found.subject.name == "etcd"
    assert f"`operator-demo run tikv` pulls {SIZE}" in why


@pytest.mark.parametrize(("answer", "name"), [("\n", "etcd"), ("etcd\n", "etcd"), ("tikv\n", "tikv")])
def test_on_a_terminal_the_user_chooses(answer: str, name: str, missing: Callable[..., None],
                                        typed: Callable[[str], None], capsys: pytest.CaptureFixture[str]) -> None:
    missing(*TIKV_IMAGES)
    typed(answer)
    assert choose_subject(ENGINE)[0].subject.name == name
    assert f"{SIZE} to pull" in capsys.readouterr().out


def test_nobody_is_asked_what_an_attached_run_is(missing: Callable[..., None], typed: Callable[[str], None]) -> None:
    missing(*TIKV_IMAGES)
    typed("tikv\n")
    assert choose_subject(ENGINE, may_ask=False)[0].subject.name == "etcd"


def environment(name: str = "tikv") -> Environment:
    return Environment(ENGINE, f"demo-{name}", subjects.load(name))


def test_nothing_is_said_where_nothing_is_missing(missing: Callable[..., None], typed: Callable[[str], None],
                                                  capfd: pytest.CaptureFixture[str]) -> None:
    missing()
    typed("n\n")
    agree_to_pull(environment())
    assert capfd.readouterr() == ("", "")


def test_without_a_terminal_the_pull_is_announced_and_begins(missing: Callable[..., None], not_asked: None,
                                                             capfd: pytest.CaptureFixture[str]) -> None:
    missing(TIKV_IMAGES[0])
    agree_to_pull(environment())
    told = capfd.readouterr().err
    assert TIKV_IMAGES[0] in told and TIKV_IMAGES[1] not in told
    assert SIZE in told


def test_on_a_terminal_a_pull_can_be_refused(missing: Callable[..., None], typed: Callable[[str], None]) -> None:
    missing(*TIKV_IMAGES)
    typed("y\n")
    agree_to_pull(environment())
    typed("n\n")
    with pytest.raises(click.Abort):
        agree_to_pull(environment())


def test_what_tikv_needs_has_a_source_and_a_date() -> None:
    needs = subjects.load("tikv").subject.needs  # type: ignore[attr-defined]
    assert "2026" in needs.source
    assert size_to_pull(subjects.load("etcd").subject) == "unknown"


def test_a_run_says_what_it_will_pull_before_it_asks_the_registry(
        operator_demo: Callable[..., Any], fake_engine: Any) -> None:
    done = operator_demo("--host", fake_engine.url, "run", "tikv", "--auto", "--display", "quiet", "--model",
                         "rehearsal")
    assert done.status == 3
    assert f"to be pulled: {', '.join(TIKV_IMAGES)}. Size of all images of tikv: {SIZE}." in done.err


def test_only_what_is_not_there_is_to_be_pulled(operator_demo: Callable[..., Any], fake_engine: Any) -> None:
    fake_engine.answers["/images/pingcap/pd:v8.5.7/json"] = (200, {"Id": "sha256:1"})
    done = operator_demo("--host", fake_engine.url, "run", "tikv", "--auto", "--display", "quiet", "--model",
                         "rehearsal")
    assert f"to be pulled: {', '.join(TIKV_IMAGES[1:])}." in done.err
