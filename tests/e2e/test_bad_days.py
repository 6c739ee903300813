"""Whatever is broken: one clear message on stderr, the right exit status, never a traceback."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from presenter import FILE, Demo

pytestmark = pytest.mark.e2e
NEED_ENGINE = (["run", "etcd", "--auto"], ["prepare", "etcd"], ["status"], ["down"])
NEED_STORE = (["audit", "list"], ["audit", "show", "last"], ["tickets", "list"], ["tickets", "show", "x"])
WRITE_STORE = (["run", "etcd", "--auto"],)
USAGE = (["run", "nothing"], ["run", "etcd", "--scenario", "nothing"], ["run", "--project", "Not A Name"],
         ["run", "--attach", "--restart"], ["down", "--project", "A B"], ["audit", "show"], ["nonsense"],
         ["run", "--manual"], ["run", "--budget-usd", "-1"], ["scenarios", "nothing"])


def run(demo: Demo, arguments: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    demo.environment = environment
    return demo.command(*arguments, stdin=subprocess.DEVNULL)


def assert_told(done: subprocess.CompletedProcess[str], status: int) -> None:
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    assert done.stderr.strip()


@pytest.mark.parametrize("arguments", [*NEED_ENGINE, ["doctor"]], ids=" ".join)
def test_no_engine(demo: Demo, arguments: list[str], tmp_path: Path) -> None:
    done = run(demo, arguments, DOCKER_HOST=f"unix://{tmp_path}/nobody.sock")
    if arguments == ["doctor"]:
        assert done.returncode == 3
        assert "FAIL  engine" in done.stdout
        return
    assert_told(done, 3)
    assert "nobody.sock" in done.stderr


@pytest.mark.parametrize("arguments", [*NEED_STORE, *WRITE_STORE], ids=" ".join)
@pytest.mark.parametrize("content", [b"SQLite format 3\x00" + b"\xff" * 4000, b"hello\n"])
def test_a_damaged_store(demo: Demo, arguments: list[str], content: bytes) -> None:
    demo.home.mkdir(parents=True)
    store = demo.home / "tickets.db"
    store.write_bytes(content)
    done = run(demo, [*arguments, "--project", demo.project] if arguments[0] == "run" else arguments)
    assert_told(done, 3)
    assert str(store) in done.stderr
    assert store.read_bytes() == content
    assert demo.leftovers() == []


@pytest.mark.parametrize("arguments", NEED_STORE, ids=" ".join)
def test_no_store_yet(demo: Demo, arguments: list[str]) -> None:
    done = run(demo, arguments)
    assert done.returncode in (0, 2, 3)
    assert "Traceback" not in done.stderr
    assert not demo.home.exists()


@pytest.mark.parametrize("arguments", USAGE, ids=" ".join)
def test_a_mistake_of_the_user(demo: Demo, arguments: list[str]) -> None:
    assert_told(run(demo, arguments), 2)


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "full"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", place], check=True)
    (place / "ballast").write_bytes(b"x" * (256 * 1024 - 16 * 1024))
    yield place
    subprocess.run(["umount", place], check=True)


@pytest.mark.parametrize("arguments", [*NEED_STORE, *WRITE_STORE, ["status"], ["down"], ["doctor"]], ids=" ".join)
def test_a_full_disk(demo: Demo, arguments: list[str], full_disk: Path) -> None:
    demo.home = full_disk
    done = run(demo, [*arguments, "--project", demo.project] if arguments[0] in ("run", "down") else arguments)
    assert "Traceback" not in done.stderr + done.stdout
    if arguments[0] == "run":
        assert_told(done, 3)
        assert "full" in done.stderr
    else:
        assert done.returncode in (0, 2, 3)
    assert demo.leftovers() == []


def test_a_model_without_a_key(demo: Demo) -> None:
    done = run(demo, ["run", "etcd", "--auto", "--model", "claude-opus-5-5"], ANTHROPIC_API_KEY="")
    assert_told(done, 3)
    assert "ANTHROPIC_API_KEY" in done.stderr


def test_a_run_that_is_not_the_built_file(demo: Demo, tmp_path: Path) -> None:
    moved = tmp_path / "renamed demo"
    shutil.copy(FILE, moved)
    done = subprocess.run([moved, "doctor"], env=demo.env(), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr + done.stdout


@pytest.mark.wide
def test_the_disk_fills_up_in_the_middle(demo: Demo, full_disk: Path) -> None:
    """The run ends with one message; what the containers recorded is there when there is space again."""
    (full_disk / "ballast").unlink()
    demo.home = full_disk
    result = demo.run("--scenario", "member-kill", "--rate", "50")
    assert result.status == 3, result.story
    assert "full" in result.stderr
    assert "Traceback" not in result.stderr
    assert {c.status for c in demo.containers()} == {"exited"}
    subprocess.run(["mount", "-o", "remount,size=64m", full_disk], check=True)
    down = demo.command("down", "--project", demo.project, "--volumes")
    assert down.returncode == 0, down.stderr
    assert demo.leftovers() == []
    assert demo.command("audit", "show", "last").returncode == 0
