"""A second dockerd beside that of this machine: one that a test may freeze and restart.

It has folders, a network namespace and a /run of its own, so that neither its containers nor its firewall rules meet
those of this machine's engine, and its containers find its own socket at the usual place.
"""

import hashlib
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import docker
from another_engine import control_groups, remove_control_groups
from docker.errors import DockerException

CALL = 120.0  # seconds that an answer may take
START, END = 60.0, 60.0  # seconds
_INSIDE = 'ip link set lo up && mount -t tmpfs none /run && exec "$@"'


class OwnEngine:
    def __init__(self, folder: Path) -> None:
        """`folder` must not be on an overlay, and its path must be short, because it holds a socket."""
        self.folder = folder
        self.url = f"unix://{folder}/docker.sock"
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    @contextmanager
    def running(cls, folder: Path) -> "Iterator[OwnEngine]":
        engine, groups = cls(folder), control_groups()
        try:
            engine.start()
            yield engine
        finally:
            engine.thaw()
            engine.stop()
            remove_control_groups(groups)

    def start(self) -> None:
        """Returns when it answers."""
        dockerd = ["dockerd", "-H", self.url, "-H", "unix:///run/docker.sock", "--dns", "127.0.0.1",
                   "--data-root", self.folder / "data", "--exec-root", self.folder / "exec",
                   "--pidfile", self.folder / "pid", "--cgroup-parent", "/operator-demo-own"]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(["unshare", "--net", "--mount", "sh", "-c", _INSIDE, "sh", *dockerd],
                                             stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + START
        while not self._answers():
            assert self._process.poll() is None and time.monotonic() < deadline, self.log()
            time.sleep(0.2)

    def stop(self) -> None:
        """In order: it ends its containers first."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(END)

    def restart(self) -> None:
        self.stop()
        self.start()

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def client(self) -> docker.DockerClient:
        return docker.DockerClient(self.url, timeout=int(CALL))

    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")[-2000:]

    def _signal(self, number: signal.Signals) -> None:
        assert self._process
        self._process.send_signal(number)

    def _answers(self) -> bool:
        try:
            with closing(self.client()) as client:
                return bool(client.ping())
        except DockerException:
            return False


def copy_images(here: docker.DockerClient, there: OwnEngine, file: Path) -> None:
    """The base image, etcd's, and that of our containers, which is named by the content of the built file."""
    agent = f"operator-demo/agent:{hashlib.sha256(file.read_bytes()).hexdigest()[:12]}"
    archive = there.folder / "image.tar"
    with closing(there.client()) as client:
        for tag in ("operator-demo/base:trixie", "operator-demo/etcd:3.5", agent):
            with archive.open("wb") as output:
                for chunk in here.api.get_image(tag):
                    output.write(chunk)
            with archive.open("rb") as content:
                client.images.load(content)
    archive.unlink()
