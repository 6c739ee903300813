"""Hostile texts on their whole way: out of a member or a model, through monitor and agent, to the record, the screen,
plain output and the audit. Nothing is executed, nothing raw is shown, no secret comes through."""

import json
from collections.abc import Iterator
from pathlib import Path

import hostile_texts
import pytest
from chain import Agent, Monitor, strings, told
from hostile_texts import KEY, SECRETS, TEXTS, Hostile, problems

from operator_demo.agent.work import Result

KNOWN = tuple(secret for secret in SECRETS if secret in (KEY, KEY.encode().hex()) or secret.startswith("c2st"))
"""The forms of the key. The agent knows it; of what the model runs, the record withholds nothing else."""
NOT_ENCODED = tuple(secret for secret in SECRETS if secret not in KNOWN[1:])
"""What the monitor can recognise, which does not know the key."""


@pytest.fixture(params=TEXTS, ids=str)
def hostile(request: pytest.FixtureRequest) -> Hostile:
    hostile_texts.CANARY.unlink(missing_ok=True)
    text: Hostile = request.param
    return text


@pytest.fixture(scope="module")
def monitor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Monitor]:
    made = Monitor(tmp_path_factory.mktemp("monitor"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory, monitor: Monitor) -> Iterator[Agent]:
    made = Agent(tmp_path_factory.mktemp("agent"), monitor, "execute")
    yield made
    made.close()


@pytest.fixture(scope="module")
def observing_agent(tmp_path_factory: pytest.TempPathFactory, monitor: Monitor) -> Iterator[Agent]:
    made = Agent(tmp_path_factory.mktemp("observing"), monitor, "observe")
    yield made
    made.close()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPERATOR_HOME", str(tmp_path))


def sent(result: Result) -> str:
    """What the model gets, as text; JSON is read first, since it escapes what is raw."""
    try:
        return "\n".join(strings(json.loads(result.text)))
    except ValueError:
        return result.text


def test_there_are_a_hundred_texts_and_they_are_hostile() -> None:
    assert len(TEXTS) >= 100
    assert len({str(text) for text in TEXTS}) == len(TEXTS)
    whole = "\n".join(text.text() for text in TEXTS if not text.is_long)
    for secret in SECRETS:
        assert f"the secret {secret!r}" in problems(whole)


def test_markup_is_shown_as_it_is_written(agent: Agent) -> None:
    markup = next(text for text in TEXTS if text.name == "rich")
    agent.printed = markup
    agent.call("shell", reasoning="look", command="docker ps")
    for where, shown in told(agent.events()):
        if where not in ("audit export", "post-mortem"):  # JSON quotes the text, the other tells no output
            assert markup.text()[:20] in shown, where


def test_from_a_member_through_the_monitor(hostile: Hostile, monitor: Monitor) -> None:
    monitor.text, monitor.log = hostile.text(), hostile
    monitor.observe()
    for op, arguments in (("observe", {}), ("inspect", {"member": "m0"}), ("logs", {"member": "m0"}), ("status", {})):
        answer = monitor.ask(op, **arguments)
        assert problems("\n".join(strings(answer)), NOT_ENCODED) == [], op
        assert len(json.dumps(answer)) < 1_000_000
    for where, text in told(monitor.events()):
        assert problems(text, NOT_ENCODED) == [], where


def test_from_a_tool_through_the_agent(hostile: Hostile, agent: Agent, observing_agent: Agent,
                                       monitor: Monitor) -> None:
    monitor.text, monitor.log, agent.printed = hostile.text(), hostile, hostile
    monitor.observe()
    results = [agent.call("shell", reasoning="look", command="docker ps"), agent.call("observe", full=True),
               observing_agent.call("inspect", member="m0"), observing_agent.call("logs", member="m0")]
    for result in results:
        assert result.status == "ok"
        assert problems(sent(result)) == []
        assert len(result.text.encode()) < 20_000
    for who in (agent, observing_agent):
        for where, text in told(who.events()):
            assert problems(text) == [], where


def test_from_the_model_through_the_record(hostile: Hostile, agent: Agent) -> None:
    text = hostile.text(4000)
    agent.call("shell", reasoning=text, command=text)
    agent.call("finding", member="m0", cause="unknown", text=text)
    agent.call("inspect", member=text)
    agent.call(text, **{text: text})
    for kind in ("thinking", "text", "command"):
        agent.write(kind, text)
    for where, shown in told(agent.events()):
        assert problems(shown, KNOWN) == [], where
    assert KEY not in agent.on_disk()
