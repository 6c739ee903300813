"""The command line in this process, and an engine that answers what a test tells it to."""

import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import http_socket
import pytest

from operator_demo import cli

ENVIRONMENT = ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_TLS_VERIFY", "DOCKER_TLS", "DOCKER_CERT_PATH",
               "OPERATOR_HOME", "OPERATOR_HOST", "OPERATOR_LOG", "ANTHROPIC_API_KEY", "COLIMA_HOME", "LIMA_HOME",
               "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR", "TMPDIR")


@dataclass(frozen=True)
class Done:
    status: int
    out: str
    err: str

    @property
    def said(self) -> str:
        return self.out + self.err


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder with a name so short that a socket in it still has one that a socket may have."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield Path(folder)


@pytest.fixture(autouse=True)
def _a_new_user(monkeypatch: pytest.MonkeyPatch, short: Path) -> None:
    """With nothing in the environment, and nothing in the home."""
    for name in ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
    (short / "home").mkdir()
    monkeypatch.setenv("HOME", str(short / "home"))


@pytest.fixture
def operator_demo(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """operator_demo("audit", "list"): what the shell would see of it."""

    def call(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["operator-demo", *arguments])
        monkeypatch.setattr(sys, "stdout", sys.stdout)  # main() replaces them
        monkeypatch.setattr(sys, "stderr", sys.stderr)
        monkeypatch.setattr(sys, "excepthook", sys.excepthook)
        monkeypatch.setattr(threading, "excepthook", threading.excepthook)
        with pytest.raises(SystemExit) as ended:
            cli.main()
        sys.stdout.flush()
        sys.stderr.flush()
        out, err = capfd.readouterr()
        return Done(int(ended.value.code or 0), out, err)

    return call


class FakeEngine:
    """Answers a GET by `answers`: the end of its path -> (status, JSON value). Everything else is not there."""

    def __init__(self, path: Path) -> None:
        self.url = f"unix://{path}"
        self.answers: dict[str, tuple[int, Any]] = {
            "/version": (200, {"ApiVersion": "1.41", "Version": "20.10", "Arch": "amd64"}),
            "/info": (200, {"ID": "fake", "MemTotal": 8 << 30, "SystemTime": "2026-01-01T00:00:00Z"}),
            "/containers/json": (200, []), "/networks": (200, []), "/volumes": (200, {"Volumes": []}),
        }
        fake = self

        class Handler(http_socket.Handler):
            def do_GET(self) -> None:
                path = urlsplit(self.path).path
                status, value = next((answer for end, answer in fake.answers.items() if path.endswith(end)),
                                     (404, {"message": f"no such thing: {path}"}))
                self.answer(value, status)

        self._server = http_socket.Server(path, Handler)
        self.close = self._server.close


@pytest.fixture
def fake_engine(short: Path) -> Iterator[FakeEngine]:
    made = FakeEngine(short / "fake.sock")
    yield made
    made.close()
