import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from operator_demo import proven, subject
from operator_demo.chaos import scenario
from operator_demo.commands import subjects
from operator_demo.errors import UsageError

GOOD = "title: T\nfault: {kind: kill}\ncause: process_killed\ninvariants: [member_down]\n"


def call(*arguments: str) -> Result:
    result = CliRunner().invoke(subjects.scenarios, list(arguments))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.mark.parametrize("arguments", [[], ["etcd"], ["list"], ["list", "etcd"]])
def test_all_are_listed_with_what_is_right_and_what_was_seen(
        arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proven, "read", lambda *_: {"quiet": {"outcome": "no_action"}})
    lines = call(*arguments).output.splitlines()
    names = scenario.names(subject.load("etcd").folder)
    assert [line.split()[0] for line in lines[1:]] == names
    quiet, kill = (next(line for line in lines if line.startswith(name)) for name in ("quiet", "member-kill"))
    assert "no_action  no_action" in quiet
    assert subjects.NOT_RUN in kill
    assert kill.endswith("(default)")


def test_the_list_is_json_too() -> None:
    rows = {row["name"]: row for row in json.loads(call("list", "--json").output)}
    assert rows["noisy-load"]["outcome"] == "escalated"
    assert [name for name, row in rows.items() if row["default"]] == ["member-kill"]


def test_one_is_shown_with_notes_and_repair() -> None:
    shown = call("show", "space-alarm").output
    assert "db_space_alarm" in shown
    assert "/v3/maintenance/defragment" in shown
    assert "for the speaker" in shown


def test_files_are_checked_and_each_mistake_is_named(tmp_path: Path) -> None:
    good, bad, worse = (tmp_path / f"{name}.yaml" for name in ("good", "bad", "worse"))
    good.write_text(GOOD)
    bad.write_text(GOOD.replace("kill}", "melt}"))
    worse.write_text("{")
    assert call("check", str(good)).exit_code == 0
    result = call("check", str(bad), str(good), str(worse))
    assert result.exit_code == 2
    assert f"{good}: ok: T" in result.output
    assert f"{bad}:2: fault.kind: 'melt' is none of" in result.output
    assert f"{worse}:" in result.output


def test_a_name_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a scenario file"):
        call("check", "quiet")
    with pytest.raises(UsageError, match="There is no subject 'nothing'"):
        call("nothing")
