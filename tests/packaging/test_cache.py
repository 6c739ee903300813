"""Where the file unpacks itself, whom it trusts there, and what it removes."""

import os
import pwd
import re
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from single_file import Run, go

NOBODY = pwd.getpwnam("nobody").pw_uid
SYSTEMS_PYTHON = "/usr/bin/python3"  # one that another user may run
as_root = pytest.mark.skipif(os.getuid() != 0, reason="needs root, to be several users")

Make = Callable[[str], Path]


def entries(root: Path) -> list[str]:
    """What is in the cache, hidden things and unfinished ones included, without the ids of builds."""
    return sorted(re.sub(r"_[0-9a-f]{64}", "_ID", name) for name in os.listdir(root))


def ran(result: "subprocess.CompletedProcess[str]", word: str = "a") -> Path:
    """That it ran, and where it was unpacked."""
    assert (result.returncode, result.stderr) == (0, "")
    said, _, place = result.stdout.rstrip("\n").partition(" ")
    assert said == word
    return Path(place)


def refused(result: "subprocess.CompletedProcess[str]", words: str) -> None:
    """That one sentence says so, and nothing was run."""
    assert (result.returncode, result.stdout, result.stderr.count("\n")) == (3, "", 1), result.stderr
    assert result.stderr.startswith("operator-demo: ")
    assert words in result.stderr


# -- where ------------------------------------------------------------------------------------------------------------


def test_shiv_root_is_made_where_it_is_missing(small: Run, tmp_path: Path) -> None:
    root = tmp_path / "new/place"
    assert ran(small(SHIV_ROOT=str(root))).parent.parent == root
    assert entries(root) == ["operator-demo_ID"]


def test_shiv_root_may_be_relative_or_begin_with_a_tilde(small: Run, tmp_path: Path) -> None:
    assert ran(small(SHIV_ROOT="there", cwd=tmp_path)).parent.parent == tmp_path / "there"
    assert ran(small(SHIV_ROOT="~/here", HOME=str(tmp_path))).parent.parent == tmp_path / "here"


def test_a_changed_shiv_root_unpacks_there(small: Run, tmp_path: Path) -> None:
    for name in ("one", "other"):
        assert ran(small(SHIV_ROOT=str(tmp_path / name))).parent.parent == tmp_path / name
    assert entries(tmp_path / "one") == ["operator-demo_ID"]


@pytest.mark.parametrize("root", [None, ""])
def test_without_shiv_root_it_unpacks_into_the_home(small: Run, tmp_path: Path, root: str | None) -> None:
    assert ran(small(HOME=str(tmp_path), SHIV_ROOT=root)).parent.parent == tmp_path / ".shiv"
    assert stat.S_IMODE((tmp_path / ".shiv").stat().st_mode) == 0o700


@pytest.mark.parametrize("umask", [0, 0o022, 0o077])
def test_what_is_unpacked_belongs_to_one_user_alone_whatever_the_umask(small: Run, tmp_path: Path, umask: int) -> None:
    packages = ran(small(HOME=str(tmp_path), umask=umask))
    assert stat.S_IMODE(packages.parent.stat().st_mode) == 0o700
    assert ran(small(HOME=str(tmp_path), umask=0)) == packages, "with what Python compiled at the first start"


def test_the_umask_of_the_program_is_the_users(small_file: Make, tmp_path: Path) -> None:
    script = "import os, runpy, sys; sys.argv = sys.argv[1:]; " \
             "import atexit; atexit.register(lambda: print(oct(os.umask(0)))); " \
             "runpy.run_path(sys.argv[0], run_name='__main__')"
    result = subprocess.run([sys.executable, "-IS", "-c", script, small_file("a")], umask=0o031, capture_output=True,
                            text=True, env={"SHIV_ROOT": str(tmp_path)}, check=True)
    assert result.stdout.splitlines()[-1] == "0o31"


@pytest.fixture
def open_file(small_file: Make, temp: Path) -> Path:
    """The file where every user can read it."""
    return Path(shutil.copy(small_file("a"), temp / "file"))


@pytest.fixture
def by_nobody(open_file: Path, temp: Path) -> Run:
    """Start the file as a user without rights."""
    return partial(go, open_file, python=SYSTEMS_PYTHON, user=NOBODY, TMPDIR=str(temp))


@as_root
@pytest.mark.parametrize("home", ["/usr", "/nonexistent", "/dev/null", None])
def test_without_a_home_to_write_to_it_unpacks_where_only_that_user_can(
    by_nobody: Run, temp: Path, home: str | None
) -> None:
    root = ran(by_nobody(HOME=home)).parent.parent
    assert root == temp / f"operator-demo-{NOBODY}"
    assert (stat.S_IMODE(root.stat().st_mode), root.stat().st_uid) == (0o700, NOBODY)
    assert ran(by_nobody(HOME=home)).parent.parent == root


def test_a_home_on_a_read_only_file_system(small: Run, mounted: Callable[[str], Path], temp: Path) -> None:
    home = mounted("size=2m")
    again = ["mount", "-o", "remount,ro", home]
    subprocess.run(again, check=True)
    assert ran(small(HOME=str(home), TMPDIR=str(temp))).is_relative_to(temp)
    subprocess.run(["mount", "-o", "remount,rw", home], check=True)
    inside = ran(small(HOME=str(home), TMPDIR=str(temp)))
    assert inside.is_relative_to(home)
    subprocess.run(again, check=True)
    assert ran(small(HOME=str(home), TMPDIR=str(temp))) == inside, "what is there can be used"


def test_the_real_file_with_a_read_only_home(
    start: Run, mounted: Callable[[str], Path], cache: Path
) -> None:
    """Not only its first lines: what reads must not want to write."""
    home = mounted("size=2m,ro")
    for command in (["subjects"], ["audit", "list"], ["tickets", "list"], ["completion", "bash"]):
        result = start(*command, HOME=str(home), OPERATOR_HOME=None)
        assert "Traceback" not in result.stderr
        assert result.returncode in (0, 3), result.stderr
        assert result.stderr.count("\n") <= 2


@pytest.mark.parametrize("options", ["noexec", "noexec,nosuid,nodev"])
def test_a_temporary_folder_from_which_nothing_may_be_executed(
    small: Run, mounted: Callable[[str], Path], options: str
) -> None:
    place = mounted(f"size=2m,mode=1777,{options}")
    assert ran(small(HOME=None if os.getuid() else "/nonexistent", TMPDIR=str(place))).is_relative_to(place)


@as_root
def test_nowhere_to_write_is_one_sentence(by_nobody: Run, temp: Path) -> None:
    refused(by_nobody(SHIV_ROOT="/usr/nothing"), "cannot unpack into /usr/nothing: Permission denied. Set SHIV_ROOT")
    refused(by_nobody(SHIV_ROOT="/dev/null"), "cannot unpack into /dev/null: File exists. Set SHIV_ROOT")
    (temp / f"operator-demo-{NOBODY}").symlink_to("/usr")
    refused(by_nobody(HOME="/nonexistent"), "is not a folder that only you can write")


def test_a_full_disk_is_one_sentence_and_leaves_nothing(start: Run, mounted: Callable[[str], Path]) -> None:
    root = mounted("size=1m")
    refused(start("--version", SHIV_ROOT=str(root)), f"cannot unpack into {root}: No space left on device. Set SHIV_")
    assert entries(root) == []


# -- whom it trusts ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [0o777, 0o775, 0o757])
def test_a_shiv_root_that_others_can_write_is_refused(small: Run, tmp_path: Path, mode: int) -> None:
    root = tmp_path / "root"
    root.mkdir()
    root.chmod(mode)
    refused(small(SHIV_ROOT=str(root)), f"others can write {root}. Set SHIV_ROOT to a folder that only you can write.")
    root.chmod(0o1777)  # where nobody can replace what is another's
    ran(small(SHIV_ROOT=str(root)))


@pytest.mark.parametrize("which", ["home", "home/.shiv"])
def test_a_home_that_others_can_write_is_not_used(small: Run, temp: Path, tmp_path: Path, which: str) -> None:
    (tmp_path / "home/.shiv").mkdir(parents=True)
    (tmp_path / which).chmod(0o777)
    assert ran(small(HOME=str(tmp_path / "home"), TMPDIR=str(temp))).is_relative_to(temp)
    assert entries(tmp_path / "home/.shiv") == []


@as_root
def test_the_home_of_another_user_is_not_used(small: Run, temp: Path) -> None:
    """As under `sudo` with the user's HOME: root must not run what the user put there, nor leave its files."""
    home = temp / "home"
    home.mkdir()
    os.chown(home, NOBODY, NOBODY)
    assert ran(small(HOME=str(home), TMPDIR=str(temp))).is_relative_to(temp / "operator-demo-0")
    assert entries(home) == []


@as_root
def test_an_entry_that_another_user_made_is_refused(by_nobody: Run, open_file: Path, temp: Path) -> None:
    root = temp / "shared"
    root.mkdir()
    root.chmod(0o1777)
    place = ran(by_nobody(SHIV_ROOT=str(root)))
    (place / "operator_demo/late.py").write_text("WORD = 'stolen'\n")
    refused(go(open_file, SHIV_ROOT=str(root)), f"{place.parent} can be written by others. Remove it, or set SHIV_ROOT")


def test_an_entry_that_others_can_write_is_refused(small: Run, tmp_path: Path) -> None:
    entry = ran(small(SHIV_ROOT=str(tmp_path / "root"))).parent
    entry.chmod(0o770)
    refused(small(SHIV_ROOT=str(tmp_path / "root")), f"{entry} can be written by others.")


def test_an_entry_that_is_a_link_is_refused(small: Run, tmp_path: Path) -> None:
    entry = ran(small(SHIV_ROOT=str(tmp_path / "root"))).parent
    entry.rename(tmp_path / "elsewhere")
    entry.symlink_to(tmp_path / "elsewhere")
    refused(small(SHIV_ROOT=str(tmp_path / "root")), f"cannot read {entry}: ")


@as_root
@pytest.mark.parametrize("mode", [0o700, 0o777])
def test_a_folder_that_somebody_else_made_in_temp_is_refused(by_nobody: Run, temp: Path, mode: int) -> None:
    folder = temp / f"operator-demo-{NOBODY}"
    folder.mkdir()
    folder.chmod(mode)  # root's
    refused(by_nobody(HOME="/nonexistent"), "is not a folder that only you can write. Remove it, or set SHIV_ROOT.")
    folder.rmdir()
    temp.chmod(0o777)  # where everybody can replace everything
    refused(by_nobody(HOME="/nonexistent"), "is not a folder that only you can write.")


# -- damage -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", ["a file", "an empty folder", "a folder without packages"])
def test_what_is_no_entry_is_replaced(small: Run, tmp_path: Path, damage: str) -> None:
    root = tmp_path / "root"
    entry = ran(small(SHIV_ROOT=str(root))).parent
    shutil.rmtree(entry)
    if damage == "a file":
        entry.touch()
    else:
        entry.mkdir()
        if damage != "an empty folder":
            (entry / "other").touch()
    assert ran(small(SHIV_ROOT=str(root))).parent == entry
    assert ran(small(SHIV_ROOT=str(root))).parent == entry


def test_an_entry_of_which_something_was_removed_says_what_to_do(small: Run, tmp_path: Path) -> None:
    packages = ran(small(SHIV_ROOT=str(tmp_path)))
    (packages / "operator_demo/late.py").unlink()
    shutil.rmtree(packages / "operator_demo/__pycache__")
    refused(small(SHIV_ROOT=str(tmp_path)), "No module named 'operator_demo.late': something was removed from "
                                            f"{packages}. Remove all of that and start again.")
    shutil.rmtree(packages / "operator_demo")
    refused(small(SHIV_ROOT=str(tmp_path)), "No module named 'operator_demo'")
    shutil.rmtree(packages)
    ran(small(SHIV_ROOT=str(tmp_path)))


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "it did not come to this"
        time.sleep(0.002)


def test_a_first_start_that_was_killed_while_it_unpacked(built_file: Path, start: Run, tmp_path: Path) -> None:
    root = tmp_path / "root"
    process = subprocess.Popen([sys.executable, "-IS", built_file, "--version"], env={"SHIV_ROOT": str(root)},
                               stdout=subprocess.DEVNULL)
    wait_for(lambda: any(root.glob("*.tmp/site-packages/*/*.py")))
    process.send_signal(signal.SIGSTOP)
    assert len(list(root.glob("*.tmp"))) == 1, "it was done before it could be killed"
    process.kill()
    process.wait()
    assert entries(root) != ["operator-demo_ID"]
    assert start("--version", SHIV_ROOT=str(root)).returncode == 0
    assert entries(root) == ["operator-demo_ID"]
    assert start("subjects", SHIV_ROOT=str(root)).returncode == 0


def test_a_first_start_that_is_interrupted_leaves_nothing(built_file: Path, tmp_path: Path) -> None:
    for attempt in range(10):
        root = tmp_path / f"root{attempt}"
        process = subprocess.Popen([sys.executable, "-IS", built_file, "--version"], env={"SHIV_ROOT": str(root)},
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
        wait_for(lambda root=root: any(root.glob("*.tmp/site-packages/*/*.py")))  # type: ignore[misc]
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=60)
        if process.returncode != 0:  # else it was done before the signal came
            break
    assert said == ("", "")
    assert process.returncode == 130
    assert entries(root) == []


# -- several at once, and pruning -------------------------------------------------------------------------------------


@pytest.fixture
def held(small_file: Make) -> Iterator[Callable[[str, Path], "subprocess.Popen[str]"]]:
    """held("word", root): such a file, running."""
    running: list[subprocess.Popen[str]] = []

    def begin(word: str, root: Path) -> "subprocess.Popen[str]":
        process = subprocess.Popen([sys.executable, "-IS", small_file(word), "wait"], env={"SHIV_ROOT": str(root)},
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        running.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "here\n"
        return process

    yield begin
    for process in running:
        process.kill()
        process.communicate()


def test_unpacking_prunes_what_earlier_builds_left(small_file: Make, tmp_path: Path) -> None:
    ran(go(small_file("old"), SHIV_ROOT=str(tmp_path)), "old")
    foreign = ["other-tool_" + "0" * 64, ".other_lock", "operator-demo.pyz_" + "0" * 64]
    for name in foreign:
        (tmp_path / name / "site-packages").mkdir(parents=True)
    for name in ("operator-demo_x.tmp", "operator-demo_y.abc.tmp", "operator-demo_z"):
        (tmp_path / name / "site-packages").mkdir(parents=True)
    (tmp_path / "target").mkdir()
    (tmp_path / "operator-demo_link").symlink_to(tmp_path / "target")
    ran(go(small_file("a"), SHIV_ROOT=str(tmp_path)))
    left = sorted([*foreign, "target", "operator-demo_link"])
    found = sorted(os.listdir(tmp_path))
    assert [name for name in found if not re.fullmatch(r"operator-demo_[0-9a-f]{64}", name)] == left
    assert len(found) == len(left) + 1


def test_a_start_that_finds_its_entry_prunes_nothing(small_file: Make, small: Run, tmp_path: Path) -> None:
    ran(small(SHIV_ROOT=str(tmp_path)))
    (tmp_path / "operator-demo_z").mkdir()
    ran(small(SHIV_ROOT=str(tmp_path)))
    assert (tmp_path / "operator-demo_z").exists()


def test_what_a_running_process_uses_is_not_pruned(
    small_file: Make, held: Callable[[str, Path], "subprocess.Popen[str]"], tmp_path: Path
) -> None:
    process = held("old", tmp_path)
    ran(go(small_file("a"), SHIV_ROOT=str(tmp_path)))
    assert entries(tmp_path) == ["operator-demo_ID"] * 2
    said, _ = process.communicate("", timeout=60)  # it goes on, and imports what it has not yet
    assert said.startswith("old ")
    assert process.returncode == 0
    ran(go(small_file("b"), SHIV_ROOT=str(tmp_path)), "b")
    assert entries(tmp_path) == ["operator-demo_ID"]


def side_by_side(files: list[Path], root: Path) -> list[str]:
    processes = [subprocess.Popen([sys.executable, "-IS", file], env={"SHIV_ROOT": str(root)}, text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for file in files]
    return [process.communicate(timeout=120)[0].partition(" ")[0] for process in processes]


def test_first_starts_side_by_side_unpack_once(built_file: Path, tmp_path: Path) -> None:
    processes = [subprocess.Popen([sys.executable, "-IS", built_file, "--version"], env={"SHIV_ROOT": str(tmp_path)},
                                  stdout=subprocess.PIPE, text=True) for _ in range(6)]
    most = 0
    while any(process.poll() is None for process in processes):
        most = max(most, len(list(tmp_path.glob("*.tmp"))))
        time.sleep(0.005)
    assert all(process.communicate()[0].startswith("operator-demo ") for process in processes)
    assert most == 1
    assert entries(tmp_path) == ["operator-demo_ID"]


def test_builds_started_side_by_side_do_not_take_each_others_files(small_file: Make, tmp_path: Path) -> None:
    words = ["a", "b", "c"] * 4
    for _ in range(3):
        assert side_by_side([small_file(word) for word in words], tmp_path) == words
    assert set(entries(tmp_path)) == {"operator-demo_ID"}


@pytest.mark.wide
def test_builds_started_side_by_side_for_long(small_file: Make, tmp_path: Path) -> None:
    words = ["a", "b", "c", "d"] * 4
    for _ in range(40):
        assert side_by_side([small_file(word) for word in words], tmp_path) == words


def test_the_cache_serves_a_file_system_without_locks(small_file: Make, tmp_path: Path) -> None:
    """Then each fills a folder of its own, one of them gets the name, and nothing is pruned."""
    script = "import fcntl, runpy, sys\n" \
             "def flock(*_): raise OSError(95, 'not supported')\n" \
             "fcntl.flock = flock\n" \
             "sys.argv = sys.argv[1:]\n" \
             "runpy.run_path(sys.argv[0], run_name='__main__')"
    (tmp_path / "operator-demo_old").mkdir()
    processes = [subprocess.Popen([sys.executable, "-IS", "-c", script, small_file("a")], text=True,
                                  env={"SHIV_ROOT": str(tmp_path)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                 for _ in range(6)]
    for process in processes:
        said, complaint = process.communicate(timeout=60)
        assert (process.returncode, complaint) == (0, "")
        assert said.startswith("a ")
    assert entries(tmp_path) == ["operator-demo_ID", "operator-demo_old"]
