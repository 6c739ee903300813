"""tools/pack.py: the same trees give the same bytes, and a tree that is not what its wheels brought is refused."""

import os
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from single_file import ROOT, pack, tree

NOBODY = 65534


@pytest.fixture
def plain(tmp_path: Path) -> bytes:
    """What one tree gives without anything special."""
    pack(tmp_path / "plain", tree(tmp_path / "plain.tree"))
    return (tmp_path / "plain").read_bytes()


def under_umask(umask: int, work: Callable[[], object]) -> None:
    before = os.umask(umask)
    try:
        work()
    finally:
        os.umask(before)


def test_umask_order_times_zone_locale_and_place_do_not_count(tmp_path: Path, plain: bytes) -> None:
    elsewhere = tmp_path / "an other place"
    elsewhere.mkdir()
    other = elsewhere / "tree"
    under_umask(0o077, lambda: tree(other, order=lambda names: sorted(names, reverse=True)))
    for number, path in enumerate(sorted(other.rglob("*"))):
        os.utime(path, (number * 1e6, number * 1e6))
    under_umask(0o077, lambda: pack(elsewhere / "file", other, TZ="Pacific/Auckland", LC_ALL="C", PYTHONHASHSEED="7"))
    assert (elsewhere / "file").read_bytes() == plain


@pytest.mark.skipif(os.getuid() != 0, reason="needs root, to be another user")
def test_the_user_does_not_count(plain: bytes, temp: Path) -> None:
    if subprocess.run(["/usr/bin/python3", "-c", "import sys; assert sys.version_info >= (3, 11)"]).returncode:
        pytest.skip("no Python that another user may run")
    shutil.copy(ROOT / "tools/pack.py", temp)
    (shiv,) = (ROOT / ".build/venv/lib").glob("python*/site-packages/shiv")
    shutil.copytree(shiv, temp / "libraries/shiv")
    tree(temp / "tree")
    for path in [temp, *temp.rglob("*")]:
        os.chown(path, NOBODY, NOBODY)
    subprocess.run(["/usr/bin/python3", "-B", temp / "pack.py", temp / "file", temp / "tree"], user=NOBODY, check=True,
                   env={"PYTHONPATH": str(temp / "libraries"), "SOURCE_DATE_EPOCH": "1700000000"})
    assert (temp / "file").stat().st_uid == NOBODY
    assert (temp / "file").read_bytes() == plain


@pytest.mark.parametrize(("epoch", "date"), [
    ("1700000000", (2023, 11, 14, 22, 13, 20)),
    ("1700000002", (2023, 11, 14, 22, 13, 22)),
    ("0", (1980, 1, 1, 0, 0, 0)),  # older than a zip file can say
])
def test_the_times_inside_are_those_asked_for(tmp_path: Path, epoch: str, date: tuple[int, ...]) -> None:
    pack(tmp_path / "file", tree(tmp_path / "tree"), SOURCE_DATE_EPOCH=epoch, TZ="Asia/Tokyo")
    with zipfile.ZipFile(tmp_path / "file") as archive:
        assert {entry.date_time for entry in archive.infolist()} == {date}


def test_other_content_gives_another_cache_entry(tmp_path: Path, plain: bytes) -> None:
    pack(tmp_path / "other", tree(tmp_path / "other.tree", "b"))
    mains = {zipfile.ZipFile(tmp_path / name).read("__main__.py") for name in ("plain", "other")}
    assert len(mains) == 2
    assert not any(b"@BUILD_ID@" in main for main in mains)


def test_of_another_machine_only_compiled_modules_go_in(tmp_path: Path) -> None:
    first, second = tree(tmp_path / "first"), tree(tmp_path / "second")
    (second / "jiter/__init__.py").write_text("")
    module = "jiter/jiter.cpython-313-x86_64-linux-gnu.so"
    (second / module).rename(second / module.replace("x86_64", "aarch64"))
    record = second / "jiter-1.dist-info/RECORD"
    record.write_text(record.read_text().replace("x86_64", "aarch64"))
    pack(tmp_path / "file", first, second)
    names = zipfile.ZipFile(tmp_path / "file").namelist()
    assert f"site-packages/{module}" in names
    assert f"site-packages/{module.replace('x86_64', 'aarch64')}" in names
    assert len(names) == len(set(names))


def test_console_scripts_stay_out(tmp_path: Path) -> None:
    pack(tmp_path / "file", tree(tmp_path / "tree"))
    with zipfile.ZipFile(tmp_path / "file") as archive:
        assert [name for name in archive.namelist() if "bin/" in name] == []
        assert b"bin/" not in archive.read("site-packages/operator_demo-1.dist-info/RECORD")


def changed(folder: Path) -> None:
    with (folder / "jiter/__init__.py").open("a") as opened:
        opened.write("import os\n")


def unrecorded_hash(folder: Path) -> None:
    changed(folder)
    record = folder / "jiter-1.dist-info/RECORD"
    rows = record.read_text().splitlines()
    record.write_text("\n".join("jiter/__init__.py,," if row.startswith("jiter/__init__") else row for row in rows))


def linked(folder: Path) -> None:
    (folder / "jiter/more.py").symlink_to("__init__.py")


def linked_folder(folder: Path) -> None:
    (folder / "more").symlink_to("/usr")


@pytest.mark.parametrize("which", [0, 1], ids=["first tree", "other tree"])
@pytest.mark.parametrize(("damage", "words"), [
    (changed, "jiter/__init__.py is not as its wheel's RECORD says"),
    (unrecorded_hash, "jiter/__init__.py is not as its wheel's RECORD says"),
    (lambda folder: (folder / "operator_demo/late.py").unlink(),
     "operator_demo/late.py is missing, and its wheel's RECORD names it"),
    (lambda folder: (folder / "jiter/stray.py").touch(), "jiter/stray.py is in no wheel's RECORD"),
    (lambda folder: (folder / "hook.pth").touch(), "hook.pth is in no wheel's RECORD"),
    (lambda folder: (folder / "jiter-1.dist-info/RECORD").unlink(), "jiter/__init__.py is in no wheel's RECORD"),
    (linked, "jiter/more.py is a symbolic link; no wheel brings one"),
    (linked_folder, "more is a symbolic link; no wheel brings one"),
], ids=["changed", "hash removed", "missing", "extra", "start-up hook", "no RECORD", "link", "link to a folder"])
def test_what_is_not_as_the_wheels_brought_it_is_refused(
    tmp_path: Path, damage: Callable[[Path], None], words: str, which: int
) -> None:
    trees = [tree(tmp_path / "first"), tree(tmp_path / "second")]
    damage(trees[which])
    result = pack(tmp_path / "file", *trees, check=False)
    assert (result.returncode, result.stdout, result.stderr) == (1, "", f"pack: {words}\n")
    assert not (tmp_path / "file").exists()


@pytest.mark.parametrize(("name", "words"), [
    ("hook.pth", "would have to be run at start"),
    ("fast/fast.cpython-313-x86_64-linux-gnu.so", "is compiled, and not one that the agent's container needs"),
])
def test_a_wheel_may_not_bring_everything(tmp_path: Path, name: str, words: str) -> None:
    result = pack(tmp_path / "file", tree(tmp_path / "tree", more={name: b""}), check=False)
    assert result.returncode == 1
    assert result.stderr.startswith(f"pack: {name} {words}")


def test_a_file_that_became_too_large_is_refused(tmp_path: Path) -> None:
    result = pack(tmp_path / "file", tree(tmp_path / "tree", more={"a": os.urandom(16_000_000)}), check=False)
    assert result.returncode == 1
    assert "more than 16000000" in result.stderr
