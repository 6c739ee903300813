"""A run as an asciicast and as pictures, drawn by the live screen's own code."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pyte
import pytest
from click.testing import CliRunner, Result
from story import RUN, story

from operator_demo import events
from operator_demo.chapters import NAMES
from operator_demo.commands.record import record
from operator_demo.errors import UsageError
from operator_demo.home import store_path
from operator_demo.replay.cast import asciicast
from operator_demo.replay.folded import Folded
from operator_demo.replay.timeline import Timeline
from operator_demo.screen.picture import Painter
from operator_demo.store import Store

STORY = [e for e in story() if e.seq is not None]
SIZE = (120, 36)


@pytest.fixture
def recorded(home: Path) -> None:
    with Store(store_path()) as store:
        store.import_(STORY)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(record, list(arguments), catch_exceptions=False, standalone_mode=False)


# -- the terminal ------------------------------------------------------------------------------------------------------


def cast(record: list[events.Event], idle_limit: float = 2.0) -> tuple[dict[str, Any], list[tuple[float, str, str]]]:
    header, *lines = [json.loads(line) for line in asciicast(Timeline(record, idle_limit), SIZE, Painter(SIZE).lines)]
    return header, [tuple(line) for line in lines]


def test_it_keeps_to_the_format() -> None:
    header, lines = cast(STORY)
    assert header["version"] == 3 and header["term"] == {"cols": 120, "rows": 36, "type": "xterm-256color"}
    assert header["timestamp"] == int(STORY[0].at) and "REHEARSAL" in header["title"]
    for seconds, kind, text in lines:
        assert type(seconds) is float and seconds >= 0 and isinstance(text, str) and kind in ("o", "m", "x")
    assert lines[-1] == (0.0, "x", "0")


def test_its_times_are_those_of_the_run() -> None:
    _, lines = cast(STORY, idle_limit=1e9)
    assert sum(seconds for seconds, _, _ in lines) == pytest.approx(STORY[-1].at - STORY[0].at, abs=0.2)
    passed, at = 0.0, {}
    for seconds, kind, text in lines:
        passed += seconds
        if kind == "m":
            at[text] = passed
    told = {e.data.title: e.at - STORY[0].at for e in STORY if isinstance(e.data, events.Chapter)}
    assert at == pytest.approx(told, abs=0.15) and len(at) == len(NAMES)


def test_a_terminal_that_plays_it_shows_the_screen() -> None:
    _, lines = cast(STORY)
    output = [text for _, kind, text in lines if kind == "o"]
    state = Folded(STORY).state(len(STORY))
    whole = "\r\n".join(Painter(SIZE).lines(state, STORY[-1].at))
    assert played("".join(output[:-1])) == played(whole)
    assert "verified from outside" in " ".join(played(whole))


def played(text: str) -> list[str]:
    screen = pyte.Screen(*SIZE)
    pyte.Stream(screen).feed(text)
    return list(screen.display)


@pytest.mark.usefixtures("recorded")
def test_the_command_writes_it(tmp_path: Path) -> None:
    file = tmp_path / "run.cast"
    run(RUN, "-o", str(file), "--columns", "80", "--lines", "24")
    header = json.loads(file.read_text().splitlines()[0])
    assert (header["term"]["cols"], header["term"]["rows"]) == (80, 24)


# -- pictures ----------------------------------------------------------------------------------------------------------


def words(file: Path) -> str:
    return " ".join("".join(ElementTree.parse(file).getroot().itertext()).replace("\xa0", " ").split())


@pytest.mark.usefixtures("recorded")
def test_the_end_of_a_chapter_is_drawn(tmp_path: Path) -> None:
    file = tmp_path / "screen.svg"
    run("last", "-o", str(file), "--chapter", "repair")
    assert "well again" in words(file) and "docker start" in words(file)
    run("last", "-o", str(file), "--chapter", "fault")
    assert "docker start" not in words(file)


@pytest.mark.usefixtures("recorded")
def test_a_picture_of_each_chapter(tmp_path: Path) -> None:
    run("last", "--svg", str(tmp_path / "new"))
    files = sorted(tmp_path.glob("new/*.svg"))
    assert [file.name for file in files] == [f"{number}-{name}.svg" for number, name in enumerate(NAMES, 1)]
    assert all("etcd" in words(file) for file in files)


def test_a_chapter_that_was_never_reached(home: Path, tmp_path: Path) -> None:
    with Store(store_path()) as store:
        store.import_(STORY[:10])
    with pytest.raises(UsageError, match="never reached the chapter verified"):
        run("last", "-o", str(tmp_path / "screen.svg"))


@pytest.mark.usefixtures("recorded")
def test_what_cannot_be_written() -> None:
    for arguments in (("last",), ("last", "-o", "x.gif"), ("last", "-o", "x.cast", "--svg", "folder")):
        with pytest.raises(UsageError):
            run(*arguments)
