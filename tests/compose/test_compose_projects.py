"""Up and down on a real engine."""

import json
import threading
import time
from collections.abc import Callable

import docker.errors
import pytest
from two_services import TWO, ids

from operator_demo import labels
from operator_demo.compose import Project, down, up, wait_healthy
from operator_demo.engine import (
    BASE,
    Engine,
    Interrupted,
    container_action,
    container_states,
    discover_network,
    exec_in,
    inspect,
    members,
    projects,
    read_file_from,
)
from operator_demo.errors import OperatorError, UsageError

pytestmark = pytest.mark.engine

Load = Callable[..., Project]

def test_up_again_keeps_what_is_unchanged(engine: Engine, load: Load, project_name: str,
                                          stop: threading.Event) -> None:
    project = load(TWO, project_name)
    up(engine, project, stop=stop)
    first = members(engine, project_name)
    assert [(c.service, c.name, c.state, c.health, c.exit_code) for c in first] == [
        (s, f"{project_name}-{s}-1", "running", None, None) for s in ("one", "two")]
    assert all(c.address for c in first)
    assert discover_network(engine, project_name) == f"{project_name}_main"
    up(engine, project, stop=stop)
    assert members(engine, project_name) == first

    container_action(engine, first[1].id, "kill")
    assert [(c.state, c.exit_code, c.address) for c in members(engine, project_name)][1] == ("exited", 137, None)
    up(engine, project, stop=stop)
    again = members(engine, project_name)
    assert [c.id for c in again] == [c.id for c in first]
    assert again[1].state == "running"


def test_only_what_changed_is_made_anew(engine: Engine, load: Load, project_name: str, stop: threading.Event) -> None:
    up(engine, load(TWO, project_name), stop=stop)
    before = ids(engine, project_name)
    exec_in(engine, before["one"], ["touch", "/data/kept"])
    up(engine, load(TWO.replace("GREETING: hello", "GREETING: bye"), project_name), stop=stop)
    after = ids(engine, project_name)
    assert after["one"] == before["one"]
    assert after["two"] != before["two"]
    assert "GREETING=bye" in inspect(engine, after["two"])["Config"]["Env"]
    up(engine, load(TWO.replace("sleep 1000\n    networks", "sleep 999\n    networks"), project_name), stop=stop)
    assert ids(engine, project_name)["one"] != before["one"]
    assert exec_in(engine, ids(engine, project_name)["one"], ["ls", "/data"])[1] == b"kept\n"


def test_states_in_one_request(engine: Engine, load: Load, project_name: str, stop: threading.Event) -> None:
    up(engine, load(TWO, project_name), stop=stop)
    one = ids(engine, project_name)["one"]
    container_action(engine, one, "kill")
    helper = {"Image": BASE, "Cmd": ["true"], "Labels": {labels.PROJECT: project_name, labels.SERVICE: "aux",
                                                         labels.ONEOFF: "True"}}
    engine.api.create_container_from_config(helper, f"{project_name}-aux")
    states = {state.service: state for state in container_states(engine, project_name, patience=10)}
    assert (states["one"].id, states["one"].name) == (one, f"{project_name}-one-1")
    assert {service: (state.state, state.exit_code) for service, state in states.items()} == {
        "one": ("exited", 137), "two": ("running", None)}
    assert container_states(engine, "no-such-project", patience=10) == []


def test_what_an_interrupted_up_left_is_made_anew(engine: Engine, load: Load, project_name: str,
                                                  stop: threading.Event) -> None:
    """A container that was created and not started may lack its secrets."""
    project = load(TWO, project_name)
    up(engine, project, stop=stop)
    two = inspect(engine, ids(engine, project_name)["two"])
    engine.api.remove_container(two["Id"], force=True)
    left = engine.api.create_container_from_config(
        {"Image": two["Config"]["Image"], "Cmd": two["Config"]["Cmd"], "Labels": two["Config"]["Labels"]},
        f"{project_name}-two-1")["Id"]
    up(engine, project, stop=stop)
    assert ids(engine, project_name)["two"] != left
    assert members(engine, project_name)[1].address


def test_down_removes_all_and_can_be_repeated(engine: Engine, load: Load, project_name: str,
                                              stop: threading.Event) -> None:
    up(engine, load(TWO, project_name), stop=stop)
    containers = [f"container {project_name}-{s}-1" for s in ("one", "two")]
    networks = [f"network {project_name}_{n}" for n in ("main", "side")]
    assert sorted(down(engine, project_name, volumes=False)) == containers + networks
    assert down(engine, project_name, volumes=False) == []
    assert down(engine, project_name, volumes=True) == [f"volume {project_name}_data"]
    assert down(engine, project_name, volumes=True) == []


def test_down_of_half_a_project(engine: Engine, load: Load, project_name: str, stop: threading.Event) -> None:
    up(engine, load(TWO, project_name), stop=stop)
    found = ids(engine, project_name)
    engine.api.remove_container(found["one"], force=True)
    engine.api.remove_network(f"{project_name}_side")
    container_action(engine, found["two"], "pause")
    assert sorted(down(engine, project_name, volumes=True)) == [
        f"container {project_name}-two-1", f"network {project_name}_main", f"volume {project_name}_data"]


def test_down_twice_at_once(engine: Engine, load: Load, project_name: str, stop: threading.Event) -> None:
    up(engine, load(TWO, project_name), stop=stop)
    removed: list[str] = []
    threads = [threading.Thread(target=lambda: removed.extend(down(engine, project_name, volumes=True)))
               for _ in range(3)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert members(engine, project_name) == []
    assert {r.split()[0] for r in removed} == {"container", "network", "volume"}


def test_containers_on_the_network_that_are_ours_or_not(engine: Engine, load: Load, new_project: Callable[[], str],
                                                        stop: threading.Event) -> None:
    subject, agent, stranger = new_project(), new_project(), new_project()
    up(engine, load(TWO, subject), stop=stop)
    outside = """\
services:
  guest: {image: IMAGE, init: true, command: sleep 1000, networks: [main]}
networks: {main: {external: true, name: "${NETWORK}"}}
"""
    env = {"NETWORK": discover_network(engine, subject)}
    up(engine, load(outside, agent, env, extra_labels={"io.operator-demo.run": "run-1"}), stop=stop)
    up(engine, load(outside, stranger, env), stop=stop)
    with pytest.raises(OperatorError, match=f"used by {stranger}-guest-1, which is not ours"):
        down(engine, subject, volumes=True)
    assert members(engine, subject) == []
    assert members(engine, agent)[0].state == "running"
    down(engine, stranger, volumes=True)
    assert down(engine, subject, volumes=True) == [f"network {subject}_main"]
    assert members(engine, agent)[0].state == "running"
    down(engine, agent, volumes=True)
    assert env["NETWORK"] == f"{subject}_main"


def test_a_volume_in_use_elsewhere_is_named(engine: Engine, load: Load, new_project: Callable[[], str],
                                            stop: threading.Event) -> None:
    owner, user = new_project(), new_project()
    up(engine, load(TWO, owner), stop=stop)
    up(engine, load("services: {guest: {image: IMAGE, init: true, command: sleep 1000, volumes: [v:/v]}}\n"
                    "volumes: {v: {external: true, name: '${V}'}}\n", user, {"V": f"{owner}_data"}), stop=stop)
    with pytest.raises(OperatorError, match=f"used by {user}-guest-1"):
        down(engine, owner, volumes=True)
    down(engine, user, volumes=True)
    assert down(engine, owner, volumes=True) == [f"volume {owner}_data"]


def test_projects_side_by_side(engine: Engine, load: Load, new_project: Callable[[], str],
                               stop: threading.Event) -> None:
    a, b = new_project(), new_project()
    threads = [threading.Thread(target=up, args=(engine, load(TWO, name, extra_labels={
        "io.operator-demo.run": f"run-{name}"})), kwargs={"stop": stop}) for name in (a, b)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert set(ids(engine, a).values()).isdisjoint(ids(engine, b).values())
    found = {p.name: (p.run, p.state, p.containers) for p in projects(engine)}
    assert found[a] == (f"run-{a}", "running", 2)
    container_action(engine, ids(engine, b)["one"], "kill")
    assert {p.name: p.state for p in projects(engine)}[b] == "partly"
    down(engine, a, volumes=False)
    assert len(members(engine, b)) == 2
    assert {p.name: p.state for p in projects(engine)}[a] == "leftover"
    down(engine, a, volumes=True)
    assert a not in {p.name for p in projects(engine)}


CHAIN = """\
services:
  first:
    image: IMAGE
    init: true
    command: bash -c 'sleep 1; touch /tmp/ready; sleep 1000'
    healthcheck: {test: [CMD, test, -f, /tmp/ready], interval: 200ms, timeout: 5s, retries: 50}
  job:
    image: IMAGE
    command: "true"
    depends_on: {first: {condition: service_healthy}}
  last:
    image: IMAGE
    init: true
    command: sleep 1000
    depends_on: {job: {condition: service_completed_successfully}, first: {condition: service_started}}
"""


def started_at(engine: Engine, project: str, service: str) -> str:
    return str(inspect(engine, ids(engine, project)[service])["State"]["StartedAt"])


def test_conditions_are_waited_for(engine: Engine, load: Load, project_name: str, stop: threading.Event) -> None:
    up(engine, load(CHAIN, project_name), stop=stop)
    first, job, last = (inspect(engine, ids(engine, project_name)[s])["State"] for s in ("first", "job", "last"))
    healthy_at = next(entry["End"] for entry in first["Health"]["Log"] if entry["ExitCode"] == 0)
    assert healthy_at < job["StartedAt"] or first["Health"]["Status"] == "healthy"
    assert job["FinishedAt"] <= last["StartedAt"]
    assert job["ExitCode"] == 0
    wait_healthy(engine, project_name, ["first", "last"], 10, stop)


@pytest.mark.parametrize(("change", "words"), [
    (("command: \"true\"", "command: bash -c 'exit 4'"), "waits for job to complete, but it ended with exit code 4"),
    (("sleep 1; touch /tmp/ready; sleep 1000", "exit 5"), "job waits for first to be healthy, but it has ended"),
    (("[CMD, test, -f, /tmp/ready], interval: 200ms, timeout: 5s, retries: 50",
      "[CMD-SHELL, 'echo so ill; exit 1'], interval: 100ms, timeout: 5s, retries: 2"), "its check says: so ill"),
    (("    healthcheck: {test: [CMD, test, -f, /tmp/ready], interval: 200ms, timeout: 5s, retries: 50}\n", ""),
     "it has no healthcheck"),
])
def test_a_condition_that_cannot_come_true_is_an_error(engine: Engine, load: Load, project_name: str,
                                                       stop: threading.Event, change: tuple[str, str],
                                                       words: str) -> None:
    with pytest.raises(OperatorError) as caught:
        up(engine, load(CHAIN.replace(*change), project_name), stop=stop)
    assert words in caught.value.message


def test_up_obeys_the_stop(engine: Engine, load: Load, project_name: str, stop: threading.Event) -> None:
    project = load(CHAIN.replace("sleep 1; touch", "sleep 600; touch").replace("retries: 50", "retries: 5000"),
                   project_name)
    threading.Timer(1.5, stop.set).start()
    begin = time.monotonic()
    with pytest.raises(Interrupted):
        up(engine, project, stop=stop)
    assert time.monotonic() - begin < 10
    assert {c.service: c.state for c in members(engine, project_name)} == {
        "first": "running", "job": "created", "last": "created"}


def test_waiting_for_health(engine: Engine, load: Load, project_name: str, stop: threading.Event) -> None:
    text = CHAIN[:CHAIN.index("  job:")]
    up(engine, load(text.replace("sleep 1; touch", "sleep 600; touch"), project_name), stop=stop)
    with pytest.raises(OperatorError, match=r"not healthy after 0\.5 s: first is starting"):
        wait_healthy(engine, project_name, ["first"], 0.5, stop)
    with pytest.raises(OperatorError, match="other is missing"):
        wait_healthy(engine, project_name, ["other"], 0.2, stop)
    container_action(engine, ids(engine, project_name)["first"], "kill")
    with pytest.raises(OperatorError, match="first has ended with exit code 137"):
        wait_healthy(engine, project_name, ["first"], 60, stop)
    stop.set()
    with pytest.raises(Interrupted):
        wait_healthy(engine, project_name, ["other"], 60, stop)


def test_several_failures_are_told_together(engine: Engine, load: Load, project_name: str,
                                            stop: threading.Event) -> None:
    text = TWO.replace("command: sleep 1000", "command: /no/such/program").replace("init: true", "init: false")
    with pytest.raises(OperatorError) as caught:
        up(engine, load(text, project_name), stop=stop)
    assert "/no/such/program" in caught.value.message


SECRET = "s3cret-" + "value"
WITH_SECRET = """\
services:
  web: {image: IMAGE, init: true, command: sleep 1000, secrets: [key, fixed]}
secrets: {key: {environment: THE_KEY}, fixed: {file: fixed.txt}}
"""


def test_a_secret_is_in_its_file_and_nowhere_else(engine: Engine, load: Load, project_name: str, tmp_path,  # type: ignore[no-untyped-def]
                                                  stop: threading.Event) -> None:
    (tmp_path / "fixed.txt").write_bytes(b"from a file")
    project = load(WITH_SECRET, project_name, {"THE_KEY": SECRET})
    up(engine, project, stop=stop)
    web = ids(engine, project_name)["web"]
    assert read_file_from(engine, web, "/run/secrets/key") == SECRET.encode()
    assert read_file_from(engine, web, "/run/secrets/fixed") == b"from a file"
    assert exec_in(engine, web, ["stat", "-c", "%a %U", "/run/secrets/key"])[1] == b"600 root\n"
    assert SECRET not in json.dumps(inspect(engine, web))
    assert SECRET.encode() not in exec_in(engine, web, ["sh", "-c", "env; cat /proc/1/environ"])[1]

    container_action(engine, web, "restart", timeout=0)
    up(engine, project, stop=stop)
    assert ids(engine, project_name)["web"] == web
    assert read_file_from(engine, web, "/run/secrets/key") == SECRET.encode()

    up(engine, project, stop=stop, secrets={"key": "another"})
    changed = ids(engine, project_name)["web"]
    assert changed != web
    assert read_file_from(engine, changed, "/run/secrets/key") == b"another"


def test_a_secret_without_value_is_a_usage_error(engine: Engine, load: Load, project_name: str,
                                                 stop: threading.Event) -> None:
    with pytest.raises(UsageError, match="secret fixed: cannot read"):
        up(engine, load(WITH_SECRET, project_name, {"THE_KEY": "x"}), stop=stop)
    with pytest.raises(UsageError, match="secret key: the variable THE_KEY is not set"):
        up(engine, load(WITH_SECRET, project_name), stop=stop, secrets={"fixed": "x"})
    assert members(engine, project_name) == []


def test_what_belongs_to_others_is_not_touched(engine: Engine, load: Load, project_name: str,
                                               stop: threading.Event) -> None:
    project = load(TWO, project_name)
    foreign = engine.api.create_volume(f"{project_name}_data")
    try:
        with pytest.raises(OperatorError, match="belongs to no Compose project"):
            up(engine, project, stop=stop)
    finally:
        engine.api.remove_volume(foreign["Name"])
    foreign = engine.api.create_container_from_config(
        {"Image": "operator-demo/base:trixie", "Cmd": ["true"]}, f"{project_name}-two-1")
    try:
        with pytest.raises(OperatorError, match="already in use"):
            up(engine, project, stop=stop)
    finally:
        engine.api.remove_container(foreign["Id"], force=True)


def test_a_network_that_changed_is_said(engine: Engine, load: Load, project_name: str, stop: threading.Event) -> None:
    up(engine, load(TWO, project_name), stop=stop)
    with pytest.raises(OperatorError, match="another driver, internal setting or addresses"):
        up(engine, load(TWO.replace("side: }\nvolumes", "side: {internal: true}}\nvolumes"), project_name), stop=stop)


def test_an_external_network_must_be_there(engine: Engine, load: Load, project_name: str,
                                           stop: threading.Event) -> None:
    text = "services: {a: {image: IMAGE, networks: [n]}}\nnetworks: {n: {external: true, name: no-such-network}}\n"
    with pytest.raises(OperatorError, match="external network no-such-network is not on this engine"):
        up(engine, load(text, project_name), stop=stop)


@pytest.mark.parametrize("words", ["removal of container x is already in progress",
                                   "sending SIGKILL to container x: container state improper: stopped"])
def test_what_an_engine_is_busy_with_is_removed_all_the_same(engine: Engine, load: Load, project_name: str,
                                                             stop: threading.Event, words: str,
                                                             monkeypatch: pytest.MonkeyPatch) -> None:
    up(engine, load(TWO, project_name), stop=stop)
    remove, refused = engine.api.remove_container, set()

    def busy(key: str, **how: bool) -> None:
        if key not in refused:
            refused.add(key)
            raise docker.errors.APIError("500 Server Error", explanation=words)
        remove(key, **how)

    monkeypatch.setattr(engine.api, "remove_container", busy)
    down(engine, project_name, volumes=True)
    assert len(refused) == 2
    assert ids(engine, project_name) == {}
