"""Whatever a subject's own code raises or returns, who asks it gets an answer that can be recorded."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import pytest

from operator_demo.guarded_subject import GuardedSubject
from operator_demo.subject import Check, Invariant, KeyValue, Load, Member, MembersNow, Observation, Shown, Violation

MEMBERS = [Member("a", "p-a-1", "running", "10.0.0.1"), Member("b", "p-b-1", "exited", None, 1)]


class FakeSubject:
    name, title, members, quorum = "fake", "A fake", ("a", "b"), 1
    invariants: Sequence[Invariant] = ()
    load_maker = "a maker"

    def observe(self, members: Sequence[Member], deadline: float) -> Observation:
        return Observation(5.0, {m.name: {"reachable": True, "healthy": True} for m in members}, {"leader": "a"})

    def violations(self, observation: Observation) -> list[Violation]:
        return [Violation("slow", "a", "warning", "a is slow")]

    def data_plane(self, members: Sequence[Member], deadline: float) -> Check:
        return Check("data_plane", "passed", "fine")

    def agreement(self, members: Sequence[Member], keys: Sequence[str], deadline: float) -> Check:
        return Check("agreement", "passed", "fine")

    def redundancy(self, baseline: Observation, now: Observation) -> Check:
        return Check("redundancy", "passed", "fine")

    def client(self, members: MembersNow, timeout: float) -> KeyValue:
        return FakeClient()

    def measure_load(self, members: Sequence[Member], deadline: float) -> Load | None:
        return Load(1.0, 1.0, None, None, {})


class FakeClient:
    def put(self, key: str, value: str) -> None: ...

    def get(self, key: str) -> str | None:
        return "1"

    def close(self) -> None:
        raise ZeroDivisionError("oops")


OOPS = ZeroDivisionError("oops")


def broken(method: str, outcome: Any = OOPS) -> GuardedSubject:
    """A subject of which one method raises `outcome`, or returns it."""
    def fail(*_: Any) -> Any:
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    subject = FakeSubject()
    setattr(subject, method, fail)
    return GuardedSubject(subject)


def test_a_subject_without_defects_is_as_it_is() -> None:
    subject = GuardedSubject(FakeSubject())
    observation = subject.observe(MEMBERS, 1.0)
    assert (observation.ts, observation.failure, observation.cluster) == (5.0, "", {"leader": "a"})
    assert observation.members["b"]["state"] == "exited", "what the engine tells is there in any case"
    assert observation.members["b"]["healthy"] is True
    assert [v.key for v in subject.violations(observation)] == ["slow:a"]
    assert subject.redundancy(observation, observation) == Check("redundancy", "passed", "fine")
    assert subject.measure_load(MEMBERS, 1.0) == Load(1.0, 1.0, None, None, {})


@pytest.mark.parametrize("outcome", [
    ZeroDivisionError("oops"), None, Observation(0.0, {}, {}), Observation(0.0, {"a": {}, "b": None}, {}),  # type: ignore[dict-item]
    Observation(0.0, {"a": {}, "b": {"x": object()}}, {}), Observation(float("nan"), {"a": {}, "b": {}}, {}),
    Observation(0.0, {"a": {}, "b": {}}, None)])  # type: ignore[arg-type]
def test_a_defect_of_observe_is_a_violation_and_nobody_is_healthy(outcome: Any) -> None:
    subject = broken("observe", outcome)
    observation = subject.observe(MEMBERS, 1.0)
    assert not any(m["healthy"] or m["reachable"] for m in observation.members.values())
    (violation,) = subject.violations(observation)
    assert (violation.key, violation.severity) == ("subject_defect", "critical")
    assert "fake.observe failed" in violation.text
    json.dumps(asdict(observation), allow_nan=False)


@pytest.mark.parametrize("outcome", [ZeroDivisionError("oops"), None, ["x"],
                                     [Violation("slow", "a", "warning", object())]])  # type: ignore[arg-type]
def test_a_defect_of_violations_is_a_violation(outcome: Any) -> None:
    subject = broken("violations", outcome)
    (violation,) = subject.violations(subject.observe(MEMBERS, 1.0))
    assert violation.key == "subject_defect"
    assert "fake.violations failed" in violation.text


def test_the_place_in_the_code_is_told() -> None:
    (violation,) = broken("violations").violations(Observation(0.0, {}, {}))
    assert "ZeroDivisionError: oops" in violation.text
    assert "test_guarded_subject.py, line" in violation.text


@pytest.mark.parametrize("outcome", [ZeroDivisionError("oops"), None])
@pytest.mark.parametrize("name", ["data_plane", "agreement", "redundancy"])
def test_a_defect_of_a_check_is_unknown_and_says_so(name: str, outcome: Any) -> None:
    subject = broken(name, outcome)
    arguments = {"redundancy": (Observation(0.0, {}, {}),) * 2, "agreement": (MEMBERS, [], 1.0)}
    check = getattr(subject, name)(*arguments.get(name, (MEMBERS, 1.0)))
    assert (check.name, check.status) == (name, "unknown")
    assert f"fake.{name} failed" in check.saw


@pytest.mark.parametrize("outcome", [ZeroDivisionError("oops"), "much", Load(float("nan"), 1.0, None, None, {})])
def test_a_defect_of_measure_load_is_a_load_that_fails(outcome: Any) -> None:
    load = broken("measure_load", outcome).measure_load(MEMBERS, 1.0)
    assert load is not None
    ((kind, count),) = load.errors.items()
    assert (load.reads, load.writes, count) == (0.0, 0.0, 1.0)
    assert "fake.measure_load failed" in kind


def test_a_client_can_always_be_closed_and_its_other_errors_are_the_callers() -> None:
    client = GuardedSubject(FakeSubject()).client(lambda: MEMBERS, 1.0)
    assert client.get("k") == "1"
    client.close()
    with pytest.raises(ZeroDivisionError):
        broken("client").client(lambda: MEMBERS, 1.0)


@pytest.mark.parametrize("missing", ["load_maker", "measure_load"])
def test_what_a_subject_can_do_is_asked_of_the_subject(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (GuardedSubject(FakeSubject()).has_client, GuardedSubject(FakeSubject()).load_maker) == (True, "a maker")
    monkeypatch.delattr(FakeSubject, missing)
    assert GuardedSubject(FakeSubject()).load_maker is None


def test_members_are_drawn_together_unless_the_subject_says_otherwise() -> None:
    subject = GuardedSubject(FakeSubject())
    assert [tuple(group.members) for group in subject.groups] == [tuple(subject.members)]
    assert subject.show(Observation(0.0, {}, {})) == Shown({})


def test_a_defect_of_show_is_told_in_the_picture() -> None:
    class Drawn(FakeSubject):
        groups = ()

        def show(self, observation: Observation) -> Shown:
            raise ValueError("no figures")

    (line,) = GuardedSubject(Drawn()).show(Observation(0.0, {}, {})).lines
    assert "show failed: ValueError: no figures" in line
