"""An engine over ssh: through a real sshd on this machine's loopback, and through stand-ins for ssh that misbehave."""

import contextlib
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import pytest

from operator_demo.compose import Project, up
from operator_demo.engine import Engine, EngineUnavailable, connect, exec_in, follow, members, watch
from operator_demo.engine.ssh import _parse

SSHD = shutil.which("sshd") or "/usr/sbin/sshd"
real_sshd = pytest.mark.skipif(not os.access(SSHD, os.X_OK) or os.geteuid() != 0,
                               reason="needs openssh-server, and root to start it")


@dataclass
class Far:
    """A host that is this one, behind an sshd of its own; `ssh` uses `config` and no other configuration."""

    folder: Path
    url: str
    config: Path
    sshd: "subprocess.Popen[bytes]"
    made: list[Engine] = field(default_factory=list)

    def connect(self, path: str = "") -> Engine:
        self.made.append(connect(self.url + path))
        return self.made[-1]

    def logins(self) -> int:
        return (self.folder / "log").read_text(errors="replace").count("Accepted publickey")

    def sessions(self) -> list[int]:
        """Processes of the server's side that serve a login."""
        children = subprocess.run(["ps", "--no-headers", "-o", "pid", "--ppid", str(self.sshd.pid)],
                                  capture_output=True, text=True)
        return [int(pid) for pid in children.stdout.split()]


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Far]:
    folder = tmp_path_factory.mktemp("ssh")
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    shutil.copy(folder / "user.pub", folder / "authorized_keys")
    privileges = Path("/run/sshd")  # sshd wants it; a service manager makes it
    made = not privileges.exists()
    privileges.mkdir(mode=0o755, exist_ok=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (folder / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/authorized_keys\n"
        "StrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPidFile none\n"
        f"SetEnv PATH={os.environ['PATH']}\n")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([SSHD, "-D", "-e", "-f", folder / "sshd_config"], stderr=log,
                                   stdin=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 10
        while "Server listening" not in (folder / "log").read_text():
            assert process.poll() is None and time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.05)
        host_key = (folder / "host.pub").read_text()
        (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {host_key}")
        yield Far(folder, f"ssh://root@127.0.0.1:{port}", folder / "config", process)
    finally:
        process.terminate()
        process.wait(10)
        if made:
            privileges.rmdir()


@pytest.fixture
def far(sshd: Far, monkeypatch: pytest.MonkeyPatch) -> Iterator[Far]:
    sshd.config.write_text(f"IdentityFile {sshd.folder}/user\nIdentitiesOnly yes\nIdentityAgent none\n"
                           f"UserKnownHostsFile {sshd.folder}/known_hosts\nGlobalKnownHostsFile none\n")
    stand_in(sshd.folder / "bin", f'exec {shutil.which("ssh")} -F {sshd.config} "$@"', monkeypatch)
    yield sshd
    for engine in sshd.made:
        engine.close()
    sshd.made.clear()


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder with a name so short that a socket in it still has one that a socket may have."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def stand_in(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Puts an ssh in the PATH that is this shell script."""
    folder.mkdir(exist_ok=True)
    (folder / "ssh").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def children(command: str) -> list[int]:
    """Processes of ours, and of what we started, with `command` in their command line."""
    found = subprocess.run(["ps", "--no-headers", "-ww", "-eo", "pid,args"], capture_output=True, text=True).stdout
    return [int(line.split()[0]) for line in found.splitlines() if command in line and " ps " not in line]


def until(condition: Callable[[], bool], seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return condition()


@real_sshd
@pytest.mark.engine
def test_up_logs_exec_and_events_over_ssh(far: Far, load: Callable[..., Project], project_name: str,
                                          stop: threading.Event) -> None:
    before = far.logins()
    engine = far.connect()
    assert "ssh://" in engine.address
    up(engine, load("services: {a: {image: IMAGE, init: true, command: bash -c 'echo hello; sleep 1000'}}\n",
                    project_name), stop=stop)
    container = members(engine, project_name)[0].id
    assert exec_in(engine, container, ["sh", "-c", "echo a; echo b >&2; exit 3"]) == (3, b"a\n", b"b\n")
    # The end of the input must come through, and much of it.
    much = os.urandom(5_000_000)
    assert exec_in(engine, container, ["md5sum"], stdin=much)[1].split()[0].decode() == hashlib.md5(much).hexdigest()
    events: list[str] = []
    lines: list[str] = []
    threads = [
        threading.Thread(target=lambda: lines.extend(follow(engine, container, stop))),
        threading.Thread(target=lambda: events.extend(e.action for e in watch(engine, stop)
                                                      if e.project == project_name)),
    ]
    for thread in threads:
        thread.start()
    time.sleep(1)
    engine.client.containers.get(container).kill()
    assert until(lambda: "die" in events)
    begin = time.monotonic()
    stop.set()
    for thread in threads:
        thread.join(10)
    assert time.monotonic() - begin < 2
    assert lines == ["hello"]
    assert far.logins() == before + 1  # all of it


@real_sshd
@pytest.mark.engine
@pytest.mark.wide
def test_more_connections_at_once_than_a_login_may_carry(far: Far) -> None:
    engine = far.connect()
    streams = [engine.api.events(decode=True) for _ in range(15)]  # sshd's MaxSessions is 10
    assert engine.client.ping()
    for stream in streams:
        stream.close()


@real_sshd
@pytest.mark.engine
def test_a_socket_is_named_by_the_address(far: Far) -> None:
    with pytest.raises(EngineUnavailable, match=r"nowhere\.sock"):
        far.connect("/nowhere.sock")
    if "extra path" not in subprocess.run(["docker", "-H", "ssh://x/y", "version"], capture_output=True,
                                          text=True).stderr:
        assert far.connect("/run/docker.sock").id


@real_sshd
@pytest.mark.engine
@pytest.mark.wide
def test_a_lost_login_is_made_again(far: Far) -> None:
    engine = far.connect()
    before = far.logins()
    for pid in far.sessions():
        os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(Exception):
        engine.client.ping()  # over a connection that is gone
    assert engine.client.ping()
    assert far.logins() > before


@real_sshd
@pytest.mark.engine
@pytest.mark.wide
def test_a_shared_connection_of_the_users_own_is_used(far: Far, tmp_path: Path) -> None:
    with far.config.open("a") as config:
        config.write(f"ControlMaster auto\nControlPath {tmp_path}/mine\nControlPersist 60\n")
    subprocess.run(["ssh", "-p", far.url.rpartition(":")[2], "root@127.0.0.1", "true"], check=True,
                   capture_output=True)
    before = far.logins()
    engine = far.connect()
    assert engine.client.ping()
    assert far.logins() == before
    engine.close()
    subprocess.run(["ssh", "-O", "exit", "-p", far.url.rpartition(":")[2], "root@127.0.0.1"], check=True,
                   capture_output=True)


@real_sshd
@pytest.mark.engine
@pytest.mark.parametrize("end", ["close", "SIGKILL"])
def test_no_process_and_no_session_is_left(far: Far, end: str, tmp_path: Path) -> None:
    port = far.url.rpartition(":")[2]
    script = ("import sys, threading, time\nfrom operator_demo.engine import connect, watch\n"
              f"e = connect({far.url!r})\nstop = threading.Event()\n"
              "t = threading.Thread(target=lambda: list(watch(e, stop)))\nt.start()\ntime.sleep(1)\n"
              "print('ready', flush=True)\nsys.stdin.readline()\nstop.set()\nt.join()\ne.close()\n")
    process = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               env=os.environ | {"TMPDIR": str(tmp_path)})
    assert process.stdin and process.stdout
    assert process.stdout.readline() == b"ready\n"
    assert children(f"-p {port}")
    assert far.sessions()
    if end == "SIGKILL":
        process.kill()
    else:
        process.stdin.write(b"\n")
        process.stdin.flush()
    process.communicate(timeout=20)
    assert until(lambda: not children(f"-p {port}"))
    assert until(lambda: not far.sessions())


@pytest.fixture
def short_path() -> Iterator[Path]:
    """The path of a shared login's socket has a limit, which pytest's own folders are beyond."""
    with tempfile.TemporaryDirectory(prefix="t-") as folder:
        yield Path(folder)


@real_sshd
@pytest.mark.engine
@pytest.mark.wide
def test_a_whole_run_over_ssh(far: Far, new_project: Callable[[], str], short_path: Path) -> None:
    file, project = Path(__file__).parents[2] / "operator-demo", new_project()
    if not file.exists():
        pytest.fail("There is no built file; run ./build.sh first.")
    environment = {k: v for k, v in os.environ.items() if k != "ANTHROPIC_API_KEY"}
    environment |= {"DOCKER_HOST": far.url, "OPERATOR_HOME": str(short_path / "home"), "TMPDIR": str(short_path)}
    before = far.logins()
    try:
        done = subprocess.run([file, "run", "etcd", "--auto", "--pace", "0", "--project", project], env=environment,
                              capture_output=True, text=True, timeout=280)
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
        assert far.logins() - before < 10
    finally:
        subprocess.run([file, "down", "--project", project, "--volumes"], env=environment, capture_output=True)
    assert not list(short_path.glob("operator-demo-ssh-*"))
    assert until(lambda: not far.sessions())


@real_sshd
def test_what_ssh_says_is_shown(far: Far, tmp_path: Path) -> None:
    far.config.write_text(far.config.read_text().replace(f"{far.folder}/known_hosts", f"{tmp_path}/none"))
    with pytest.raises(EngineUnavailable, match="Host key verification failed") as caught:
        far.connect()
    assert f"ssh {far.url} docker version" in caught.value.hint
    with far.config.open("a") as config:
        config.write("StrictHostKeyChecking no\nIdentityFile none\n")
    far.config.write_text(far.config.read_text().replace(f"{far.folder}/user", f"{far.folder}/host"))
    with pytest.raises(EngineUnavailable, match="Permission denied"):
        far.connect()


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize(("script", "words"), [
    ("echo 'sh: 1: docker: not found' >&2; exit 127", "docker: not found"),
    ("exit 1", "ssh ended with exit status 1"),
    ("echo 'ssh: Could not resolve hostname nowhere' >&2; exit 255", "Could not resolve"),
])
def test_an_ssh_that_fails(script: str, words: str, shared: bool, monkeypatch: pytest.MonkeyPatch,
                           tmp_path: Path, short: Path) -> None:
    asked = "" if shared else "echo controlpath /tmp/mine; "
    stand_in(tmp_path / "bin", f'[ "$1" = -G ] && {{ {asked}exit; }}; {script}', monkeypatch)
    monkeypatch.setattr("tempfile.tempdir", str(short))
    with pytest.raises(EngineUnavailable, match=words):
        connect("ssh://nowhere")
    assert not list(short.iterdir())


def test_no_ssh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineUnavailable, match="no ssh command"):
        connect("ssh://nowhere")


@pytest.mark.parametrize(("url", "parsed"), [
    ("ssh://Far", ([], "Far", "docker system dial-stdio")),
    ("ssh://me@far:2222", (["-l", "me", "-p", "2222"], "far", "docker system dial-stdio")),
    ("ssh://far/run/user/1000/docker.sock",
     ([], "far", "docker --host unix:///run/user/1000/docker.sock system dial-stdio")),
    ("ssh://[::1]:22/", (["-p", "22"], "::1", "docker system dial-stdio")),
])
def test_addresses(url: str, parsed: tuple[list[str], str, str]) -> None:
    assert _parse(url) == parsed


def test_the_path_of_the_socket_is_one_word_to_the_far_shell(tmp_path: Path) -> None:
    """ssh hands its last argument to a shell of the far side; here `sh` reads it, and `docker` prints its arguments."""
    path = f"/run/$(touch {tmp_path}/ran)/a b;'\"`id`.sock"
    (tmp_path / "docker").write_text("#!/bin/sh\nprintf '%s\\n' \"$@\"\n")
    (tmp_path / "docker").chmod(0o755)
    remote = _parse(f"ssh://far{quote(path)}")[2]
    words = subprocess.run(["sh", "-c", remote], capture_output=True, text=True,
                           env={"PATH": f"{tmp_path}:{os.environ['PATH']}"}).stdout.splitlines()
    assert words == ["--host", f"unix://{path}", "system", "dial-stdio"]
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("url", ["ssh://", "ssh://me:secret@far", "ssh://far?x=1", "ssh://far:port", "ssh://[::1",
                                 "ssh://-oProxyCommand=id", "ssh://far$(id)", "ssh://%24(id)@far", "ssh://a%20b@far"])
def test_addresses_that_are_refused(url: str) -> None:
    with pytest.raises(EngineUnavailable):
        connect(url)


@pytest.mark.skipif(not shutil.which("docker"), reason="needs the docker command")
def test_ssh_is_called_as_the_docker_command_does(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stand_in(tmp_path / "bin", f'[ "$1" = -G ] || echo "$@" >>{tmp_path}/calls; exit 1', monkeypatch)
    subprocess.run(["docker", "-H", "ssh://me@Far:2222", "version"], capture_output=True)
    theirs = (tmp_path / "calls").read_text().splitlines()[0]
    (tmp_path / "calls").unlink()
    with pytest.raises(EngineUnavailable):
        connect("ssh://me@Far:2222")
    ours = (tmp_path / "calls").read_text().splitlines()[0]
    assert ours[ours.index("-l "):] == theirs[theirs.index("-l "):]
