"""A run that cannot go on is continued from a recording: marked, never with status 0, and not in its record."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from fakes import RUN, SCENARIO, Run

from operator_demo.chapters import NAMES
from operator_demo.commands import fallback as command
from operator_demo.commands.fallback import FromRecording, from_recording
from operator_demo.commands.run import run as run_command
from operator_demo.engine import EngineUnavailable
from operator_demo.errors import Exit, OperatorError, UsageError
from operator_demo.events import Event
from operator_demo.stage import container_watch
from operator_demo.stage.supervision import EngineGone

MakeRun = Callable[..., Run]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container_watch.ContainerWatch.__init__, "__kwdefaults__", {"period": 0.02, "patience": 0.2})
    monkeypatch.setattr(command, "IDLE_LIMIT", 0.001)


@pytest.fixture
def recording() -> FromRecording:
    return from_recording("etcd", "member-kill", "plain", manual=False)


def shown_by(run: Run, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The lines of the recording, which begins with the run's last chapter and is marked first and last."""
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("From here on this is a recording.")
    assert lines[1] == lines[-1] and lines[1].startswith("REPLAY: recorded on")
    assert f"{NAMES.index(run.display.chapters[-1]) + 1}/8 " in lines[2]
    assert run.display.stopped
    assert "verified" in " ".join(lines) and "verified" not in run.display.chapters
    return lines


def assert_nothing_of_it_is_recorded(run: Run) -> None:
    recorded = list(run.store.events(RUN))
    assert {row["run"] for row in run.store.rows("SELECT DISTINCT run FROM events")} == {RUN}
    assert not {"ticket_resolved", "truth_opened", "score"} & {e.type for e in recorded}
    assert [e.raw["outcome"] for e in recorded if e.type == "run_finished"] == ["failed"]


def when(run: Run, type_: str, act: Callable[[], None]) -> None:
    def look(e: Event) -> None:
        if e.type == type_:
            act()

    run.display.on_event = look


def test_it_loses_what_it_needs(make_run: MakeRun, recording: FromRecording,
                                capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run(fallback=recording)
    run.cluster.repairs = False
    when(run, "ticket_opened", lambda: run.cluster.ended.update(monitor=137))
    with pytest.raises(OperatorError, match="operator-monitor-1 ended") as raised:
        run.stage.perform()
    assert raised.value.exit_status == Exit.ENVIRONMENT
    assert "operator-monitor-1 ended" in shown_by(run, capsys)[0]
    assert run.cluster.calls[-1] == "down"
    assert_nothing_of_it_is_recorded(run)


def test_the_engine_is_gone(make_run: MakeRun, recording: FromRecording, capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run(fallback=recording, pace=30)
    when(run, "load", lambda: run.cluster.failing.update(container_states=EngineUnavailable("nobody answers")))
    with pytest.raises(EngineGone, match="nobody answers"):
        run.stage.perform()
    shown_by(run, capsys)
    assert_nothing_of_it_is_recorded(run)


def test_the_presenter_asks_for_it(make_run: MakeRun, recording: FromRecording,
                                   capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run(fallback=recording)
    run.cluster.repairs = False
    when(run, "ticket_opened", lambda: run.display.press("menu", "yes"))
    assert run.stage.perform() == Exit.NOT_REACHED
    shown_by(run, capsys)
    assert run.cluster.calls[-1] == "down"
    assert_nothing_of_it_is_recorded(run)


def test_the_key_does_nothing_where_there_is_no_recording(make_run: MakeRun) -> None:
    run = make_run()
    when(run, "ticket_opened", lambda: run.display.press("menu", "yes"))
    assert run.stage.perform() == Exit.OK
    assert not any(d.get("menu") or d.get("question") for d in run.display.of("prompt"))


def test_an_agent_that_does_not_finish(make_run: MakeRun, recording: FromRecording,
                                       capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run(fallback=recording, scenario=replace(SCENARIO, repair_limit=0.2))
    run.cluster.repairs = False
    assert run.stage.perform() == Exit.NOT_REACHED
    assert "The agent did not finish within 0 seconds." in shown_by(run, capsys)[0]
    assert_nothing_of_it_is_recorded(run)


def test_without_it_nothing_is_shown(make_run: MakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run()
    when(run, "ticket_opened", lambda: run.cluster.ended.update(monitor=137))
    with pytest.raises(OperatorError):
        run.stage.perform()
    assert "REPLAY" not in capsys.readouterr().out


# -- before there is a run ---------------------------------------------------------------------------------------------


def test_no_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPERATOR_HOME", str(tmp_path))
    arguments = ["etcd", "--scenario", "member-kill", "--auto", "--model", "rehearsal", "--display", "plain"]
    result = CliRunner().invoke(run_command, [*arguments, "--fallback"], obj=f"unix://{tmp_path}/nobody.sock")
    assert isinstance(result.exception, OperatorError) and result.exception.exit_status == Exit.ENVIRONMENT
    assert "1/8 Welcome" in result.output and "REPLAY: recorded on" in result.output
    assert not (tmp_path / "tickets.db").exists()


def test_no_recording(tmp_path: Path) -> None:
    for arguments in (["etcd", "--scenario", "quiet"], []):
        result = CliRunner().invoke(run_command, [*arguments, "--fallback", "--auto", "--model", "rehearsal"])
        assert isinstance(result.exception, UsageError), arguments
