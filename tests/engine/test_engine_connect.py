import hashlib
import json
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from operator_demo.engine import Engine, EngineUnavailable, connect, find_socket, parse_time, probe_socket
from operator_demo.engine.connect import _api_version, identity
from operator_demo.engine.endpoints import Endpoint, full_address, named, well_known
from operator_demo.errors import Exit, OperatorError

IMAGE = "operator-demo/base:trixie"


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_TLS", "DOCKER_CERT_PATH", "COLIMA_HOME",
                 "LIMA_HOME", "XDG_CONFIG_HOME", "TMPDIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))


def chosen(host: str | None = None) -> Endpoint:
    found = named(host, [])
    assert found is not None
    return found


def write_context(folder: Path, name: str, host: str, current: bool = True, skip_verify: bool = False) -> Path:
    key = hashlib.sha256(name.encode()).hexdigest()
    meta = folder / "docker" / "contexts" / "meta" / key
    meta.mkdir(parents=True)
    (meta / "meta.json").write_text(json.dumps(
        {"Name": name, "Metadata": {}, "Endpoints": {"docker": {"Host": host, "SkipTLSVerify": skip_verify}}}))
    if current:
        (folder / "docker" / "config.json").write_text(json.dumps({"currentContext": name}))
    return folder / "docker" / "contexts" / "tls" / key / "docker"


def test_the_order_of_places(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    looked_at: list[str] = []
    assert named(None, looked_at) is None
    assert [t.split(":")[0] for t in looked_at] == ["--host", "DOCKER_HOST", "Docker context"]
    write_context(tmp_path, "colima", "unix:///colima.sock")
    assert chosen().url == "unix:///colima.sock"
    write_context(tmp_path, "chosen", "unix:///chosen.sock", current=False)
    monkeypatch.setenv("DOCKER_CONTEXT", "chosen")
    assert chosen().url == "unix:///chosen.sock"
    monkeypatch.setenv("DOCKER_HOST", "unix:///env.sock")
    assert chosen().url == "unix:///env.sock"
    assert chosen("unix:///flag.sock").url == "unix:///flag.sock"
    monkeypatch.delenv("DOCKER_HOST")
    monkeypatch.setenv("DOCKER_CONTEXT", "default")
    assert named(None, []) is None


@pytest.mark.parametrize(("url", "tls", "full"), [
    ("tcp://far", False, "tcp://far:2375"), ("tcp://far", True, "tcp://far:2376"), ("tcp://", False,
    "tcp://localhost:2375"), ("far:1", False, "tcp://far:1"), ("tcp://far:1", True, "tcp://far:1"),
    ("unix:///x", False, "unix:///x"),
])
def test_an_address_is_completed_as_the_docker_command_does(url: str, tls: bool, full: str) -> None:
    assert full_address(url, tls) == full


def test_a_context_brings_its_tls_files(tmp_path: Path) -> None:
    tls = write_context(tmp_path, "far", "tcp://192.0.2.1")
    assert chosen().tls is None
    tls.mkdir(parents=True)
    for name in ("ca.pem", "cert.pem", "key.pem"):
        (tls / name).write_text("x")
    found = chosen()
    assert found.url == "tcp://192.0.2.1:2376"
    assert found.tls is not None
    assert found.tls.ca_cert == str(tls / "ca.pem")
    assert found.tls.cert == (str(tls / "cert.pem"), str(tls / "key.pem"))
    assert found.tls.verify


def test_a_context_that_is_not_to_be_verified_has_tls_without_files(tmp_path: Path) -> None:
    write_context(tmp_path, "far", "tcp://192.0.2.1", skip_verify=True)
    found = chosen()
    assert found.tls is not None
    assert not found.tls.verify
    assert found.url == "tcp://192.0.2.1:2376"


def test_tls_of_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_CERT_PATH", str(tmp_path))
    assert chosen("tcp://far").tls is None  # files alone ask for nothing
    monkeypatch.setenv("DOCKER_TLS", "1")
    tls = chosen("tcp://far").tls
    assert tls is not None and not tls.verify
    assert chosen("unix:///x.sock").tls is None
    assert chosen("ssh://far").tls is None
    (tmp_path / "ca.pem").write_text("x")
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    tls = chosen("tcp://far").tls
    assert tls is not None and tls.verify


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder with a name so short that sockets deep in it still have one that a socket may have."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.fixture
def no_default(monkeypatch: pytest.MonkeyPatch, short: Path) -> str:
    """The default socket is one that a test may make."""
    url = f"unix://{short}/default.sock"
    monkeypatch.setenv("HOME", str(short / "home"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short / "runtime"))
    monkeypatch.setenv("DOCKER_CONFIG", str(short / "docker"))
    module = sys.modules["operator_demo.engine.connect"]  # the package has a function of that name
    monkeypatch.setattr(module, "DEFAULT_SOCKET", url)
    monkeypatch.setattr(module, "well_known", lambda: [
        e for e in well_known() if e.url.startswith(f"unix://{short}")])
    return url


PLACES = ["runtime/docker.sock", "home/.docker/run/docker.sock", "home/.docker/desktop/docker.sock",
          "home/.colima/default/docker.sock", "home/.orbstack/run/docker.sock", "home/.rd/docker.sock",
          "home/.lima/docker/sock/docker.sock", "runtime/podman/podman.sock",
          "home/.local/share/containers/podman/machine/podman.sock"]


@pytest.mark.parametrize("place", PLACES)
def test_well_known_sockets(no_default: str, fake_engine, short: Path, place: str) -> None:  # type: ignore[no-untyped-def]
    (short / place).parent.mkdir(parents=True)
    (short / place).symlink_to(fake_engine.url.removeprefix("unix://"))
    engine = connect()
    assert engine.url == f"unix://{short / place}"
    assert any(no_default in t and "no such socket" in t for t in engine.looked_at)
    engine.close()


def test_their_order_and_what_each_said(no_default: str, short: Path) -> None:
    dead = short / "home/.colima/default/docker.sock"
    dead.parent.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(dead))
    with pytest.raises(EngineUnavailable) as caught:
        connect()
    lines = caught.value.message.splitlines()
    at = [next(i for i, line in enumerate(lines) if str(short / place) in line) for place in PLACES]
    assert at == sorted(at)
    assert next(line for line in lines if str(dead) in line).endswith("connection refused")
    assert "Start Docker" in caught.value.hint


def test_a_default_socket_that_refuses_is_not_replaced(no_default: str, fake_engine, short: Path) -> None:  # type: ignore[no-untyped-def]
    (short / "runtime").mkdir()
    (short / "runtime/docker.sock").symlink_to(fake_engine.url.removeprefix("unix://"))
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(short / "default.sock"))
    with pytest.raises(EngineUnavailable, match="connection refused") as caught:
        connect()
    assert "rootless" not in caught.value.message


@pytest.mark.parametrize("how", ["flag", "DOCKER_HOST", "context"])
def test_an_engine_that_was_named_is_not_replaced(no_default: str, fake_engine, how: str,  # type: ignore[no-untyped-def]
                                                  monkeypatch: pytest.MonkeyPatch, short: Path) -> None:
    (short / "runtime").mkdir()
    (short / "runtime/docker.sock").symlink_to(fake_engine.url.removeprefix("unix://"))
    dead = f"unix://{short}/named.sock"
    if how == "DOCKER_HOST":
        monkeypatch.setenv("DOCKER_HOST", dead)
    elif how == "context":
        write_context(short, "mine", dead)
    with pytest.raises(EngineUnavailable, match=r"named\.sock\): there is no such socket"):
        connect(dead if how == "flag" else None)


@pytest.mark.parametrize(("theirs", "ours"), [
    ({"ApiVersion": "1.41", "MinAPIVersion": "1.12"}, "1.41"), ({"ApiVersion": "1.52", "MinAPIVersion": "1.44"},
    "1.45"), ({"ApiVersion": "1.60", "MinAPIVersion": "1.50"}, "1.50"), ({"ApiVersion": "1.45"}, "1.45"),
])
def test_the_version_of_the_api(theirs: dict[str, str], ours: str) -> None:
    assert _api_version(theirs) == ours


def test_who_an_engine_is() -> None:
    assert identity({"ID": "abc", "Name": "host"}) == "abc"
    podman = {"Name": "host", "DockerRootDir": "/var/lib/containers/storage", "BuildahVersion": "1"}
    assert identity(podman | {"ID": "1"}) == identity(podman | {"ID": "2"}) != ""


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


@pytest.mark.parametrize("host", ["http://[", "tcp://127.0.0.1:1", "what", "npipe://x"])
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


@pytest.mark.parametrize("time_told", [None, "", "yesterday"])
def test_an_engine_that_does_not_tell_its_time(fake_engine, monkeypatch: pytest.MonkeyPatch,  # type: ignore[no-untyped-def]
                                               time_told: str | None) -> None:
    connected = connect(fake_engine.url)
    monkeypatch.setattr(connected.client, "info", lambda: {"SystemTime": time_told} if time_told is not None else {})
    with pytest.raises(OperatorError, match="does not tell its time"):
        connected.clock_offset()
    connected.close()


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
