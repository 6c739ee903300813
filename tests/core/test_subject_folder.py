"""Somebody's own subject, from a folder outside of the program."""

import textwrap
from pathlib import Path

import pytest

from operator_demo import subject
from operator_demo.errors import UsageError

WHOLE = """
    from .numbers import QUORUM

    class Mine:
        name, title, invariants, members, quorum = "mine", "My system", (), ("a", "b", "c"), QUORUM
        def observe(self, members, deadline): ...
        def violations(self, observation): ...
        def data_plane(self, members, deadline): ...
        def agreement(self, members, keys, deadline): ...
        def redundancy(self, baseline, now): ...
        def client(self, address, timeout): ...

    SUBJECT = Mine()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / f"mine-{tmp_path.name.replace('_', '-')}"
    made.mkdir()
    (made / "compose.yaml").write_text("services: {}\n")
    (made / "numbers.py").write_text("QUORUM = 2\n")
    return made


def write(folder: Path, text: str) -> str:
    (folder / "subject.py").write_text(textwrap.dedent(text))
    return str(folder)


def test_a_folder_is_loaded_with_its_neighbours(folder: Path) -> None:
    found = subject.load(write(folder, WHOLE))
    assert (found.subject.name, found.subject.quorum, found.folder) == ("mine", 2, folder)


def test_an_absolute_import_of_its_neighbours_works_too(folder: Path) -> None:
    package = folder.name.replace("-", "_")
    assert subject.load(write(folder, WHOLE.replace(".numbers", f"subjects.{package}.numbers"))).subject.quorum == 2


@pytest.mark.parametrize("missing", ["subject.py", "compose.yaml"])
def test_what_the_folder_lacks_is_said(folder: Path, missing: str) -> None:
    path = write(folder, WHOLE)
    (folder / missing).unlink()
    with pytest.raises(UsageError, match=f"no {missing}"):
        subject.load(path)


def test_what_the_subject_lacks_is_said(folder: Path) -> None:
    with pytest.raises(UsageError, match="lacks data_plane, quorum"):
        subject.load(write(folder, WHOLE.replace(", quorum =", ", other =").replace("data_plane", "surface")))


@pytest.mark.parametrize(("text", "line", "why"), [
    ("import nowhere\n", 1, "ModuleNotFoundError"), ("\nx = 1 +\n", None, "SyntaxError"),
    ("\n1 / 0\n", 2, "ZeroDivision"), ("x = 1\n", None, "SUBJECT")])
def test_a_mistake_in_it_is_told_with_its_place(folder: Path, text: str, line: int | None, why: str) -> None:
    with pytest.raises(UsageError, match=why) as raised:
        subject.load(write(folder, text))
    assert raised.value.message.startswith(f"{folder / 'subject.py'}" + (f":{line}" if line else ""))


def test_a_folder_called_as_one_of_ours_is_refused(tmp_path: Path) -> None:
    (tmp_path / "etcd").mkdir()
    (tmp_path / "etcd" / "compose.yaml").touch()
    with pytest.raises(UsageError, match="cannot be the name"):
        subject.load(write(tmp_path / "etcd", WHOLE))


def test_an_unknown_name_tells_how_a_folder_is_given() -> None:
    with pytest.raises(UsageError) as raised:
        subject.load("mine")
    assert "./my-subject" in raised.value.hint
