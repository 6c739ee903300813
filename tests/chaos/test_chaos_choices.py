"""Which members are hit, with which numbers, and what is kept on the disk: everything that needs no engine."""

import math
import random
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import click
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operator_demo.chaos import journal as journal_module
from operator_demo.chaos import targets
from operator_demo.chaos.faults import FAULTS
from operator_demo.chaos.journal import (
    INJECTED,
    INJECTING,
    REVERTED,
    FaultJournal,
    Record,
    projects_with_faults,
)
from operator_demo.chaos.spec import parse_parameters
from operator_demo.commands.chaos import seconds
from operator_demo.errors import OperatorError
from operator_demo.subject import Subject

MEMBERS = ("m0", "m1", "m2", "m3", "m4")
ALIKE = cast(Subject, SimpleNamespace(members=MEMBERS))
KIND_OF = {"m0": "brain", "m1": "brain", "m2": "store", "m3": "store", "m4": "gauge"}
ROLES = st.dictionaries(st.sampled_from(MEMBERS), st.sampled_from(["leader", "follower"]))
KINDS = st.sampled_from(sorted(FAULTS))


@given(st.sampled_from(["random", "leader", "follower", *MEMBERS]), st.integers(0, 6), ROLES, st.integers())
def test_a_choice_fits_or_is_refused(target: str, count: int, roles: dict[str, str], seed: int) -> None:
    fitting = [m for m in roles if target in ("random", roles[m])]
    possible = count == 1 if target in MEMBERS else 1 <= count <= (min(len(fitting), 1) if target == "leader" else
                                                                   len(fitting) if target == "random" else
                                                                   min(len(fitting), len(MEMBERS) - 1))
    if not possible:
        with pytest.raises(ValueError, match=r"."):
            targets.choose(target, count, roles, ALIKE, random.Random(seed))
        return
    chosen = targets.choose(target, count, roles, ALIKE, random.Random(seed))
    assert chosen == targets.choose(target, count, roles, ALIKE, random.Random(seed))  # the same seed, the same ones
    assert chosen == sorted(set(chosen), key=MEMBERS.index)
    assert len(chosen) == count
    assert chosen == [target] if target in MEMBERS else all(target in ("random", roles[m]) for m in chosen)


@given(st.integers(1, 5), ROLES)
def test_every_member_can_be_hit(count: int, roles: dict[str, str]) -> None:
    if len(roles) < count:
        return
    hit = {m for seed in range(200) for m in targets.choose("random", count, roles, ALIKE, random.Random(seed))}
    assert hit == set(roles)


@given(st.lists(st.sampled_from([*MEMBERS, "random", "m9"])), st.integers(0, 6))
def test_a_list_names_members_once(named: list[str], count: int) -> None:
    good = 0 < len(named) == len(set(named)) and set(named) <= set(MEMBERS) and count in (1, len(named))
    try:
        chosen = targets.choose(named, count, {}, ALIKE, random.Random(0))
    except ValueError:
        assert not good
    else:
        assert good
        assert set(chosen) == set(named)


def of_kinds(spared: Sequence[str] = ("gauge",), kinds: Mapping[str, str] = KIND_OF) -> Subject:
    return cast(Subject, SimpleNamespace(members=MEMBERS, kinds=kinds, spared=spared))


@given(st.sampled_from(["random", "leader", "follower", "brain", "store", "gauge"]), st.integers(1, 5), ROLES,
       st.integers())
def test_a_kind_is_a_target_and_chance_spares_some(target: str, count: int, roles: dict[str, str], seed: int) -> None:
    leading = {KIND_OF[m] for m, role in roles.items() if role == "leader"}
    fitting = {m for m in roles if {
        "random": KIND_OF[m] != "gauge", "leader": roles[m] == "leader" and KIND_OF[m] != "gauge",
        "follower": roles[m] == "follower" and KIND_OF[m] in leading - {"gauge"}}.get(target, KIND_OF[m] == target)}
    try:
        chosen = targets.choose(target, count, roles, of_kinds(), random.Random(seed))
    except ValueError:
        assert len(fitting) < count or (target == "leader" and count > 1)
        return
    assert len(chosen) == count
    assert set(chosen) <= fitting
    assert chosen == targets.choose(target, count, roles, of_kinds(), random.Random(seed))


def test_every_member_of_a_kind_can_be_hit_and_no_other() -> None:
    well = dict.fromkeys(MEMBERS, "follower")
    for kind in ("brain", "store", "gauge"):
        hit = {m for seed in range(50) for m in targets.choose(kind, 1, well, of_kinds(), random.Random(seed))}
        assert hit == {m for m in MEMBERS if KIND_OF[m] == kind}
    assert targets.choose("m4", 1, well, of_kinds(), random.Random(0)) == ["m4"], "who is named is not spared"


def test_a_fault_that_goes_for_one_kind_alone_chooses_by_chance_among_that() -> None:
    well = dict.fromkeys(MEMBERS, "follower")
    hit = {m for seed in range(50) for m in targets.choose("random", 1, well, of_kinds(), random.Random(seed), "store")}
    assert hit == {"m2", "m3"}


@pytest.mark.parametrize(("target", "count", "words"), [
    ("store", 3, "count must be 1 to 2 for target store, not 3"), ("disk", 1, "follower, brain, store, gauge, m0, m1"),
    (["store"], 1, "must be one of m0"), ("random", 5, "count must be 1 to 4 for target random")])
def test_what_can_never_be_met_of_a_kind_is_said(target: str | list[str], count: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        targets.check(target, count, of_kinds())


def test_too_few_of_a_kind_are_well() -> None:
    with pytest.raises(ValueError, match="1 member is a store and well now; 2 needed"):
        targets.choose("store", 2, {"m0": "leader", "m2": "follower"}, of_kinds(), random.Random(0))


@pytest.mark.parametrize(("target", "count", "words"), [
    ("leader", 2, "count must be 1 to 1 for target leader, not 2"), ("m9", 1, "must be one of random, leader,"),
    ([], 1, "empty"), (["m0", "m0"], 1, "twice"), (["random"], 1, "must be one of m0"), ("m0", 2, "names 1")])
def test_what_can_never_be_met_is_said(target: str | list[str], count: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        targets.check(target, count, ALIKE)


@given(KINDS, st.data())
def test_numbers_within_their_ranges_are_taken(kind: str, data: st.DataObject) -> None:
    parameters = FAULTS[kind].parameters
    values = {name: st.integers(math.ceil(p.least), math.floor(p.most)).map(float) if p.whole else
              st.floats(p.least, p.most) for name, p in parameters.items()}
    given_ = {name: data.draw(value) for name, value in values.items() if data.draw(st.booleans())}
    defaults = {name: p.default for name, p in parameters.items()}
    assert parse_parameters(kind, given_) == defaults | given_
    texts = {name: f"{value!r} {parameters[name].unit}" for name, value in given_.items()}
    assert parse_parameters(kind, texts) == defaults | given_


@given(KINDS, st.text(max_size=12), st.one_of(st.text(max_size=12), st.floats(), st.booleans(), st.none(),
                                              st.lists(st.integers())))
def test_anything_else_is_a_clear_error(kind: str, name: str, value: object) -> None:
    for key in (name, *FAULTS[kind].parameters):
        refused = ""
        try:
            values = parse_parameters(kind, {key: value})
        except ValueError as e:
            refused = str(e)
        if refused:
            assert f"`{key}`" in refused or repr(key) in refused
        else:
            assert FAULTS[kind].parameters[key].least <= values[key] <= FAULTS[kind].parameters[key].most


def test_a_number_out_of_its_range_is_told_with_the_range() -> None:
    with pytest.raises(ValueError, match=r"parameter `loss` is 1 to 100 %, not 300"):
        parse_parameters("loss", {"loss": 300})
    with pytest.raises(ValueError, match=r"a whole number from 1000 to 1000000 bytes, not 2000\.5"):
        parse_parameters("wal-cut", {"keep": 2000.5})
    with pytest.raises(ValueError, match=r"there is no fault 'melt' \(known: kill, "):
        parse_parameters("melt", {})


@pytest.mark.parametrize(("text", "wanted"), [("30", 30), ("30s", 30), ("1.5m", 90), ("2h", 7200)])
def test_durations(text: str, wanted: float) -> None:
    assert seconds(click.Context(click.Command("c")), click.Option(["--for"]), text) == wanted


@given(st.text(max_size=8))
def test_any_text_is_a_duration_or_refused(text: str) -> None:
    try:
        value = seconds(click.Context(click.Command("c")), click.Option(["--for"]), text)
    except click.BadParameter:
        return
    assert value is not None
    assert 0 < value < math.inf


# -- the journal -----------------------------------------------------------------------------------------------------

@settings(max_examples=25)  # each is written to the disk
@given(st.lists(st.builds(
    Record, id=st.sampled_from(["a", "b", "c"]), run=st.text(), subject=st.text(), kind=KINDS,
    targets=st.lists(st.text()), parameters=st.dictionaries(st.text(), st.floats(allow_nan=False)),
    before=st.dictionaries(st.text(), st.recursive(st.none() | st.integers() | st.text(), st.lists)),
    phase=st.sampled_from(["planned", INJECTING, INJECTED, REVERTED])), max_size=6))
def test_the_journal_keeps_the_last_of_each(tmp_path_factory: pytest.TempPathFactory, many: list[Record]) -> None:
    home = tmp_path_factory.mktemp("home")
    journal = FaultJournal(home, "EN:GI/..NE", "demo-etcd")
    with journal.lock():
        for record in many:
            journal.put(record)
    last = {record.id: record for record in many}
    kept = FaultJournal(home, "EN:GI/..NE", "demo-etcd").records()
    assert {record.id: record for record in kept} == last
    assert journal.open() == [r for r in kept if r.phase in (INJECTING, INJECTED)]
    assert projects_with_faults(home, "EN:GI/..NE") == (["demo-etcd"] if many else [])
    journal.clear()
    assert journal.records() == [r for r in kept if r.open]


def test_the_journal_is_private(tmp_path: Path) -> None:
    journal = FaultJournal(tmp_path, "engine", "p")
    with journal.lock():
        journal.put(Record("a", "r", "etcd", "kill"))
    assert [path.stat().st_mode & 0o077 for path in journal.path.parent.iterdir()] == [0, 0]


def test_one_waits_until_the_other_is_done(tmp_path: Path) -> None:
    """As a revert does for an injection that the take-down has abandoned."""
    order: list[str] = []
    holds = threading.Event()

    def inject() -> None:
        with FaultJournal(tmp_path, "engine", "p").lock():
            holds.set()
            time.sleep(0.5)
            order.append("injected")

    thread = threading.Thread(target=inject)
    thread.start()
    holds.wait()
    with FaultJournal(tmp_path, "engine", "p").lock():
        order.append("reverted")
    thread.join()
    assert order == ["injected", "reverted"]


def test_two_do_not_inject_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "PATIENCE", 0.2)
    with FaultJournal(tmp_path, "engine", "p").lock():
        with pytest.raises(OperatorError, match="Another injection or revert"):
            with FaultJournal(tmp_path, "engine", "p").lock():
                pass
    with FaultJournal(tmp_path, "engine", "p").lock():
        pass


def test_a_journal_that_cannot_be_read_is_not_thrown_away(tmp_path: Path) -> None:
    journal = FaultJournal(tmp_path, "engine", "p")
    journal.path.parent.mkdir()
    journal.path.write_text('{"version": 99, "records": []}')
    with pytest.raises(OperatorError, match="cannot be read"):
        journal.open()
    assert journal.path.exists()
