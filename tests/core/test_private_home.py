"""Nobody but the user reads what is recorded, also where the folder was there before."""

import os
import stat
from pathlib import Path

import pytest

from operator_demo.home import home, replace_json, store_path
from operator_demo.store import Store


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home that others can read, with a store and a journal."""
    there = tmp_path / "home"
    monkeypatch.setenv("OPERATOR_HOME", str(there))
    (there / "journal").mkdir(parents=True)
    for name in ("tickets.db", "journal/it.json"):
        (there / name).touch()
        (there / name).chmod(0o644)
    for open_one in (there, there / "journal"):
        open_one.chmod(0o755)
    return there


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_home_that_was_there_before_is_closed(folder: Path) -> None:
    home()
    assert [mode(path) for path in (folder, folder / "journal", folder / "journal/it.json", folder / "tickets.db")] == [
        0o700, 0o700, 0o600, 0o600]


def test_a_folder_of_other_things_stays_open_but_the_store_does_not(folder: Path) -> None:
    (folder / "thesis.txt").touch()
    (folder / "thesis.txt").chmod(0o644)
    with Store(store_path()):
        pass
    assert (mode(folder), mode(folder / "thesis.txt"), mode(folder / "tickets.db")) == (0o755, 0o644, 0o600)


def test_a_folder_for_everybody_stays_so(folder: Path) -> None:
    folder.chmod(0o1777)
    home()
    assert mode(folder) == 0o1777


def test_what_a_link_leads_to_is_left_alone(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o755)
    (folder / "trust").symlink_to(tmp_path / "elsewhere")
    home()
    assert (mode(folder), mode(tmp_path / "elsewhere")) == (0o700, 0o755)


def test_a_new_store_is_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with Store(tmp_path / "new" / "tickets.db") as store, store.transaction():
            store.execute("INSERT INTO tickets (ticket, run) VALUES ('t', 'r')")
            files = {path.name: mode(path) for path in (tmp_path / "new").iterdir()}
    finally:
        os.umask(before)
    assert files == {"tickets.db": 0o600, "tickets.db-journal": 0o600}
    assert mode(tmp_path / "new") == 0o700


def test_the_folders_above_a_new_file_are_private_too(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        replace_json(tmp_path / "home" / "trust" / "images" / "it.json", {})
    finally:
        os.umask(before)
    below = [tmp_path / "home", tmp_path / "home/trust", tmp_path / "home/trust/images"]
    assert [mode(path) for path in below] == [0o700] * 3
    assert mode(tmp_path / "home/trust/images/it.json") == 0o600
