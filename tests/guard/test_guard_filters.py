"""What of the engine's answers a caller gets to see."""

import asyncio
from typing import Any

import pytest
from guarded_engine import (
    CONTAINERS,
    ETCD,
    HOME_NETWORK,
    IMAGES,
    NETWORK,
    NETWORKS,
    PROJECT,
    RUN,
    VOLUMES,
    FakeEngine,
    id_of,
    listed,
    request,
)

from operator_demo import labels
from operator_demo.guard.policy import Policy
from operator_demo.guard.request import AGENT, MONITOR
from operator_demo.guard.world import World

MEMBERS = {f"{PROJECT}-{name}-1" for name in (
    "etcd0", "etcd1", "etcd2", "bare", "bound", "disguised", "hostpid", "capable", "device", "overlaid", "plugged",
    "shared", "lodger", "guest", "twin", "nested")}
BESIDE = {f"{PROJECT}-backup-1", "visitor", "one-shot"}
OURS = {f"{PROJECT}-operator-monitor-1", "helper-1"}


def kept(line: str, answer: Any, caller: str = AGENT) -> Any:
    decision = asyncio.run(Policy(World(FakeEngine(), PROJECT, RUN)).decide(caller, request(line)))
    assert decision.forward is not None and decision.forward.keep is not None
    return decision.forward.keep(answer)


@pytest.mark.parametrize(("caller", "expected"), [(AGENT, MEMBERS | BESIDE), (MONITOR, MEMBERS | BESIDE | OURS)])
def test_containers(caller: str, expected: set[str]) -> None:
    seen = kept("GET /containers/json?all=1", [listed(c) for c in CONTAINERS], caller)

    assert {item["Names"][0][1:] for item in seen} == expected


def test_networks_are_listed_without_what_is_on_them() -> None:
    seen = kept("GET /networks", NETWORKS)

    assert [n["Name"] for n in seen] == [f"{PROJECT}_default", f"{PROJECT}_old"]
    assert all(n["Containers"] == {} for n in seen)


@pytest.mark.parametrize(("caller", "names"), [
    (AGENT, {f"{PROJECT}-etcd0-1", "visitor"}),
    (MONITOR, {f"{PROJECT}-etcd0-1", "visitor", f"{PROJECT}-operator-monitor-1"})])
def test_a_network_names_what_the_caller_may_know_of(caller: str, names: set[str]) -> None:
    inspected = kept(f"GET /networks/{PROJECT}_default", NETWORKS[0], caller)

    assert {c["Name"] for c in inspected["Containers"].values()} == names
    assert inspected["Id"] == NETWORK


def test_volumes() -> None:
    seen = kept("GET /volumes", {"Volumes": VOLUMES, "Warnings": ["of others"]})

    assert {v["Name"] for v in seen["Volumes"]} == {
        f"{PROJECT}_{name}" for name in ("etcd0-data", "etcd1-data", "etcd2-data", "certs", "disguised", "overlaid",
                                         "plugged", "shared")}
    assert seen["Warnings"] is None
    assert kept("GET /volumes", {"Volumes": None})["Volumes"] == []


def test_images_are_those_of_the_subject() -> None:
    assert [i["Id"] for i in kept("GET /images/json", [{"Id": i} for i in set(IMAGES.values())])] == [ETCD]


def test_info_tells_of_the_engine_and_not_of_the_machine() -> None:
    answer = {"NCPU": 2, "Name": "somebodys-laptop", "Containers": 40, "DockerRootDir": "/var/lib/docker",
              "Labels": ["a"], "HttpProxy": "http://user:secret@proxy", "RegistryConfig": {}, "ServerVersion": "20.10"}

    assert kept("GET /info", answer) == {"NCPU": 2, "ServerVersion": "20.10", "Swarm": {
        "LocalNodeState": "inactive", "ControlAvailable": False}}


# -- events -----------------------------------------------------------------------------------------------------------


def container_event(name: str, action: str, **own: str) -> dict[str, Any]:
    described = next((c for c in CONTAINERS if c["Name"] == f"/{name}"), None)
    known = described["Config"]["Labels"] if described else {}
    return {"Type": "container", "Action": action, "time": 1, "timeNano": 10**9,
            "Actor": {"ID": id_of(name), "Attributes": {"name": name, "image": "x", **known, **own}}}


def network_event(network: str, action: str, container: str) -> dict[str, Any]:
    return {"Type": "network", "Action": action,
            "Actor": {"ID": network, "Attributes": {"name": "x", "container": id_of(container)}}}


class Events:
    def __init__(self, caller: str = AGENT) -> None:
        decision = asyncio.run(Policy(World(FakeEngine(), PROJECT, RUN)).decide(caller, request("GET /events")))
        assert decision.forward is not None and decision.forward.keep is not None
        self.keep = decision.forward.keep


def test_events_of_what_is_visible_pass_unchanged() -> None:
    events = Events()
    for name in (f"{PROJECT}-etcd1-1", f"{PROJECT}-backup-1", "visitor", "one-shot"):
        event = container_event(name, "die")
        assert events.keep(event) == event


@pytest.mark.parametrize("name", ["stranger", "helper-1", f"{PROJECT}-operator-monitor-1", "unheard-of"])
def test_events_of_all_else_are_hidden(name: str) -> None:
    for action in ("create", "start", "exec_start: sh", "destroy"):
        assert Events().keep(container_event(name, action)) is None


def test_the_monitor_learns_that_strangers_made_something_but_not_what() -> None:
    events = Events(MONITOR)
    seen = events.keep(container_event("stranger", "create"))

    assert seen == {"Type": "container", "Action": "create", "time": 1, "timeNano": 10**9,
                    "Actor": {"ID": id_of("stranger"), "Attributes": {}}}
    assert events.keep(container_event("stranger", "start")) is None
    assert events.keep(container_event(f"{PROJECT}-operator-monitor-1", "die")) is not None


def test_a_one_shot_that_is_made_later_is_visible_from_its_first_event() -> None:
    event = container_event("rebuild", "create", **{labels.RUN: RUN, labels.SESSION: "session-2"})
    assert Events().keep(event) == event
    other_run = container_event("rebuild", "create", **{labels.RUN: "run-other", labels.SESSION: "session-2"})
    assert Events().keep(other_run) is None


def test_network_events() -> None:
    events = Events()
    member = f"{PROJECT}-etcd1-1"
    assert events.keep(network_event(NETWORK, "disconnect", member)) is not None
    assert events.keep(network_event(HOME_NETWORK, "connect", member)) is None
    assert events.keep(network_event(NETWORK, "connect", f"{PROJECT}-operator-monitor-1")) is None


def test_a_helper_of_ours_that_comes_later_stays_hidden_on_the_network_too() -> None:
    events = Events()
    assert events.keep(container_event("helper-2", "create", **{labels.RUN: RUN})) is None
    assert events.keep(network_event(NETWORK, "connect", "helper-2")) is None
    assert events.keep(container_event("helper-2", "start", **{labels.RUN: RUN})) is None


def test_a_stranger_that_joins_the_network_becomes_visible() -> None:
    events = Events()
    assert events.keep(container_event("newcomer", "create")) is None
    assert events.keep(network_event(NETWORK, "connect", "newcomer")) is not None
    assert events.keep(container_event("newcomer", "start")) is not None


def test_what_a_helper_of_ours_does_to_a_volume_of_the_subject_is_hidden() -> None:
    events = Events()

    def mounted_by(container: str) -> dict[str, Any]:
        return {"Type": "volume", "Action": "mount",
                "Actor": {"ID": f"{PROJECT}_etcd1-data", "Attributes": {"container": id_of(container)}}}

    assert events.keep(mounted_by(f"{PROJECT}-etcd1-1")) is not None
    assert events.keep(mounted_by("helper-1")) is None
    assert events.keep(mounted_by("helper-2")) is None


def test_volume_events_and_those_of_other_kinds() -> None:
    events = Events()

    def of(kind: str, id_: str) -> dict[str, Any]:
        return {"Type": kind, "Action": "destroy", "Actor": {"ID": id_, "Attributes": {}}}

    assert events.keep(of("volume", f"{PROJECT}_etcd0-data")) is not None
    assert events.keep(of("volume", "elsewhere_db")) is None
    assert events.keep(of("volume", f"{PROJECT}-operator_operator-data")) is None
    for kind in ("image", "daemon", "plugin", "secret", "builder", "unheard"):
        assert events.keep(of(kind, f"{PROJECT}_x")) is None
    assert events.keep({}) is None
