"""A fault's record names its subject by a folder. What is in that folder by now runs only if somebody agreed to it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from operator_demo import trust
from operator_demo.chaos.journal import INJECTED, FaultJournal, Record
from operator_demo.home import home
from operator_demo.subject_code import read_code


@pytest.mark.parametrize("command", [("chaos", "status"), ("chaos", "revert"), ("down",)], ids=" ".join)
def test_a_folder_that_has_changed_since_does_not_run(command: tuple[str, ...], short: Path, fake_engine: Any,
                                                      operator_demo: Callable[..., Any],
                                                      monkeypatch: pytest.MonkeyPatch) -> None:
    folder, marker = short / "mine", short / "ran"
    folder.mkdir()
    (folder / "compose.yaml").write_text("services: {a: {image: x}}\n")
    (folder / "subject.py").write_text("SUBJECT = None\n")
    trust.remember(read_code(folder))
    (folder / "subject.py").write_text(f"import pathlib\npathlib.Path({str(marker)!r}).touch()\nSUBJECT = None\n")
    journal = FaultJournal(home(), "fake", "p")
    with journal.lock():
        journal.put(Record("flt-1", "run-1", str(folder), "decoy", "p_default", "", [], {}, {}, at=1.0,
                           phase=INJECTED))
    done = operator_demo("--host", fake_engine.url, *command, "--project", "p")
    assert "nobody has agreed" in done.said
    assert not marker.exists()
