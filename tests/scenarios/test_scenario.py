import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operator_demo import outcomes, subject
from operator_demo.chaos import scenario
from operator_demo.chaos.faults import FAULTS
from operator_demo.errors import UsageError

ETCD = subject.load("etcd")
GOOD = "title: T\nfault: {kind: kill, target: random}\ncause: process_killed\ninvariants: [member_down]\n"
FALSE = "title: T\nfault: {kind: none}\ncause: no_fault\noutcome: no_action\n" \
        "ticket: {invariant: member_down, member: etcd1, text: etcd1 is down}\n"


def parse(text: str) -> scenario.Scenario:
    return scenario.parse("mine", text, ETCD.subject, where="mine.yaml")


@pytest.mark.parametrize("name", subject.names())
def test_every_scenario_of_every_subject_is_valid(name: str) -> None:
    found = subject.load(name)
    for play in scenario.names(found.folder):
        assert scenario.load(found, play).title


@pytest.mark.parametrize("name", scenario.names(ETCD.folder))
def test_every_scenario_of_etcd_can_be_told_and_tried(name: str) -> None:
    play = scenario.load(ETCD, name)
    told = [telling for telling in play.story.values() if telling.narration]
    assert told, "something is said to the audience"
    if play.fault.kind == scenario.BY_HAND:
        return
    assert any(telling.notes for telling in play.story.values()), "and something to the speaker"
    assert bool(play.repair) == (play.outcome == outcomes.REPAIRED), "the gate tries the known repair"
    assert bool(play.ticket) == (play.outcome == scenario.NO_ACTION)
    assert play.ticket or play.invariants, "something must show"


@pytest.mark.parametrize(("text", "words"), [
    ("- a", "mine.yaml:1: a mapping is expected"),
    ("a: [", "mine.yaml:1: not valid YAML"),
    ("", "mine.yaml: the file is empty"),
    (GOOD + "typo: 1", "mine.yaml:5: the key 'typo' is not supported"),
    (GOOD + "invariant: [member_down]", "mine.yaml:5: .*did you mean 'invariants'"),
    (GOOD.replace("kill,", "melt,"), "mine.yaml:2: fault.kind: 'melt' is none of"),
    (GOOD.replace("{kind: kill, ", "{"), "mine.yaml:2: fault: the key 'kind' is missing"),
    (GOOD.replace("random", "etcd9"), "mine.yaml:2: fault.target: target must be one of"),
    (GOOD.replace("random", "[etcd0, etcd0]"), "mine.yaml:2: fault.target: target names a member twice"),
    (GOOD.replace("random", "random, count: 4"), "mine.yaml:2: fault.count: count must be 1 to 3"),
    (GOOD.replace("random", "random, parameters: {loss: 3}"), "mine.yaml:2: .*kill has no parameter 'loss'"),
    (GOOD.replace("random", "random, again: soon"), "mine.yaml:2: fault.again: a number of seconds"),
    (GOOD.replace("kill, target: random", "by-hand, target: random"), "mine.yaml:2: fault.target: by-hand takes no"),
    (GOOD.replace("kill, target: random", "none, target: random"), "mine.yaml:2: fault.target: none takes no"),
    (GOOD.replace("process_killed", "magic"), "mine.yaml:3: cause: 'magic' is none of"),
    (GOOD.replace("member_down", "member_dwon"), "mine.yaml:4: invariants.0: 'member_dwon' is none of"),
    (GOOD + "limits:\n  detect: -1", "mine.yaml:6: limits.detect: a number of seconds"),
    (GOOD + "limits: {detect: nan}", "mine.yaml:5: limits.detect: a number of seconds"),
    (GOOD.replace("[member_down]", "member_down"), "mine.yaml:4: invariants: a list is expected"),
    (GOOD.replace("title: T\n", ""), "the key 'title' is missing"),
    (GOOD + "difficulty: hopeless", "mine.yaml:5: difficulty: 'hopeless' is none of easy, medium, hard"),
    (GOOD + "outcome: no_action", "mine.yaml:5: outcome: .*'ticket' is missing"),
    (GOOD + "story:\n  fualt: x", "mine.yaml:6: story: the key 'fualt' is not supported .did you mean 'fault'"),
    (GOOD + "story:\n  fault: {note: x}", "mine.yaml:6: story.fault: the key 'note'"),
    (GOOD + FALSE.splitlines()[4], "mine.yaml:5: ticket: a false ticket stands beside none, decoy, restart only"),
    (FALSE.replace("outcome: no_action\n", ""), "mine.yaml:4: ticket: .*the outcome must be no_action"),
    (FALSE.replace(", text: etcd1 is down", ""), "mine.yaml:5: ticket: the key 'text' is missing"),
    (FALSE.replace("member: etcd1", "member: etcd7"), "mine.yaml:5: ticket.member: 'etcd7' is none of"),
])
def test_mistakes_are_named_with_file_line_and_key(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        parse(text)


@given(st.text(max_size=200))
def test_any_text_is_a_scenario_or_a_clear_error(text: str) -> None:
    _named(text)


def _named(text: str) -> None:
    """A scenario, or an error that names the file and nothing else."""
    problem = "mine.yaml:"
    try:
        parse(text)
    except UsageError as e:
        problem = e.message
    assert problem.startswith("mine.yaml:")


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=8),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
                        st.sampled_from(["kind", "target", "count", "parameters", "again", "invariant", "text",
                                         "detect", "fault", "narration", "notes"]), inner, max_size=3), max_leaves=8),
       st.sampled_from(["title", "fault", "cause", "invariants", "ticket", "limits", "story", "repair", "allow"]))
def test_any_value_at_any_key_is_taken_or_named(value: object, key: str) -> None:
    lines = [line for line in GOOD.splitlines() if not line.startswith(f"{key}:")]
    _named("\n".join([*lines, f"{key}: {json.dumps(value)}"]))


def test_what_is_left_out_has_a_default() -> None:
    play = parse(GOOD)
    assert (play.outcome, play.difficulty, play.ticket, play.repair, play.allow) == ("repaired", "medium", None, (), ())
    assert (play.fault.kind, play.fault.target, play.fault.count, play.fault.again) == ("kill", "random", 1, None)
    assert play.telling("fault") == scenario.Telling()


def test_a_chapter_is_a_text_or_a_text_with_notes() -> None:
    play = parse(GOOD + "story:\n  fault: It dies.\n  detection:\n    narration: Seen.\n    notes: Wait for it.\n")
    assert play.telling("fault") == scenario.Telling("It dies.")
    assert play.telling("detection") == scenario.Telling("Seen.", "Wait for it.")


def test_of_a_list_within_the_invariants_one_is_enough() -> None:
    play = parse(GOOD.replace("[member_down]", "[member_down, [high_latency, client_errors]]"))
    assert play.unseen({"member_down", "client_errors"}) == []
    assert play.unseen({"member_down", "no_leader"}) == ["high_latency or client_errors"]
    assert play.unseen({"high_latency"}) == ["member_down"]


def test_a_dollar_in_a_repair_is_the_shells() -> None:
    assert parse(GOOD + "repair: [docker start $CONTAINER, 'echo ${MEMBER}']").repair == (
        "docker start $CONTAINER", "echo ${MEMBER}")


@pytest.mark.parametrize("kind", [kind for kind, fault in FAULTS.items() if fault.targeted])
def test_every_kind_of_fault_can_stand_in_a_scenario(kind: str) -> None:
    assert parse(GOOD.replace("kill", kind, 1)).fault.kind == kind


def test_which_is_played_where_none_is_named(tmp_path: Path) -> None:
    mine = subject.Found(ETCD.subject, tmp_path)
    with pytest.raises(UsageError, match="has no scenarios"):
        scenario.default(mine)
    (tmp_path / "scenarios").mkdir()
    for name in ("b", "a"):
        (tmp_path / "scenarios" / f"{name}.yaml").write_text(GOOD)
    assert scenario.default(mine) == "a"
    assert scenario.default(ETCD) == "member-kill"
    assert scenario.default(subject.load("tikv")) == "store-kill"


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text(GOOD)
    assert scenario.load(ETCD, str(mine)).name == "mine"
    with pytest.raises(UsageError, match="no scenario file"):
        scenario.load(ETCD, str(tmp_path / "other.yaml"))
    with pytest.raises(UsageError, match="no scenario file"):
        (tmp_path / "folder.yaml").mkdir()
        scenario.load(ETCD, str(tmp_path / "folder.yaml"))
