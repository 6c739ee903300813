"""What is deleted is gone from the store and from the file; nothing else is touched."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from story import RUN, story

from operator_demo import events
from operator_demo.commands import output
from operator_demo.commands.audit import audit
from operator_demo.errors import OperatorError, UsageError
from operator_demo.home import store_path
from operator_demo.store import Store
from operator_demo.verify import verify_run

STORY = [e for e in story() if e.seq is not None]


def run(*arguments: str, answer: str = "") -> Result:
    return CliRunner().invoke(audit, ["delete", *arguments], input=answer, catch_exceptions=False,
                              standalone_mode=False)


def renamed(suffix: str, age: timedelta = timedelta(0), *, ended: bool = True) -> list[events.Event]:
    """The story as another run, so long ago."""
    later = datetime.now(UTC).timestamp() - age.total_seconds() - STORY[-1].at
    return [replace(e, run=f"run-{suffix}", ticket=e.ticket and f"tkt-{suffix}", session=e.session and f"ses-{suffix}",
                    ts=events.timestamp(datetime.fromtimestamp(e.at + later, UTC)))
            for e in STORY if ended or e.type != "run_finished"]


def fill(*runs: list[events.Event]) -> None:
    with Store(store_path()) as store:
        for many in runs:
            store.import_(many)


def left() -> list[str]:
    with Store(store_path()) as store:
        return [row["run"] for row in store.rows("SELECT run FROM runs ORDER BY run")]


def test_a_run_is_gone_and_the_others_are_whole(home: Path) -> None:
    secret = [*renamed("bad"), replace(renamed("bad")[-1], seq=900, type="note",
                                       raw={"level": "info", "text": "correct horse battery"})]
    fill(STORY, secret)
    (home / "aside/run-bad").mkdir(parents=True)
    assert b"correct horse battery" in store_path().read_bytes()
    assert "run-bad was deleted" in run("run-bad", "--yes").output
    with Store(store_path()) as store:
        assert not store.holds("run-bad")
        assert store.rows("SELECT * FROM tickets WHERE run='run-bad'") == []
        assert store.rows("SELECT * FROM agent_sessions WHERE run='run-bad'") == []
        assert verify_run(store, RUN).whole
    assert b"correct horse battery" not in store_path().read_bytes()
    assert not (home / "aside/run-bad").exists()


def test_old_runs(home: Path) -> None:
    fill(renamed("new", timedelta(days=3)), renamed("old", timedelta(days=100)),
         renamed("cut", timedelta(days=100), ended=False))
    assert run("--older-than", "90d", "--yes").exit_code == 0
    assert left() == ["run-new"]
    assert "No run is that old" in run("--older-than", "1w", "--yes").output


def test_a_run_that_may_go_on_is_kept(home: Path) -> None:
    fill(renamed("now", ended=False))
    with pytest.raises(UsageError, match="has no end yet"):
        run("run-now", "--yes")
    run("--older-than", "0d", "--yes")
    assert left() == ["run-now"]


def test_it_asks(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(STORY)
    with pytest.raises(UsageError, match="Nobody can be asked"):
        run(RUN)
    monkeypatch.setattr(output, "on_terminal", lambda: True)
    result = CliRunner().invoke(audit, ["delete", RUN], input="no\n")
    assert result.exit_code == 1 and RUN in result.output
    assert left() == [RUN]
    CliRunner().invoke(audit, ["delete", RUN], input="yes\n", catch_exceptions=False)
    assert left() == []


@pytest.mark.parametrize("arguments", [(), (RUN, "--older-than", "90d"), ("--older-than", "soon"),
                                       ("--older-than", "-3d"), ("", "--yes"), ("run-none", "--yes")])
def test_what_it_does_not_understand(home: Path, arguments: tuple[str, ...]) -> None:
    fill(STORY)
    with pytest.raises(UsageError):
        run(*arguments)
    assert left() == [RUN]


def test_without_a_store_none_is_made(home: Path) -> None:
    with pytest.raises(OperatorError, match="There is no store"):
        run("--older-than", "90d", "--yes")
    assert not home.exists()
