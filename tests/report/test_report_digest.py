"""What a report tells of a run."""

from itertools import pairwise
from typing import Any

import pytest
from story import START, TICKET, Author, members, story

from operator_demo import events
from operator_demo.chain import Chain
from operator_demo.report.digest import digest
from operator_demo.report.source import Recorded
from operator_demo.stage.truth import Truth

RUN = "run-7k3mq2px"


def told_of(many: list[events.Event], other: list[events.Event] | None = None, secrets: tuple[str, ...] = ()) -> Any:
    def recorded(events_of_one: list[events.Event]) -> Recorded:
        chain = Chain(RUN, 0, len(events_of_one), b"\x11" * 32)
        return Recorded(chain, [e for e in events_of_one if e.seq is not None])

    return digest(recorded(many), secrets, recorded(other) if other is not None else None)


@pytest.fixture(scope="module")
def told() -> Any:
    return told_of(story())


def test_the_verdict_says_what_was_checked_and_by_whom(told: Any) -> None:
    assert told["verdict"]["words"] == "Repaired, and verified"
    assert told["verdict"]["promise"] == ("The oracle judged this from outside; the agent's word did not count. 7 of 8 "
                                          "checks passed (1 not checked), 2412 acknowledged writes were kept, 0 lost.")


def test_without_a_final_verdict_nothing_is_proved() -> None:
    cut_off = told_of([e for e in story() if e.at < START + 30])
    assert cut_off["verdict"] == {"words": "No end is recorded", "tone": "warn", "expected": None,
                                  "promise": "No final verdict of the oracle is recorded, so nothing is proved."}


def test_a_lane_holds_the_states_of_a_member_one_after_the_other(told: Any) -> None:
    lanes = {lane["name"]: lane["spans"] for lane in told["axis"]["lanes"]}
    assert [span["state"] for span in lanes["etcd1"]] == ["leader", "exited", "healthy"]
    assert [span["state"] for span in lanes["etcd2"]] == ["healthy", "leader"]
    for spans in lanes.values():
        assert all(one["to"] == following["from"] for one, following in pairwise(spans))


def test_times_are_seconds_since_the_run_began(told: Any) -> None:
    axis = told["axis"]
    assert axis["fault"] == 15.1  # by the engine's clock
    assert [(mark["name"], mark["at"]) for mark in axis["milestones"]] == [("fault", 15.1), ("ticket", 16.0),
                                                                          ("verified", 40.0)]
    columns = axis["load"]
    assert {len(column) for column in columns.values()} == {len(columns["at"])}
    struck = columns["at"].index(15.8)
    assert (columns["ops"][struck], columns["p99"][struck], columns["errors"][struck]) == (121, 310, 35)


def test_a_step_holds_thought_command_result_and_what_it_caused() -> None:
    author = Author()
    author.events = story()
    author.say(22.0, events.MONITOR, "effect", container="c", member="etcd1", action="start", explained="tool_call",
               call="toolu_4", session="ses-h2xk9dtm")
    steps = [entry for entry in told_of(sorted(author.events, key=lambda e: e.ts))["story"] if entry["kind"] == "step"]
    assert [step["command"] for step in steps][3] == "docker start demo-etcd-etcd1-1"
    repair = steps[3]
    assert repair["why"] == "Bring the member back with its own data."
    assert repair["thoughts"] == ["Now the repair: start the container again. Its data volume is still there, so it "
                                  "rejoins as the same member."]
    assert repair["result"] == ["✔ exit 0 in 0.6 s", "good"]
    assert repair["output"] == "demo-etcd-etcd1-1"
    assert repair["changes"] and ["engine: etcd1: start", "agent"] in repair["effects"]
    assert [step["changes"] for step in steps] == [False, False, False, True, False]


def test_what_the_guard_denied_is_a_refusal_in_a_step_and_alone() -> None:
    author = Author()
    author.events = story()
    for at, call in ((22.0, "toolu_4"), (23.0, None)):
        author.say(at, events.GUARD, "guard", session="ses-h2xk9dtm", ticket=TICKET, caller="agent", ruling="deny",
                   rule="not offered", method="DELETE", path="/volumes/x", call=call)
    told = told_of(sorted(author.events, key=lambda e: e.ts))["story"]
    steps = [entry for entry in told if entry["kind"] == "step"]
    assert [step["refused"] for step in steps] == [False, False, False, True, False]
    assert [entry["speaker"] for entry in told if entry["kind"] == "refusal"] == ["guard"]


@pytest.mark.parametrize("ended", [True, False])
def test_the_last_words_are_told_whether_the_session_ended_or_not(ended: bool) -> None:
    author = Author()
    author.say(1, events.AGENT, "reasoning", ticket=TICKET, session="s", kind="text", text="I look.\nThen I act.")
    if ended:
        author.say(2, events.AGENT, "session_finished", ticket=TICKET, session="s", status="budget", summary="")
    first = told_of(author.events)["story"][0]
    assert first["lines"] == [["I look.", ""], ["Then I act.", ""]]


def test_a_call_without_a_result_has_an_unknown_outcome() -> None:
    without = [e for e in story() if not (isinstance(e.data, events.ToolResult) and e.data.call == "toolu_4")]
    steps = [entry for entry in told_of(without)["story"] if entry["kind"] == "step"]
    assert steps[3]["result"] == ["? outcome unknown: no result was written", "warn"]


def test_the_oracle_stands_before_and_after(told: Any) -> None:
    oracle = told["oracle"]
    assert (oracle["opening"], oracle["final"]) == (False, True)
    checks = {check["name"]: check for check in oracle["checks"]}
    assert checks["data plane"]["before"]["status"] == "failed"
    assert checks["data plane"]["after"]["status"] == "passed"
    assert checks["writes"]["before"] is None
    assert checks["alarms"]["after"]["status"] == "not checked"


@pytest.mark.parametrize(("opened", "holds"), [({"fault": "kill"}, True), ({"fault": "pause"}, False)])
def test_the_envelope_is_checked_again(opened: dict[str, Any], holds: bool) -> None:
    sealed = Truth({"fault": "kill"}, "ab" * 32)
    author = Author()
    author.say(1, events.STAGE, "truth_sealed", sha256=sealed.sha256)
    author.say(9, events.STAGE, "truth_opened", nonce=sealed.nonce, truth=opened, sha256=sealed.sha256)
    envelope = told_of(author.events)["envelope"]
    assert envelope["holds"] is holds
    assert ("ANOTHER SHA-256" in envelope["sentence"]) is not holds


def test_the_line_to_copy_checks_the_record_against_its_head(told: Any) -> None:
    assert told["chain"]["verify"] == f"operator-demo audit verify {RUN} --head {'11' * 32}"


def test_secrets_do_not_come_through() -> None:
    author = Author()
    author.say(1, events.AGENT, "tool_call", ticket=TICKET, session="s", call="c", tool="shell",
               input={"command": "curl -H 'X: our-own-secret' http://a", "reasoning": "our-own-secret"})
    author.say(2, events.AGENT, "tool_result", ticket=TICKET, session="s", call="c", tool="shell", status="ok",
               output="DB_PASSWORD=hunter2 our-own-secret")
    told = str(told_of(author.events, secrets=("our-own-secret",)))
    assert "our-own-secret" not in told and "hunter2" not in told


def test_another_run_is_put_beside(told: Any) -> None:
    author = Author()
    author.say(0, events.STAGE, "run_started", project="p", subject="etcd", mode="execute", model="", brain="none",
               version="1", engine="e", seed=7)
    author.say(5, events.MONITOR, "observation", members=members("etcd1"), violations=[], duration=0.1, cluster={})
    compared = told_of(story(), author.events)["compare"]
    assert (compared["agent"], compared["words"]) == ("no agent", "No end is recorded")
    assert [lane["name"] for lane in compared["axis"]["lanes"]] == ["etcd1", "etcd2", "etcd3"]
    assert "compare" not in told
