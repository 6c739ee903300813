"""build.sh makes the same bytes from the same commit, and says which commit that was."""

import base64
import csv
import hashlib
import io
import os
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
from single_file import ROOT

GIT = ["git", "-c", "user.name=tester", "-c", "user.email=tester@example.invalid"]
COMMAND = ["./build.sh"]


def build(folder: Path, umask: int = 0o022, **environment: str) -> str:
    """Build there with the packages that are already here; the answer is the new file's --version."""
    if not (folder / ".build").exists():
        (folder / ".build").mkdir()
        for name in ("venv", "x86_64", "aarch64", "packages.lock"):  # read and not written
            (folder / ".build" / name).symlink_to(ROOT / ".build" / name)
    known = {"PATH": os.environ["PATH"], "HOME": str(folder.parent), "SHIV_ROOT": str(folder.parent / "shiv")}
    result = subprocess.run(COMMAND, cwd=folder, env=known | environment, umask=umask, capture_output=True, text=True,
                            timeout=300)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.fixture
def clone(built_file: Path, tmp_path: Path) -> Path:
    """A copy of this work tree, committed."""
    folder = tmp_path / "clone"
    not_ours = (".git", ".build", ".venv", ".*_cache", ".hypothesis", "__pycache__", "operator-demo")
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*not_ours))
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "all"]):
        subprocess.run([*GIT, *command], cwd=folder, check=True)
    return folder


def head(clone: Path) -> str:
    return subprocess.run([*GIT, "rev-parse", "HEAD"], cwd=clone, check=True, capture_output=True, text=True).stdout


def test_a_build_names_its_commit_and_leaves_the_work_tree_alone(clone: Path) -> None:
    assert build(clone, SOURCE_DATE_EPOCH="1234567890").endswith(f"(commit {head(clone)[:7]})\n")
    status = [*GIT, "status", "--porcelain"]
    assert subprocess.run(status, cwd=clone, check=True, capture_output=True).stdout == b"", "the build left files"
    with zipfile.ZipFile(clone / "operator-demo") as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(2009, 2, 13, 23, 31, 30)}


def test_a_source_date_epoch_that_is_none_is_said(clone: Path) -> None:
    with pytest.raises(AssertionError, match="SOURCE_DATE_EPOCH must be whole seconds since 1970, not 'yesterday'"):
        build(clone, SOURCE_DATE_EPOCH="yesterday")


@pytest.mark.wide
def test_the_same_commit_gives_the_same_bytes(clone: Path, tmp_path: Path) -> None:
    other = tmp_path / "an other place"
    subprocess.run([*GIT, "clone", "-q", str(clone), str(other)], check=True, umask=0o077)
    for number, path in enumerate(sorted((other / "operator_demo").rglob("*"))):
        os.utime(path, (number * 1e6, number * 1e6))

    build(clone)
    build(other, umask=0o077, TZ="Pacific/Auckland", LC_ALL="C", PYTHONHASHSEED="7")
    assert (clone / "operator-demo").read_bytes() == (other / "operator-demo").read_bytes()

    with (clone / "docs/tests.md").open("a") as opened:
        opened.write("not packed\n")
    assert build(clone).endswith(f"(commit {head(clone)[:7]})\n")

    with (clone / "operator_demo/version.py").open("a") as opened:
        opened.write("# another word\n")
    assert build(clone).endswith(f"(commit {head(clone)[:7]}, modified)\n")
    assert (clone / "operator-demo").read_bytes() != (other / "operator-demo").read_bytes()


def test_what_is_inside_is_what_the_wheels_brought(built_file: Path) -> None:
    with zipfile.ZipFile(built_file) as archive:
        names = {name.removeprefix("site-packages/") for name in archive.namelist() if "site-packages/" in name}
        for record in sorted(name for name in names if re.fullmatch(r"[^/]+\.dist-info/RECORD", name)):
            names.discard(record)
            rows = io.StringIO(archive.read(f"site-packages/{record}").decode())
            for name, expected, _ in csv.reader(rows):
                if name == record or name.startswith("yaml/_yaml"):  # the one that the packing leaves out
                    continue
                algorithm, _, wanted = expected.partition("=")
                digest = hashlib.new(algorithm, archive.read(f"site-packages/{name}")).digest()
                assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == wanted, name
                names.discard(name)
    assert all(re.fullmatch(r"(jiter|pydantic_core)/\w+\.cpython-313-aarch64-linux-gnu\.so", name) for name in names)
    assert len(names) == 2


def test_no_registry_host_is_named() -> None:
    for lock in ROOT.glob("requirements*.lock"):
        assert "://" not in lock.read_text()
