"""An engine behind TLS with an authority of its own, chosen by a Docker context."""

import contextlib
import hashlib
import json
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from operator_demo.compose import Project, up
from operator_demo.engine import Engine, EngineUnavailable, connect, exec_in, follow, members
from operator_demo.errors import OperatorError

pytestmark = [pytest.mark.engine, pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl")]


@pytest.fixture
def tls_url(tmp_path: Path) -> Iterator[str]:
    """The engine's socket behind TLS that asks for the client's certificate; ca.pem, cert.pem, key.pem in tmp_path."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out",
                    "cert.pem", "-days", "1", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"],
                   cwd=tmp_path, check=True, capture_output=True)
    shutil.copy(tmp_path / "cert.pem", tmp_path / "ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    context.load_verify_locations(tmp_path / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    listener = socket.create_server(("127.0.0.1", 0))

    def copy(a: socket.socket, b: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := a.recv(65536):
                b.sendall(data)
        for s in (a, b):
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)

    def accept() -> None:
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:
                return
            try:
                client = context.wrap_socket(plain, server_side=True)
            except OSError:
                continue
            server = socket.socket(socket.AF_UNIX)
            server.connect("/var/run/docker.sock")
            for a, b in ((client, server), (server, client)):
                threading.Thread(target=copy, args=(a, b), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield f"tcp://127.0.0.1:{listener.getsockname()[1]}"
    listener.close()


@pytest.fixture
def far_engine(tls_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    key = hashlib.sha256(b"far").hexdigest()
    meta, tls = tmp_path / "contexts" / "meta" / key, tmp_path / "contexts" / "tls" / key / "docker"
    meta.mkdir(parents=True)
    tls.mkdir(parents=True)
    (meta / "meta.json").write_text(json.dumps(
        {"Name": "far", "Metadata": {}, "Endpoints": {"docker": {"Host": tls_url, "SkipTLSVerify": False}}}))
    for name in ("ca.pem", "cert.pem", "key.pem"):
        shutil.copy(tmp_path / name, tls)
    (tmp_path / "config.json").write_text('{"currentContext": "far"}')
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/etc/ssl/certs/ca-certificates.crt")  # must not get in between
    made = connect()
    yield made
    made.close()


def test_an_engine_behind_tls(far_engine: Engine, load: Callable[..., Project], project_name: str,
                              stop: threading.Event) -> None:
    up(far_engine, load("services: {a: {image: IMAGE, init: true, command: bash -c 'echo hello; sleep 1000'}}\n",
                        project_name), stop=stop)
    container = members(far_engine, project_name)[0].id
    assert exec_in(far_engine, container, ["sh", "-c", "echo a; echo b >&2"]) == (0, b"a\n", b"b\n")
    with pytest.raises(OperatorError, match="TLS"):
        exec_in(far_engine, container, ["cat"], stdin=b"x")
    lines: list[str] = []
    thread = threading.Thread(target=lambda: lines.extend(follow(far_engine, container, stop)))
    thread.start()
    time.sleep(1)
    begin = time.monotonic()
    stop.set()
    thread.join(10)
    assert time.monotonic() - begin < 1
    assert lines == ["hello"]


def test_without_the_authority_it_is_refused(tls_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", tls_url)
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(tmp_path))
    connect().close()
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "other.pem", "-out",
                    "ca.pem", "-days", "1", "-subj", "/CN=other"], cwd=tmp_path, check=True, capture_output=True)
    with pytest.raises(EngineUnavailable, match="certificate verify failed"):
        connect()
