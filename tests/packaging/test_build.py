"""build.sh makes the same bytes from the same commit, and says which commit that was."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from single_file import ROOT

GIT = ["git", "-c", "user.name=tester", "-c", "user.email=tester@example.invalid"]


def build(folder: Path, umask: int = 0o022) -> str:
    """Build there with the packages that are already here; the answer is the new file's --version."""
    if not (folder / ".build").exists():
        (folder / ".build").mkdir()
        (folder / ".build/venv").symlink_to(ROOT / ".build/venv")
        for machine in ("x86_64", "aarch64"):
            shutil.copytree(ROOT / ".build" / machine, folder / ".build" / machine)
        shutil.copy(ROOT / ".build/packages.lock", folder / ".build")
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder.parent), "SHIV_ROOT": str(folder.parent / "shiv")}
    result = subprocess.run(
        [folder / "build.sh"], env=environment, umask=umask, capture_output=True, text=True, check=False, timeout=300
    )
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


def test_the_same_commit_gives_the_same_bytes_and_its_name(clone: Path, tmp_path: Path) -> None:
    head = subprocess.run([*GIT, "rev-parse", "HEAD"], cwd=clone, check=True, capture_output=True, text=True).stdout
    other = tmp_path / "elsewhere"
    subprocess.run([*GIT, "clone", "-q", str(clone), str(other)], check=True)

    assert build(clone).endswith(f"(commit {head[:7]})\n")
    build(other, umask=0o077)
    assert (clone / "operator-demo").read_bytes() == (other / "operator-demo").read_bytes()
    status = [*GIT, "status", "--porcelain"]
    assert subprocess.run(status, cwd=clone, check=True, capture_output=True).stdout == b"", "the build left files"

    with (clone / "operator_demo/version.py").open("a") as opened:
        opened.write("# another word\n")
    assert build(clone).endswith(f"(commit {head[:7]}, modified)\n")


def test_a_file_that_no_wheel_brought_stops_the_build(clone: Path) -> None:
    build(clone)
    stray = clone / ".build/x86_64/certifi/stray.py"
    stray.touch()
    with pytest.raises(AssertionError, match=r"certifi/stray\.py is in no wheel's RECORD"):
        build(clone)
    stray.unlink()
    with (clone / ".build/x86_64/certifi/cacert.pem").open("a") as opened:
        opened.write("\n")
    with pytest.raises(AssertionError, match=r"certifi/cacert\.pem is not as its wheel's RECORD says"):
        build(clone)


def test_no_registry_host_is_named() -> None:
    for lock in ROOT.glob("requirements*.lock"):
        assert "://" not in lock.read_text()
