"""The engine room and a whole run on other engines than this machine's own. docs/engines.md tells the results."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import docker
import pytest
from another_engine import BASE, DOCKER_26, PODMAN_4, Kind, running
from project_names import new_name

from operator_demo.compose import Project, down, ensure_service_image, load_project, up, wait_healthy
from operator_demo.engine import (
    Engine,
    ExecTimeout,
    connect,
    container_action,
    discover_network,
    exec_in,
    find_socket,
    fingerprint,
    follow,
    image_id,
    members,
    read_file_from,
    watch,
)

REPOSITORY = Path(__file__).parents[2]
FILE = REPOSITORY / "operator-demo"
MEMBERS = ["etcd0", "etcd1", "etcd2"]

pytestmark = [pytest.mark.engine, pytest.mark.wide, pytest.mark.timeout(900),
              pytest.mark.xdist_group("other-engines"),
              pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("debootstrap"),
                                 reason="needs root and debootstrap")]


@pytest.fixture(scope="module", params=[DOCKER_26, PODMAN_4], ids=lambda kind: kind.name)
def kind(request: pytest.FixtureRequest) -> Kind:
    found: Kind = request.param
    return found


@pytest.fixture(scope="module")
def url(kind: Kind) -> Iterator[str]:
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="operator-demo-engine-") as folder:
        with running(kind, Path(folder)) as address:
            import_base(address)
            yield address


def import_base(address: str) -> None:
    """As build.sh does it with a root file system that it made; here it is that of this machine's base image."""
    client = docker.from_env()
    container = client.containers.create(BASE)
    try:
        done = subprocess.run([sys.executable, REPOSITORY / "tools/engine.py", "import-base"], capture_output=True,
                              input=b"".join(container.export()), env=os.environ | {"DOCKER_HOST": address})
        assert done.returncode == 0, done.stderr
    finally:
        container.remove()
        client.close()


@pytest.fixture
def there(url: str) -> Iterator[Engine]:
    made = connect(url)
    yield made
    made.close()


@pytest.fixture
def stop() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def etcd(there: Engine, stop: threading.Event) -> Iterator[Project]:
    name = new_name()
    project = load_project(files("subjects").joinpath("etcd"), "compose.yaml", project=name, env={})
    for service in project.services.values():
        ensure_service_image(there, project, service, stop=stop)
    try:
        up(there, project, progress=lambda *_: None, stop=stop)
        wait_healthy(there, name, MEMBERS, 60, stop)
        yield project
    finally:
        removed = down(there, name, volumes=True)
        assert sum(item.startswith("container ") for item in removed) == 3
        assert sum(item.startswith("volume ") for item in removed) == 3
        assert members(there, name) == []


def test_who_it_is(there: Engine, kind: Kind, url: str) -> None:
    assert there.product == ("Podman" if kind is PODMAN_4 else "Docker")
    assert there.version.startswith("4.3" if kind is PODMAN_4 else "26.1")
    again = connect(url)
    assert again.id == there.id
    again.close()
    assert image_id(there, BASE)
    assert abs(there.clock_offset()) < 5


def test_its_socket_is_elsewhere_on_its_own_side(there: Engine, kind: Kind, url: str) -> None:
    found = find_socket(there, BASE)
    assert found == ("/shared/podman.sock" if kind is PODMAN_4 else "/var/run/docker.sock")
    assert url != f"unix://{found}"


def test_a_cluster(there: Engine, etcd: Project, stop: threading.Event) -> None:
    name = etcd.name
    cluster = {c.service: c for c in members(there, name)}
    assert sorted(cluster) == MEMBERS
    assert all(c.state == "running" and c.health == "healthy" and c.address for c in cluster.values())
    assert discover_network(there, name) == f"{name}_default"
    first, second = cluster["etcd0"].id, cluster["etcd1"].id
    assert exec_in(there, first, ["sh", "-c", "echo a; echo b >&2; exit 3"]) == (3, b"a\n", b"b\n")
    much = os.urandom(1_000_000)
    assert exec_in(there, first, ["cat"], stdin=much) == (0, much, b"")
    with pytest.raises(ExecTimeout):
        exec_in(there, first, ["sleep", "100"], timeout=1)
    assert read_file_from(there, first, "/etc/hostname").strip()
    before = fingerprint(there, name)

    lines: list[str] = []
    seen: list[tuple[str, str]] = []
    threads = [threading.Thread(target=lambda: lines.extend(follow(there, second, stop))),
               threading.Thread(target=lambda: seen.extend((e.service, e.action) for e in watch(there, stop)
                                                           if e.project == name))]
    for thread in threads:
        thread.start()
    time.sleep(1)
    for action, state in [("pause", "paused"), ("unpause", "running"), ("kill", "exited"), ("start", "running"),
                          ("stop", "exited"), ("start", "running")]:
        container_action(there, second, action)
        assert {c.service: c.state for c in members(there, name)}["etcd1"] == state
    wait_healthy(there, name, MEMBERS, 60, stop)
    container_action(there, second, "disconnect")
    assert {c.service: c.address for c in members(there, name)}["etcd1"] is None
    container_action(there, second, "connect")
    wait_healthy(there, name, MEMBERS, 60, stop)
    assert exec_in(there, first, ["getent", "hosts", "etcd1"])[0] == 0  # the alias is back
    assert fingerprint(there, name) == before
    stop.set()
    begin = time.monotonic()
    for thread in threads:
        thread.join(20)
    assert time.monotonic() - begin < 3
    assert sum("starting etcd" in line.lower() or '"etcd-version"' in line for line in lines) >= 2  # over restarts
    assert {("etcd1", "kill"), ("etcd1", "die"), ("etcd1", "start"), ("etcd1", "pause")} <= set(seen)


def test_a_whole_run(url: str, tmp_path: Path) -> None:
    if not FILE.exists():
        pytest.fail("There is no built file; run ./build.sh first.")
    project = new_name()
    environment = {k: v for k, v in os.environ.items() if k != "ANTHROPIC_API_KEY"}
    environment |= {"DOCKER_HOST": url, "OPERATOR_HOME": str(tmp_path / "home")}
    try:
        done = subprocess.run([FILE, "run", "etcd", "--auto", "--pace", "0", "--project", project], env=environment,
                              capture_output=True, text=True, timeout=400)
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
        listed = subprocess.run([FILE, "audit", "list", "--json"], env=environment, capture_output=True, text=True)
        assert "verified" in json.dumps(listed.stdout)
        doctor = subprocess.run([FILE, "doctor"], env=environment, capture_output=True, text=True)
        assert "on the engine's machine" in doctor.stdout
        assert doctor.returncode == 0, doctor.stdout
    finally:
        subprocess.run([FILE, "down", "--project", project, "--volumes"], env=environment, capture_output=True)
    client = docker.DockerClient(base_url=url)
    left = [c.name for c in client.containers.list(all=True) if project in c.name]
    client.close()
    assert left == []


