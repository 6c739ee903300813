"""`doctor --report`: what a bug report needs, in one file, and no secret."""

import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from operator_demo.store import Store

KEY, OTHER_KEY, PASSWORD = "sk-ant-abcdefgh12345678", "a-key-of-another-shape", "hunter2hunter2"


@pytest.fixture
def records(short: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = short / "records"
    monkeypatch.setenv("OPERATOR_HOME", str(folder))
    return folder


def test_what_stands_in_it(records: Path, short: Path, operator_demo: Callable[..., Any], fake_engine: Any) -> None:
    Store(records / "tickets.db").close()
    (records / "debug.log").write_text("the last thing that happened\n")
    done = operator_demo("--host", fake_engine.url, "doctor", "--report", str(short / "report.txt"))
    assert done.status == 0, done.said
    text = (short / "report.txt").read_text()
    assert stat.S_IMODE((short / "report.txt").stat().st_mode) == 0o600
    for words in ("operator-demo 0.", "Python 3.", "Docker 20.10, API 1.41", fake_engine.url,
                  f"OPERATOR_HOME={records}", "schema ", "events: 0", "agent_sessions: 0",
                  "the last thing that happened", "Docker context: the default one", "ANTHROPIC_API_KEY is not set"):
        assert words in text, words
    assert str(short / "report.txt") in done.err


def test_no_secret_stands_in_it(records: Path, short: Path, operator_demo: Callable[..., Any],
                                monkeypatch: pytest.MonkeyPatch) -> None:
    records.mkdir()
    (records / "debug.log").write_text(f"x {KEY} y {OTHER_KEY} z tcp://me:{PASSWORD}@127.0.0.1:1\n")
    for name, value in (("ANTHROPIC_API_KEY", OTHER_KEY), ("DOCKER_HOST", f"tcp://me:{PASSWORD}@127.0.0.1:1"),
                        ("OPERATOR_API_TOKEN", "token-token"), ("HTTPS_PROXY", f"http://me:{PASSWORD}@proxy:1")):
        monkeypatch.setenv(name, value)
    assert operator_demo("doctor", "--report", str(short / "report.txt")).status == 3
    text = (short / "report.txt").read_text()
    for secret in (KEY, OTHER_KEY, PASSWORD, "token-token"):
        assert secret not in text
    assert "ANTHROPIC_API_KEY is set" in text and "OPERATOR_API_TOKEN=" in text


def test_it_is_written_where_nothing_works(short: Path, operator_demo: Callable[..., Any],
                                           monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPERATOR_HOME", "/etc/hostname")
    monkeypatch.setenv("DOCKER_CONTEXT", "no-such")
    done = operator_demo("doctor", "--report", str(short / "report.txt"))
    assert done.status == 3
    text = (short / "report.txt").read_text()
    assert "FAIL" in text and "/etc/hostname cannot be used" in text and "no-such" in text


def test_its_usual_name(short: Path, operator_demo: Callable[..., Any], fake_engine: Any,
                        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(short)
    operator_demo("--host", fake_engine.url, "doctor", "--report")
    assert "== doctor" in (short / "operator-demo-report.txt").read_text()


def test_of_a_long_log_the_end(records: Path, short: Path, operator_demo: Callable[..., Any], fake_engine: Any) -> None:
    records.mkdir()
    (records / "debug.log").write_text("".join(f"line {number}\n" for number in range(50_000)))
    operator_demo("--host", fake_engine.url, "doctor", "--report", str(short / "report.txt"))
    text = (short / "report.txt").read_text()
    assert text.endswith("line 49999\n") and "line 1000\n" not in text
    assert len(text) < 70_000


def test_a_file_that_cannot_be_written(operator_demo: Callable[..., Any], fake_engine: Any) -> None:
    done = operator_demo("--host", fake_engine.url, "doctor", "--report", "/no/such/folder/report.txt")
    assert done.status == 2
    assert "/no/such/folder/report.txt" in done.err and "Traceback" not in done.err
