"""The story keeps the presenter's pace: the agent waits for the chapter "repair", pauses, goes on and stops."""

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest
from fakes import SCENARIO, Run, refuse

from operator_demo import chapters, events
from operator_demo.errors import Exit
from operator_demo.events import AGENT, MONITOR, Event
from operator_demo.screen.summary import summary
from operator_demo.screen.terminal_text import UNICODE
from operator_demo.stage import agent_control, presses
from operator_demo.stage import chapters as played

MakeRun = Callable[..., Run]


def types(run: Run) -> list[str]:
    """What happened, in the order in which it was shown."""
    words = []
    for e in run.display.events:
        if e.type == "chapter":
            words.append(e.raw["name"])
        elif e.type in ("ticket_opened", "ticket_claimed", "ticket_verifying", "ticket_escalated", "verdict"):
            words.append(e.type)
        elif e.type == "agent_order":
            words.append(f"order {e.raw['order']}")
        elif e.type == "fault" and e.raw["phase"] == "injected":
            words.append("struck")
    return words


def test_what_a_chapter_tells_is_never_past(make_run: MakeRun) -> None:
    run = make_run(manual=True)

    def press_late(e: Event) -> None:
        """As a presenter who talks: whatever could happen meanwhile, would."""
        if e.type == "prompt" and e.raw.get("space") == "the agent may begin":
            threading.Timer(0.5, run.display.press, ["next"]).start()
        else:
            run.display.press_when_asked(e)

    run.display.on_event = press_late
    assert run.stage.perform() == Exit.OK
    told = types(run)
    assert told.index("order hold") < told.index("fault") < told.index("struck") < told.index("detection")
    assert told.index("ticket_opened") < told.index("repair") < told.index("ticket_claimed")
    assert told.index("ticket_claimed") < told.index("verified")
    state = run.stage.recording.situation.run
    assert 0.4 < state.waited < (state.ttm or 0)
    assert state.own_ttm == pytest.approx((state.ttm or 0) - state.waited)
    for end in ("score", "run_finished"):
        assert run.display.of(end)[0]["waited"] == pytest.approx(state.waited, abs=0.001)
    last = "\n".join(text for text, _ in summary(state, UNICODE))
    assert "of it the agent waited for the presenter" in last


@pytest.mark.parametrize("more", [{"manual": False}, {"manual": False, "pace": 0.2}])
def test_with_auto_the_agent_is_never_held(make_run: MakeRun, more: dict[str, object]) -> None:
    run = make_run(**more)
    assert run.stage.perform() == Exit.OK
    assert not [word for word in types(run) if word.startswith("order")]


def test_three_presses_at_once_do_not_strike(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clicker sends them within a third of a second; here all is faster."""
    monkeypatch.setattr(presses, "STEP", 0.2)
    monkeypatch.setattr(played, "AIM", 0.2)
    run = make_run(manual=True)
    asked: list[str] = []

    def press(e: Event) -> None:
        if e.type == "prompt" and (does := e.raw.get("space")):
            asked.append(does)
            if does == "next: A fault":
                for after in (0.25, 0.3, 0.35):
                    threading.Timer(after, run.display.press, ["next"]).start()
            elif does == "strike":
                threading.Timer(0.5, run.display.quit).start()
            else:
                threading.Timer(0.25, run.display.press, ["next"]).start()

    run.display.on_event = press
    assert run.stage.perform() == Exit.INTERRUPTED
    assert asked[-1] == "strike"
    assert run.display.of("fault") == [], "nothing was broken"
    assert run.display.of("truth_sealed") == []


def press_at(run: Run, type: str, *words: str) -> None:
    """Beside what brings the run forward."""
    def look(e: Event) -> None:
        run.display.press_when_asked(e)
        if e.type == type:
            run.display.press(*words)

    run.display.on_event = look


def test_the_agent_pauses_and_goes_on(make_run: MakeRun) -> None:
    run = make_run()
    run.cluster.hesitates = 1.0

    def pause(e: Event) -> None:
        if e.type == "ticket_opened":
            run.display.press("pause")
        if e.type == "agent_order" and e.raw["order"] == "pause":
            threading.Timer(0.5, run.display.press, ["pause"]).start()

    run.display.on_event = pause
    assert run.stage.perform() == Exit.OK
    assert [d["order"] for d in run.display.of("agent_order")] == ["pause", "go"]
    assert run.stage.recording.situation.run.waited > 0.2


def test_the_chapter_repair_lets_an_agent_begin_that_was_paused_before(make_run: MakeRun) -> None:
    run = make_run(manual=True)

    def press(e: Event) -> None:
        if e.type == "prompt" and e.raw.get("space") == "the agent may begin":
            run.display.press("pause")
        elif e.type == "agent_order" and e.raw["order"] == "pause":
            run.display.press("next")
        else:
            run.display.press_when_asked(e)

    run.display.on_event = press
    assert run.stage.perform() == Exit.OK
    assert [d["order"] for d in run.display.of("agent_order")] == ["hold", "pause", "go"]


def test_limits_stand_still_while_the_agent_stands_still(make_run: MakeRun) -> None:
    run = make_run()
    loop, recording = run.stage.loop, run.stage.recording
    work = {"ticket": "tkt-1", "session": "ses-1"}
    def take_in(seq: int, source: str, type: str, **data: object) -> None:
        more = work if source == AGENT else {"ticket": "tkt-1"}
        event = events.event("run-fake", source, events.TYPES[type].of(data), **more)
        recording.import_([event.numbered(seq, events.now())])

    take_in(1, MONITOR, "ticket_opened", subject="etcd", severity="critical", title="t", violations=[])
    take_in(1, AGENT, "ticket_claimed", holder="ses-1")
    take_in(2, AGENT, "session_started", model="m", brain="rehearsal", mode="execute")
    take_in(3, AGENT, "agent_paused")
    loop.turn()
    before = loop._watched
    loop.turn()
    assert loop._watched == before
    take_in(4, AGENT, "agent_resumed", seconds=1.0)
    loop.turn()
    loop.turn()
    assert loop._watched > before


def test_the_agent_is_stopped_and_the_presenter_is_named(make_run: MakeRun) -> None:
    run = make_run()
    press_at(run, "ticket_opened", "stop", "yes")
    assert run.stage.perform() == Exit.NOT_REACHED
    assert run.display.outcome == ("escalated", Exit.NOT_REACHED)
    assert any("The presenter stopped the agent." in d["text"] for d in run.display.of("note"))
    assert run.display.of("chapter")[-2]["title"] == "With a human"


def test_a_stopped_agent_does_not_reach_what_a_scenario_wants_to_be_handed_over(make_run: MakeRun) -> None:
    run = make_run(scenario=replace(SCENARIO, outcome="escalated"))
    press_at(run, "ticket_opened", "stop", "yes")
    assert run.stage.perform() == Exit.NOT_REACHED


def test_a_monitor_that_does_not_answer_is_asked_again(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent_control, "RETRY", 0.1)
    run = make_run(manual=True)
    run.display.on_event = run.display.press_when_asked
    failed: list[str] = []

    def fail_once(call: str) -> None:
        if call == "ask" and not failed:
            failed.append(call)
            raise refuse("the monitor starts again")

    run.cluster.before_answer = fail_once
    assert run.stage.perform() == Exit.OK
    assert any("the monitor starts again" in d["text"] for d in run.display.of("note"))
    assert [d["order"] for d in run.display.of("agent_order")] == ["hold", "go"]


def test_the_order_is_renewed(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent_control, "RENEW", 0.05)
    run = make_run(manual=True)
    orders: list[str] = []
    ask = run.stage.context.environment.ask

    def count(op: str, **arguments: object) -> dict[str, object]:
        if op == "order":
            orders.append(str(arguments["order"]))
        return dict(ask(op, **arguments))

    monkeypatch.setattr(run.stage.context.environment, "ask", count)
    run.display.on_event = run.display.press_when_asked
    assert run.stage.perform() == Exit.OK
    assert orders.count("hold") > 3
    assert orders.count("go") == 1


# -- chapters that are told otherwise ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "more", "title"), [
    ("repair", {}, "Diagnosis and repair"),
    ("repair", {"brain": "none"}, "Nobody repairs it"),
    ("repair", {"mode": "observe"}, "Diagnosis"),
    ("repair", {"closed": True, "ticket": "cleared"}, "Nothing to repair"),
    ("repair", {"closed": True, "ticket": "resolved"}, "Repaired"),
    ("repair", {"closed": True, "ticket": "escalated"}, "With a human"),
    ("verified", {"ticket": "verifying"}, "Verified"),
    ("verified", {"ticket": "resolved", "closed": True}, "Verified"),
    ("verified", {"ticket": "escalated", "closed": True}, "With a human"),
    ("verified", {"ticket": "cleared", "closed": True}, "Healed"),
    ("verified", {"ticket": "acknowledged"}, "Not verified"),
    ("verified", {"ticket": "", "brain": "none"}, "Not verified"),
])
def test_a_chapter_says_what_is_true(name: str, more: dict[str, object], title: str) -> None:
    usual = {"brain": "rehearsal", "mode": "execute", "ticket": "open", "closed": False}
    assert chapters.chapter(name, **(usual | more)).title == title  # type: ignore[arg-type]
