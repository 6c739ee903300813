import hashlib
import json
import socket
import time
from pathlib import Path

import pytest

from operator_demo.engine import Engine, EngineUnavailable, connect, find_socket, parse_time, probe_socket
from operator_demo.engine.connect import _choose
from operator_demo.errors import Exit, OperatorError

IMAGE = "operator-demo/base:trixie"


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))


def write_context(folder: Path, name: str, host: str, current: bool = True) -> Path:
    key = hashlib.sha256(name.encode()).hexdigest()
    meta = folder / "docker" / "contexts" / "meta" / key
    meta.mkdir(parents=True)
    (meta / "meta.json").write_text(json.dumps(
        {"Name": name, "Metadata": {}, "Endpoints": {"docker": {"Host": host, "SkipTLSVerify": False}}}))
    if current:
        (folder / "docker" / "config.json").write_text(json.dumps({"currentContext": name}))
    return folder / "docker" / "contexts" / "tls" / key / "docker"


def test_the_order_of_places(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    looked_at: list[str] = []
    assert _choose(None, looked_at).url == "unix:///var/run/docker.sock"
    assert [t.split(":")[0] for t in looked_at] == ["--host", "DOCKER_HOST", "Docker context"]
    write_context(tmp_path, "colima", "unix:///colima.sock")
    assert _choose(None, []).url == "unix:///colima.sock"
    write_context(tmp_path, "chosen", "unix:///chosen.sock", current=False)
    monkeypatch.setenv("DOCKER_CONTEXT", "chosen")
    assert _choose(None, []).url == "unix:///chosen.sock"
    monkeypatch.setenv("DOCKER_HOST", "unix:///env.sock")
    assert _choose(None, []).url == "unix:///env.sock"
    assert _choose("unix:///flag.sock", []).url == "unix:///flag.sock"


def test_a_context_brings_its_tls_files(tmp_path: Path) -> None:
    tls = write_context(tmp_path, "far", "tcp://192.0.2.1:2376")
    tls.mkdir(parents=True)
    for name in ("ca.pem", "cert.pem", "key.pem"):
        (tls / name).write_text("x")
    found = _choose(None, [])
    assert found.tls is not None
    assert found.tls.ca_cert == str(tls / "ca.pem")
    assert found.tls.cert == (str(tls / "cert.pem"), str(tls / "key.pem"))


def test_no_socket(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match="no such socket") as caught:
        connect(f"unix://{tmp_path}/none.sock")
    assert caught.value.exit_status == Exit.ENVIRONMENT
    assert caught.value.hint


def test_nobody_listens(tmp_path: Path) -> None:
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(tmp_path / "dead.sock"))
    dead.close()
    with pytest.raises(EngineUnavailable, match="connection refused"):
        connect(f"unix://{tmp_path}/dead.sock")


def test_all_that_was_looked_at_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write_context(tmp_path, "colima", f"unix://{tmp_path}/none.sock")
    with pytest.raises(EngineUnavailable) as caught:
        connect()
    for words in ("--host: not given", "DOCKER_HOST: not set", "Docker context 'colima'", "no such socket"):
        assert words in caught.value.message


@pytest.mark.parametrize("content", ["{", "[]", '{"currentContext": "gone"}'])
def test_a_damaged_configuration_is_said(tmp_path: Path, content: str) -> None:
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker" / "config.json").write_text(content)
    with pytest.raises(EngineUnavailable, match="cannot"):
        connect()


def test_missing_tls_files_are_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in (("HOST", "tcp://192.0.2.1:2376"), ("TLS_VERIFY", "1"), ("CERT_PATH", str(tmp_path))):
        monkeypatch.setenv(f"DOCKER_{name}", value)
    with pytest.raises(EngineUnavailable, match="TLS files") as caught:
        connect()
    assert "DOCKER_CERT_PATH" in caught.value.hint


@pytest.mark.parametrize("host", ["ssh://somewhere", "http://[", "tcp://127.0.0.1:1", "what", "npipe://x"])
def test_any_other_address_is_an_error_for_people(host: str) -> None:
    with pytest.raises(EngineUnavailable) as caught:
        connect(host)
    assert host in caught.value.message
    assert caught.value.hint


def test_times_of_the_engine() -> None:
    assert parse_time("1970-01-01T00:00:01.5Z") == 1.5
    assert parse_time("1970-01-01T01:00:00.123456789+01:00") == pytest.approx(0.123456)
    assert parse_time("1970-01-01T00:00:02Z") == 2


def test_what_answers_but_is_no_engine(fake_engine, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(type(fake_engine), "version", {"message": "hello"})
    with pytest.raises(EngineUnavailable, match="ApiVersion"):
        connect(fake_engine.url)


@pytest.mark.engine
def test_an_engine_that_answers(engine: Engine) -> None:
    assert engine.id
    assert engine.arch in ("amd64", "arm64")
    assert abs(engine.clock_offset()) < 5
    assert abs(engine.now() - time.time()) < 5


@pytest.mark.engine
def test_the_socket_is_found_on_the_engines_side(engine: Engine) -> None:
    assert find_socket(engine, IMAGE) == "/var/run/docker.sock"
    assert find_socket(engine, IMAGE, "/run/docker.sock") == "/run/docker.sock"
    assert "does not exist" in str(probe_socket(engine, IMAGE, "/nowhere.sock"))
    assert "cannot connect" in str(probe_socket(engine, IMAGE, "/etc/hostname"))
    with pytest.raises(OperatorError, match=r"/nowhere\.sock") as caught:
        find_socket(engine, IMAGE, "/nowhere.sock")
    assert "--engine-socket" in caught.value.hint
