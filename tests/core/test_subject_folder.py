"""Somebody's own subject, from a folder outside of the program."""

import importlib.util
import py_compile
import textwrap
from pathlib import Path

import pytest

from operator_demo import own_variables, subject
from operator_demo.errors import UsageError
from operator_demo.subject_code import SubjectCode

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


def load(path: str) -> subject.Found:
    return subject.load(path, agree=lambda code: None)


def write(folder: Path, text: str) -> str:
    (folder / "subject.py").write_text(textwrap.dedent(text))
    return str(folder)


def test_a_folder_is_loaded_with_its_neighbours(folder: Path) -> None:
    found = load(write(folder, WHOLE))
    assert (found.subject.name, found.subject.quorum, found.folder) == ("mine", 2, folder)


def test_an_absolute_import_of_its_neighbours_works_too(folder: Path) -> None:
    package = folder.name.replace("-", "_")
    assert load(write(folder, WHOLE.replace(".numbers", f"subjects.{package}.numbers"))).subject.quorum == 2


def test_what_the_subject_lacks_is_said(folder: Path) -> None:
    with pytest.raises(UsageError, match="lacks data_plane, quorum"):
        load(write(folder, WHOLE.replace(", quorum =", ", other =").replace("data_plane", "surface")))


@pytest.mark.parametrize(("text", "line", "why"), [
    ("import nowhere\n", 1, "ModuleNotFoundError"), ("\nx = 1 +\n", None, "SyntaxError"),
    ("\n1 / 0\n", 2, "ZeroDivision"), ("x = 1\n", None, "SUBJECT")])
def test_a_mistake_in_it_is_told_with_its_place(folder: Path, text: str, line: int | None, why: str) -> None:
    with pytest.raises(UsageError, match=why) as raised:
        load(write(folder, text))
    assert raised.value.message.startswith(f"{folder / 'subject.py'}" + (f":{line}" if line else ""))


def test_a_folder_called_as_one_of_ours_is_refused(tmp_path: Path) -> None:
    (tmp_path / "etcd").mkdir()
    (tmp_path / "etcd" / "compose.yaml").touch()
    with pytest.raises(UsageError, match="cannot be the name"):
        load(write(tmp_path / "etcd", WHOLE))


def test_an_unknown_name_tells_how_a_folder_is_given() -> None:
    with pytest.raises(UsageError) as raised:
        load("mine")
    assert "./my-subject" in raised.value.hint


def test_of_two_folders_with_one_name_each_is_loaded(tmp_path: Path) -> None:
    for place, quorum in (("a", "2"), ("b", "3")):
        folder = tmp_path / place / "twice"
        folder.mkdir(parents=True)
        (folder / "compose.yaml").write_text("services: {}\n")
        (folder / "numbers.py").write_text(f"QUORUM = {quorum}\n")
        assert load(write(folder, WHOLE)).subject.quorum == int(quorum)


def test_packages_in_the_folder_are_found(folder: Path) -> None:
    for package in ("with_init", "without_init"):
        (folder / package).mkdir()
        (folder / package / "numbers.py").write_text("from ..numbers import QUORUM\n")
    (folder / "with_init" / "__init__.py").write_text("")
    text = WHOLE.replace(".numbers import QUORUM",
                         ".with_init.numbers import QUORUM; from .without_init import numbers")
    assert load(write(folder, text)).subject.quorum == 2


def test_what_runs_is_what_was_agreed_to(folder: Path) -> None:
    """Somebody changes a file and adds another while the question is on the screen."""
    path = write(folder, WHOLE)

    def agree(code: SubjectCode) -> None:
        (folder / "numbers.py").write_text("QUORUM = 3\n")
        (folder / "subject.py").write_text("raise SystemExit('not agreed to')\n")

    assert subject.load(path, agree).subject.quorum == 2


def test_a_module_that_was_not_read_is_not_imported(folder: Path) -> None:
    path = write(folder, WHOLE)

    def agree(code: SubjectCode) -> None:
        (folder / "late.py").write_text("")
        (folder / "late_package").mkdir()

    module = type(subject.load(path, agree).subject).__module__
    for late in ("late", "late_package.nothing"):
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module(f"{module.rpartition('.')[0]}.{late}")


def test_compiled_files_in_the_folder_are_not_used(folder: Path) -> None:
    """A compiled file that claims to belong to a source is what Python itself would run."""
    path = write(folder, WHOLE)
    source = folder / "numbers.py"
    cached = Path(importlib.util.cache_from_source(str(source)))
    cached.parent.mkdir()
    other = folder.parent / "other.py"
    other.write_text("QUORUM = 9\n")
    py_compile.compile(str(other), str(cached), invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    py_compile.compile(str(other), str(folder / "sourceless.pyc"))
    assert load(path).subject.quorum == 2
    with pytest.raises(UsageError, match="ModuleNotFoundError"):
        load(write(folder, WHOLE.replace(".numbers", ".sourceless")))


def test_the_key_is_not_in_the_environment_of_the_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_variables, "_hidden", {})
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-0123456789")
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "token-0123456789")
    text = WHOLE + """
    import os, subprocess
    Mine.title = repr(dict(os.environ)) + subprocess.check_output("env").decode()
    """
    title = load(write(folder, text)).subject.title
    assert "0123456789" not in title and "PATH" in title
    assert own_variables.api_key() == "sk-ant-0123456789"
    assert own_variables.own_environment()["ANTHROPIC_AUTH_TOKEN"] == "token-0123456789"
