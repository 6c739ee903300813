"""Engines of other kinds and versions, started beside the one of this machine and removed again.

Each lives in a root file system of its own, made by debootstrap, with mounts, processes and a network of its own: so
whatever it leaves is gone when its first process is killed. Its network is that of a container on this machine's
engine, which thereby cares for addresses and routes.
"""

import contextlib
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import docker

from operator_demo.engine import Engine, connect

BASE = "operator-demo/base:trixie"
_SHARED = "shared"  # of the root: where the engine makes its socket, so that this machine sees it

# The root of the mount namespace itself must be the new one (pivot_root, not chroot): `exec` enters the namespace of a
# container's mounts, and would find itself in the old root.
_INSIDE = f"""set -e
cd "$1"
mount --bind . .
cd "$1"
mount -t proc proc proc
mount --rbind /sys sys
mount --rbind /dev dev
mount -t tmpfs tmpfs run
mount --bind "$2" {_SHARED}
mkdir -p .old
pivot_root . .old
umount -l .old
shift 2
exec "$@"
"""


@dataclass(frozen=True)
class Kind:
    name: str
    release: str  # of Debian
    packages: tuple[str, ...]
    command: tuple[str, ...]
    socket: str  # its own side's path is the same, but for Docker, which listens at its usual place too
    files: dict[str, str] = field(default_factory=dict)


DOCKER_26 = Kind(
    "docker26", "trixie", ("docker.io", "iptables", "ca-certificates"),
    ("dockerd", "-H", "unix:///var/run/docker.sock", "-H", f"unix:///{_SHARED}/docker.sock",
     "--cgroup-parent", "/operator-demo-docker26"), "docker.sock")
# runc and not crun, which refuses machines where both versions of cgroups are mounted.
PODMAN_4 = Kind(
    "podman4", "bookworm", ("podman", "netavark", "aardvark-dns", "runc", "iptables", "ca-certificates"),
    ("podman", "system", "service", "-t", "0", f"unix:///{_SHARED}/podman.sock"), "podman.sock",
    {"etc/containers/containers.conf": '[engine]\nruntime = "runc"\n[network]\nnetwork_backend = "netavark"\n'})


@contextlib.contextmanager
def running(kind: Kind, folder: Path) -> Iterator[str]:
    """The address of a new engine of this kind; `folder` must not be on an overlay and is emptied in the end."""
    root, shared = folder / "root", folder / "s"
    shared.mkdir()
    groups = control_groups()
    with contextlib.ExitStack() as stack:
        stack.callback(remove_control_groups, groups)
        stack.callback(shutil.rmtree, root, ignore_errors=True)
        done = subprocess.run(["debootstrap", "--variant=minbase", f"--include={','.join(kind.packages)}", kind.release,
                               root], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-2000:]
        for path, text in kind.files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
        shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
        (root / _SHARED).mkdir()
        client = docker.from_env()
        stack.callback(client.close)
        network = client.containers.run(BASE, ["sleep", "infinity"], detach=True, init=True)
        stack.callback(network.remove, force=True)
        network.reload()
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                ["nsenter", f"--net=/proc/{network.attrs['State']['Pid']}/ns/net", "unshare", "--mount",
                 "--propagation", "private", "--pid", "--fork", "--kill-child", "sh", "-c", _INSIDE, "sh", root, shared,
                 *kind.command], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        stack.callback(process.wait)
        stack.callback(process.kill)
        url = f"unix://{shared / kind.socket}"
        engine = _answering(url, process, folder / "log")
        stack.callback(engine.close)
        (shared / kind.socket).chmod(0o660)  # as the unit of systemd that makes Podman's
        if engine.product == "Podman":
            stack.enter_context(_health_checks(engine))
        yield url


def _answering(url: str, process: "subprocess.Popen[bytes]", log: Path) -> Engine:
    deadline = time.monotonic() + 60
    while True:
        try:
            return connect(url)
        except Exception:
            assert process.poll() is None and time.monotonic() < deadline, log.read_text(errors="replace")[-2000:]
            time.sleep(0.3)


@contextlib.contextmanager
def _health_checks(engine: Engine) -> Iterator[None]:
    """Does what timers of systemd do for Podman: each second it has the health checks run."""
    stop = threading.Event()

    def run() -> None:
        api = engine.api
        while not stop.wait(1):
            with contextlib.suppress(Exception):
                for container in api.containers():
                    api.get(f"{api.base_url}/v4.0.0/libpod/containers/{container['Id']}/healthcheck").close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def control_groups() -> set[Path]:
    top = Path("/sys/fs/cgroup")
    return {Path(group) for controller in top.iterdir() if controller.is_dir() for group in controller.iterdir()
            if group.is_dir() and group.name.startswith(("operator-demo-", "libpod_parent"))}


def remove_control_groups(before: set[Path]) -> None:
    for group in control_groups() - before:
        for folder, _, _ in os.walk(group, topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(folder)
