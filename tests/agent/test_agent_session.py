"""Whole sessions through the real SDK, against the stand-in for the Messages API."""

import json
from collections.abc import Callable

from agent_bench import KEY, Bench
from fake_messages import FakeMessages, answer, call, text, thinking

Fake = Callable[..., FakeMessages]


def test_from_the_ticket_to_the_verified_repair(bench: Bench, fake: Fake) -> None:
    server = fake(
        answer(thinking("I look first."), text("Let me look."), call("observe")),
        answer(call("finding", member="etcd2", cause="process_killed", text="It is gone.")),
        answer(call("shell", reasoning="start it", command="echo started; echo careful >&2; exit 3")),
        answer(call("resolve", summary="etcd2 runs again", actions=["docker start etcd2"])),
    )
    bench.oracle(True)
    session = bench.run_session(server.base_url)

    row = bench.session_row(session)
    assert (row["status"], row["steps"], row["tool_calls"]) == ("verified", 4, 4)
    assert bench.ticket_row()["state"] == "resolved"
    assert bench.data("finding") == [{"member": "etcd2", "cause": "process_killed", "text": "It is gone."}]
    assert [d["kind"] for d in bench.data("reasoning")] == ["thinking", "text"]
    calls = {d["tool"]: d for d in bench.data("tool_call")}
    assert not calls["observe"].get("diagnosed")
    assert calls["shell"]["diagnosed"]
    results = {d["tool"]: d for d in bench.data("tool_result")}
    assert results["shell"]["output"].startswith("exit status 3 (0.")
    assert results["shell"]["output"].endswith("\nstarted\n--- stderr\ncareful")
    assert results["shell"]["exit_code"] == 3
    assert json.loads(results["observe"]["output"]) == bench.observed
    assert results["resolve"]["output"].startswith("verified")

    usage = bench.data("usage")[0]
    assert usage["request_id"] == "req_1"
    assert usage["stop_reason"] == "tool_use"
    assert usage["cost_usd"] == (100 * 4 + 20 * 20 + 50 * 0.2 + 10 * 5) / 1e6


def test_what_is_sent_to_the_model(bench: Bench, fake: Fake) -> None:
    server = fake(answer(thinking("Hm.", "c2lnbmF0dXJl"), call("observe")), answer(call("escalate", reason="no idea")))
    bench.run_session(server.base_url)

    first, second = server.requests
    assert first["model"] == "claude-opus-5-5"
    assert first["thinking"] == {"type": "adaptive", "display": "summarized"}
    assert "tool_choice" not in first
    assert first["cache_control"] == first["system"][0]["cache_control"] == {"type": "ephemeral"}
    assert [t["name"] for t in first["tools"]] == ["shell", "observe", "finding", "resolve", "no_action", "escalate"]
    opening = first["messages"][0]["content"]
    told = json.loads(opening.split("```json")[1].split("```")[0])
    assert told["project"] == bench.settings.project
    assert told["network"] == "net"
    assert told["members"] == ["etcd1", "etcd2"]
    assert told["violations"][0]["key"] == "member_down:etcd2"
    assert told["mode"] == "execute"

    thought, use = second["messages"][1]["content"]
    assert thought == {"type": "thinking", "thinking": "Hm.", "signature": "c2lnbmF0dXJl"}
    result = second["messages"][2]["content"][0]
    assert result["tool_use_id"] == use["id"]
    assert result["is_error"] is False
    assert KEY not in json.dumps(server.requests)
    assert KEY in json.dumps(server.headers)


def test_goes_on_with_the_words_of_the_oracle(bench: Bench, fake: Fake) -> None:
    server = fake(
        answer(call("resolve", summary="done", actions=[])),
        answer(call("resolve", summary="done now", actions=["docker start etcd2"])),
    )
    bench.oracle(False, True)
    session = bench.run_session(server.base_url)

    assert bench.session_row(session)["status"] == "verified"
    told = server.requests[1]["messages"][-1]["content"][0]["content"]
    assert told.startswith("not verified: etcd2 is still down")
    assert "members: passed: 3" in told


def test_ends_unverified_when_the_oracle_says_no_twice(bench: Bench, fake: Fake) -> None:
    server = fake(answer(call("resolve", summary="done", actions=[])), endless=True)
    bench.oracle(False, False)
    session = bench.run_session(server.base_url)

    assert bench.session_row(session)["status"] == "unverified"
    assert bench.ticket_row()["state"] == "escalated"
    assert bench.data("tool_result")[-1]["output"].startswith("not verified: etcd2 is still down, the ticket went")
    assert len(server.requests) == 2


def test_escalates(bench: Bench, fake: Fake) -> None:
    session = bench.run_session(fake(answer(call("escalate", reason="I do not understand it"))).base_url)
    assert bench.session_row(session)["status"] == "escalated"
    assert bench.ticket_row()["reason"] == "I do not understand it"


def test_reminds_once_and_then_hands_over(bench: Bench, fake: Fake) -> None:
    server = fake(answer(text("All is well.")), endless=True)
    session = bench.run_session(server.base_url)

    assert len(server.requests) == 2
    assert "`resolve`" in server.requests[1]["messages"][-1]["content"][0]["text"]
    assert bench.session_row(session)["status"] == "escalated"
    assert "without saying that it is repaired" in bench.ticket_row()["reason"]


def test_an_answer_that_was_cut_off_runs_no_tool(bench: Bench, fake: Fake) -> None:
    cut = answer(thinking("so much to th", ""), call("shell", reasoning="x", command="touch /tmp/never"),
                 stop="max_tokens")
    server = fake(cut, answer(call("escalate", reason="enough")))
    session = bench.run_session(server.base_url)

    assert [d["tool"] for d in bench.data("tool_call")] == ["escalate"]
    use, = server.requests[1]["messages"][1]["content"]  # the thought has no signature and is not sent back
    said = server.requests[1]["messages"][2]["content"]
    assert (said[0]["type"], said[0]["tool_use_id"], said[0]["is_error"]) == ("tool_result", use["id"], True)
    assert bench.session_row(session)["status"] == "escalated"


def test_gives_up_when_all_answers_are_cut_off(bench: Bench, fake: Fake) -> None:
    server = fake(answer(text("la la"), stop="max_tokens"), endless=True)
    session = bench.run_session(server.base_url)
    assert len(server.requests) == 3
    assert bench.session_row(session)["status"] == "escalated"
    assert "cut off" in bench.ticket_row()["reason"]


def test_a_refusal_of_the_model_goes_to_a_human(bench: Bench, fake: Fake) -> None:
    session = bench.run_session(fake(answer(text("I will not."), stop="refusal")).base_url)
    assert bench.session_row(session)["status"] == "escalated"
    assert bench.data("refusal") == [{"reason": "The model declined: I will not."}]


def test_a_pause_goes_on_with_what_was_said(bench: Bench, fake: Fake) -> None:
    server = fake(answer(text("wait"), stop="pause_turn"), answer(call("escalate", reason="enough")))
    bench.run_session(server.base_url)
    assert [m["role"] for m in server.requests[1]["messages"]] == ["user", "assistant"]


def test_wrong_arguments_are_told_and_run_nothing(bench: Bench, fake: Fake) -> None:
    server = fake(
        answer(call("shell", command="touch /tmp/never", timeout="soon"), call("nonsense"),
               call("finding", cause="gremlins", text="x", member="etcd2")),
        answer(call("escalate", reason="enough")),
    )
    bench.run_session(server.base_url)
    shell, nonsense, finding, _ = bench.data("tool_result")
    assert shell["status"] == "error"
    assert "reasoning is missing" in shell["output"]
    assert "timeout must be of type integer" in shell["output"]
    assert nonsense["status"] == "refused"
    assert "There is no tool nonsense" in nonsense["output"]
    assert "cause must be one of: process_killed" in finding["output"]
    assert bench.events("finding") == []
    told = server.requests[1]["messages"][-1]["content"]
    assert [block["is_error"] for block in told] == [True, True, True]


def test_tools_run_one_after_the_other_in_their_order(bench: Bench, fake: Fake) -> None:
    server = fake(answer(call("shell", reasoning="a", command="sleep 0.2; echo a"),
                         call("shell", reasoning="b", command="echo b"), call("escalate", reason="enough")))
    bench.run_session(server.base_url)
    kinds = [(e.type, e.raw["call"]) for e in bench.events("tool_call", "tool_result")]
    assert [kind for kind, _ in kinds] == ["tool_call", "tool_result"] * 3
    assert all(kinds[i][1] == kinds[i + 1][1] for i in (0, 2, 4))


def test_the_audience_sees_it_while_it_is_written(bench: Bench, fake: Fake) -> None:
    command = "for i in 1 2 3; do echo line $i; sleep 0.2; done"
    server = fake(answer(thinking("one two three four five six"), text("seven eight nine"),
                         call("shell", reasoning="count", command=command)),
                  answer(call("escalate", reason="enough")))
    bench.run_session(server.base_url)
    deltas = [json.loads(line) for line in bench.out.getvalue().splitlines() if '"type":"delta"' in line]
    shown: dict[str, str] = {}
    for delta in deltas:
        assert delta["seq"] is None
        shown[delta["data"]["kind"]] = shown.get(delta["data"]["kind"], "") + delta["data"]["text"]
    assert shown == {"thinking": "one two three four five six", "text": "seven eight nine", "command": command,
                     "output": "line 1\nline 2\nline 3\n"}
    output = [d for d in deltas if d["data"]["kind"] == "output"]
    assert len(output) >= 3
    assert output[0]["data"]["call"] == bench.data("tool_call")[0]["call"]


class TestObserveMode:
    def test_looks_and_hands_its_diagnosis_to_a_human(self, make_bench: Callable[..., Bench], fake: Fake) -> None:
        bench = make_bench(mode="observe")
        server = fake(
            answer(call("inspect", member="etcd2"), call("logs", member="etcd2", lines=5)),
            answer(call("finding", member="etcd2", cause="process_killed", text="gone", proposal="docker start etcd2")),
            answer(call("escalate", reason="start it")),
        )
        session = bench.run_session(server.base_url)
        assert [t["name"] for t in server.requests[0]["tools"]] == ["observe", "inspect", "logs", "finding",
                                                                "no_action", "escalate"]
        assert "docker start" not in json.dumps(server.requests[0])
        assert bench.session_row(session)["status"] == "observed"
        assert bench.ticket_row()["state"] == "escalated"
        assert bench.data("finding")[0]["proposal"] == "docker start etcd2"
        inspect, logs, *_ = bench.data("tool_result")
        assert json.loads(inspect["output"]) == {"name": "etcd2", "state": "exited"}
        assert logs["output"] == "the last 5 lines of etcd2 red"

    def test_has_no_shell_whatever_the_model_asks(self, make_bench: Callable[..., Bench], fake: Fake) -> None:
        bench = make_bench(mode="observe")
        server = fake(answer(call("shell", reasoning="x", command="touch /tmp/never"),
                             call("resolve", summary="x", actions=[])),
                      answer(call("escalate", reason="enough")))
        bench.run_session(server.base_url)
        assert [d["status"] for d in bench.data("tool_result")] == ["refused", "refused", "ok"]
        assert len(bench.data("refusal")) == 2


def test_a_monitor_that_does_not_answer_is_told_and_not_fatal(bench: Bench, fake: Fake) -> None:
    bench.stop_rpc.set()
    bench._rpc.join()
    server = fake(answer(call("observe")), answer(call("escalate", reason="blind")))
    session = bench.run_session(server.base_url)
    assert bench.session_row(session)["status"] == "escalated"
    result = bench.data("tool_result")[0]
    assert result["status"] == "error"
    assert result["output"].startswith("The monitor could not tell")
    assert '"etcd2"' in server.requests[0]["messages"][0]["content"]


def test_a_defect_of_the_agent_goes_to_a_human(bench: Bench, fake: Fake) -> None:
    def broken(work: object, ticket: object) -> None:
        raise RuntimeError("a bug")

    from operator_demo.agent import session as module

    original, module._describe = module._describe, broken  # type: ignore[assignment]
    try:
        session = bench.run_session(fake().base_url)
    finally:
        module._describe = original
    assert bench.session_row(session)["status"] == "error"
    assert "RuntimeError: a bug" in bench.ticket_row()["reason"]


def test_nothing_to_do_goes_to_the_oracle_too(bench: Bench, fake: Fake) -> None:
    server = fake(answer(call("observe")), answer(call("no_action", reason="All members are well.")))
    bench.oracle(True)
    session = bench.run_session(server.base_url)
    assert bench.session_row(session)["status"] == "verified"
    (said,) = bench.data("ticket_verifying")
    assert (said["claim"], said["summary"], said["actions"]) == ("no_action", "All members are well.", [])
    assert bench.data("ticket_resolved") == [{"outcome": "no_action"}]
