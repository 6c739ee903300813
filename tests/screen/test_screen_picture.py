"""A picture of a recorded run is drawn by the live screen's own code."""

from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner
from story import story

from operator_demo import events
from operator_demo.commands.audit import audit
from operator_demo.errors import UsageError
from operator_demo.screen.picture import picture
from operator_demo.store import Store


def words(svg: str) -> str:
    return " ".join("".join(ElementTree.fromstring(svg).itertext()).replace("\xa0", " ").split())


def test_the_end_of_a_chapter_is_drawn() -> None:
    text = words(picture(story(), "repair", (120, 36), "a run"))
    assert "▶ Repair" in text and "docker start" in text
    assert "docker start" not in words(picture(story(), "fault", (120, 36), "a run"))


def test_a_chapter_that_was_never_reached() -> None:
    early = [e for e in story() if not (isinstance(e.data, events.Chapter) and e.data.name != "welcome")]
    with pytest.raises(UsageError, match="never reached the chapter verified"):
        picture(early, "verified", (80, 24), "a run")


def test_the_command_draws_the_last_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPERATOR_HOME", str(tmp_path))
    with Store(tmp_path / "tickets.db") as store:
        store.import_(e for e in story() if e.seq is not None)
    file = tmp_path / "screen.svg"
    result = CliRunner().invoke(audit, ["picture", "last", str(file), "--chapter", "end", "--columns", "80"],
                                catch_exceptions=False)
    assert result.exit_code == 0
    assert "etcd1" in words(file.read_text())
