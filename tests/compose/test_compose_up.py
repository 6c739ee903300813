"""The Compose keys on a real engine: that what is said is so in the end."""

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import docker.errors
import pytest

from operator_demo.compose import Project, down, up
from operator_demo.compose.images import build_context, ensure_service_image
from operator_demo.engine import Engine, exec_in, image_id, inspect, members, read_file_from
from operator_demo.errors import OperatorError, UsageError

Load = Callable[..., Project]
TOKEN = "t0ken-" + "value"

MANY = """\
services:
  one:
    image: IMAGE
    init: true
    command: sleep 1000
    container_name: ${COMPOSE_PROJECT_NAME}-the-one
    configs:
      - inline
      - {source: inline, target: /etc/new/folder/app.conf, uid: "7", gid: "8", mode: 0440}
    secrets:
      - token
      - {source: token, target: /etc/token, mode: 0400, uid: "1000"}
    volumes:
      - ./made/by/the/engine:/made
      - limited:/limited
      - /nameless
    networks: {planned: {ipv4_address: "${SUBNET}.9", aliases: [uno]}, other: }
    extra_hosts: ["elsewhere:192.0.2.7"]
    sysctls: {net.core.somaxconn: 512}
    ulimits: {core: {soft: 1024, hard: 2048}}
    deploy: {resources: {limits: {memory: 64m}}}
    environment: {LANG: , GIVEN: yes}
    stop_grace_period: 0s
  beside:
    image: IMAGE
    init: true
    command: sleep 1000
    network_mode: service:one
    stop_grace_period: 0s
  linked:
    image: IMAGE
    init: true
    command: sleep 1000
    networks: [other]
    links: ["one:first"]
    stop_grace_period: 0s
networks:
  planned: {ipam: {config: [{subnet: "${SUBNET}.0/28"}]}, labels: {kind: planned}}
  other: {internal: true}
volumes:
  limited: {driver: local, driver_opts: {type: tmpfs, device: tmpfs, o: size=1m}}
configs: {inline: {content: "a = ${SUBNET}\\n"}}
secrets: {token: {environment: TOKEN}}
"""


def run(engine: Engine, container: str, *command: str) -> str:
    status, out, err = exec_in(engine, container, list(command))
    assert status == 0, err
    return out.decode().strip()


def ids(engine: Engine, project: str) -> dict[str, str]:
    return {c.service: c.id for c in members(engine, project)}


@pytest.mark.engine
def test_what_is_said_is_so(engine: Engine, load: Load, project_name: str, stop: threading.Event,
                            tmp_path: Path) -> None:
    subnet = f"10.{secrets.randbelow(100) + 100}.{secrets.randbelow(256)}"
    env = {"SUBNET": subnet, "TOKEN": TOKEN}
    up(engine, load(MANY, project_name, env), stop=stop)
    found = {c.service: c for c in members(engine, project_name)}
    one, linked = found["one"].id, found["linked"].id
    assert found["one"].name == f"{project_name}-the-one"
    assert read_file_from(engine, one, "/inline") == f"a = {subnet}\n".encode()
    assert run(engine, one, "stat", "-c", "%a %u %g", "/inline", "/etc/new/folder/app.conf", "/run/secrets/token",
               "/etc/token", "/etc/new", "/etc").splitlines() == [
        "444 0 0", "440 7 8", "600 0 0", "400 1000 0", "755 0 0", "755 0 0"]
    assert read_file_from(engine, one, "/etc/token") == TOKEN.encode()
    assert TOKEN not in str(inspect(engine, one))
    run(engine, one, "touch", "/made/here")
    assert (tmp_path / "made/by/the/engine/here").exists()
    assert run(engine, one, "sh", "-c", "stat -f -c '%b * %S' /limited | xargs expr") == str(1 << 20)
    addresses = run(engine, one, "hostname", "-I").split()
    assert f"{subnet}.9" in addresses
    assert run(engine, found["beside"].id, "hostname", "-I").split() == addresses
    assert run(engine, one, "getent", "hosts", "elsewhere").startswith("192.0.2.7")
    assert run(engine, linked, "getent", "hosts", "first").split()[0] in addresses
    assert run(engine, one, "cat", "/proc/sys/net/core/somaxconn") == "512"
    assert run(engine, one, "sh", "-c", "grep 'core file' /proc/1/limits").split()[4:6] == ["1024", "2048"]
    assert inspect(engine, one)["HostConfig"]["Memory"] == 64 << 20

    up(engine, load(MANY, project_name, env), stop=stop)
    assert ids(engine, project_name) == {s: c.id for s, c in found.items()}
    # What shares the network of one that is made anew must be made anew with it; who is linked is not.
    up(engine, load(MANY.replace("GIVEN: yes", "GIVEN: no"), project_name, env), stop=stop)
    again = ids(engine, project_name)
    assert (again["one"] != one, again["beside"] != found["beside"].id, again["linked"] == linked) == (True,) * 3
    assert all(c.state == "running" for c in members(engine, project_name))

    for old, new in ((".0/28", ".0/27"), ("size=1m", "size=2m"), ("internal: true", "internal: false")):
        with pytest.raises(OperatorError, match="is there with another driver"):
            up(engine, load(MANY.replace(old, new), project_name, env), stop=stop)
    assert f"volume {project_name}_limited" in down(engine, project_name, volumes=True)


@pytest.mark.engine
def test_nameless_volumes_outlive_their_container(engine: Engine, load: Load, project_name: str,
                                                  stop: threading.Event) -> None:
    text = "services: {a: {image: IMAGE, init: true, command: sleep 1000, volumes: [/data], environment: {A: 1}}}"
    up(engine, load(text, project_name), stop=stop)
    first = ids(engine, project_name)["a"]
    run(engine, first, "touch", "/data/kept")
    up(engine, load(text.replace("A: 1", "A: 2"), project_name), stop=stop)
    second = ids(engine, project_name)["a"]
    assert second != first
    assert run(engine, second, "ls", "/data") == "kept"
    volume = inspect(engine, second)["Mounts"][0]["Name"]
    down(engine, project_name, volumes=True)
    assert volume not in {v["Name"] for v in engine.api.volumes()["Volumes"]}


@pytest.mark.engine
def test_who_depends_is_restarted_with_what_is_made_anew(engine: Engine, load: Load, project_name: str,
                                                         stop: threading.Event) -> None:
    text = """\
services:
  db: {image: IMAGE, init: true, command: sleep 1000, environment: {A: 1}, stop_grace_period: 0s}
  close:
    {image: IMAGE, init: true, command: sleep 1000, stop_grace_period: 0s,
     depends_on: {db: {condition: service_started, restart: true}}}
  loose: {image: IMAGE, init: true, command: sleep 1000, depends_on: [db]}
"""

    def starts() -> dict[str, str]:
        return {s: inspect(engine, i)["State"]["StartedAt"] for s, i in ids(engine, project_name).items()}

    up(engine, load(text, project_name), stop=stop)
    before, containers = starts(), ids(engine, project_name)
    up(engine, load(text.replace("A: 1", "A: 2"), project_name), stop=stop)
    after = starts()
    assert {s for s in before if before[s] != after[s]} == {"db", "close"}
    assert {s for s, i in ids(engine, project_name).items() if i != containers[s]} == {"db"}
    assert after["close"] > after["db"]


@pytest.mark.engine
def test_what_is_not_required_may_fail(engine: Engine, load: Load, project_name: str, stop: threading.Event) -> None:
    text = """\
services:
  job: {image: IMAGE, command: "false"}
  web:
    image: IMAGE
    init: true
    command: sleep 1000
    depends_on: {job: {condition: service_completed_successfully, required: false}}
"""
    told: list[str] = []
    up(engine, load(text, project_name), stop=stop, progress=lambda item, status: told.append(status))
    assert {c.service: c.state for c in members(engine, project_name)} == {"job": "exited", "web": "running"}
    assert any(s.startswith("not waited for: web waits for job") for s in told)
    with pytest.raises(OperatorError, match="ended with exit code 1"):
        up(engine, load(text.replace("false}}", "true}}"), project_name), stop=stop)


@pytest.mark.engine
def test_a_container_has_its_whole_grace_to_stop(engine: Engine, load: Load, project_name: str,
                                                 stop: threading.Event) -> None:
    text = """\
services:
  a:
    image: IMAGE
    command: bash -c 'trap "sleep 1; exit 0" TERM; touch /ready; while :; do sleep 0.1; done'
    environment: {A: 1}
    stop_grace_period: 30s
"""
    up(engine, load(text, project_name), stop=stop)
    first = ids(engine, project_name)["a"]
    deadline = time.monotonic() + 10
    while exec_in(engine, first, ["test", "-e", "/ready"])[0] and time.monotonic() < deadline:
        time.sleep(0.1)
    begin = time.time()
    up(engine, load(text.replace("A: 1", "A: 2"), project_name), stop=stop)
    died = list(engine.api.events(since=int(begin) - 1, until=int(time.time()) + 1, decode=True,
                                  filters={"container": first, "event": "die"}))
    assert [e["Actor"]["Attributes"]["exitCode"] for e in died] == ["0"]


@pytest.mark.engine
def test_what_the_engine_is_too_old_for_is_said(engine: Engine, load: Load, stop: threading.Event) -> None:
    project = load("services:\n  a:\n    image: IMAGE\n    healthcheck: {test: x, start_interval: 1s}\n")
    with pytest.raises(UsageError, match=r"compose\.yaml:3: service a: healthcheck\.start_interval is only known"):
        up(replace(engine, api_version="1.43"), project, stop=stop)


def test_the_context_is_what_dockerignore_leaves(load: Load, tmp_path: Path) -> None:
    for name in ("keep.txt", "drop.log", "sub/keep.py", "sub/drop.log", "node/x/y", "Dockerfile"):
        (tmp_path / "app" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "app" / name).write_text(name)
    (tmp_path / "app/.dockerignore").write_text("# comment\n**/*.log\nnode\nDockerfile\n\n!sub/drop.log\n")
    (tmp_path / "app/loop").symlink_to(tmp_path / "app")
    (tmp_path / "app/link.txt").symlink_to("keep.txt")
    build = load("services: {a: {build: app}}").services["a"].build
    assert build is not None
    assert set(build_context(build)) == {".dockerignore", "Dockerfile", "keep.txt", "link.txt", "sub/drop.log",
                                         "sub/keep.py"}


@pytest.fixture
def image(engine: Engine) -> Iterator[str]:
    name = f"scratch/t{secrets.token_hex(4)}:1"
    yield name
    if image_id(engine, name):
        engine.api.remove_image(name, force=True)


@pytest.mark.engine
def test_a_build_from_a_folder(engine: Engine, load: Load, tmp_path: Path, image: str) -> None:
    (tmp_path / "run.sh").write_text("#!/bin/sh\n")
    (tmp_path / "run.sh").chmod(0o755)
    text = f"""\
services:
  a:
    image: {image}
    build:
      target: wanted
      labels: [shape=round]
      args: {{WORD: "${{WORD}}"}}
      dockerfile_inline: |
        FROM IMAGE AS wanted
        ARG WORD
        COPY run.sh /run.sh
        ENV WORD=$$WORD
        FROM wanted AS last
        RUN exit 1
"""
    project = load(text, env={"WORD": "hello"})
    first = ensure_service_image(engine, project, project.services["a"])
    described = engine.api.inspect_image(first)["Config"]
    assert described["Labels"]["shape"] == "round"
    assert "WORD=hello" in described["Env"]
    assert ensure_service_image(engine, project, project.services["a"]) == first
    other = load(text, env={"WORD": "bye"})
    second = ensure_service_image(engine, other, other.services["a"])
    assert second != first
    made = engine.api.create_container_from_config({"Image": image, "Cmd": ["true"]})["Id"]
    try:
        _, stat = engine.api.get_archive(made, "/run.sh")
        assert stat["mode"] & 0o777 == 0o755
    finally:
        engine.api.remove_container(made)
        engine.api.remove_image(first)


def test_a_context_that_is_not_there(load: Load) -> None:
    project = load("services: {a: {build: nowhere}}")
    with pytest.raises(OperatorError, match="nowhere is no folder"):
        ensure_service_image(None, project, project.services["a"])  # type: ignore[arg-type]


@pytest.mark.engine
def test_an_engine_that_wants_the_network_first_gets_it(engine: Engine, load: Load, project_name: str,
                                                        stop: threading.Event, monkeypatch: pytest.MonkeyPatch) -> None:
    real, refused = engine.api.create_container_from_config, []

    def picky(body: dict[str, object], name: str) -> object:
        if not engine.api.networks(names=[f"{project_name}_default"]):
            refused.append(name)
            raise docker.errors.NotFound("network not found")
        return real(body, name)

    create_network = engine.api.create_network

    def slow(*args: object, **kwargs: object) -> object:
        time.sleep(0.5)
        return create_network(*args, **kwargs)

    monkeypatch.setattr(engine.api, "create_container_from_config", picky)
    monkeypatch.setattr(engine.api, "create_network", slow)
    up(engine, load("services: {a: {image: IMAGE, init: true, command: sleep 1000}}", project_name), stop=stop)
    assert refused == [f"{project_name}-a-1"]
    assert [c.state for c in members(engine, project_name)] == ["running"]


@pytest.mark.engine
def test_a_network_that_cannot_be_made_is_the_error(engine: Engine, load: Load, project_name: str,
                                                    stop: threading.Event) -> None:
    text = "services: {a: {image: IMAGE, command: 'true'}}\nnetworks: {default: {driver: no-such-driver}}"
    with pytest.raises(OperatorError, match=f"^network {project_name}_default: .*no-such-driver"):
        up(engine, load(text, project_name), stop=stop)
    assert {c.state for c in members(engine, project_name)} <= {"created"}
