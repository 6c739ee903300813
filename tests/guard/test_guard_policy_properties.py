"""Properties of the policy that hold whatever is asked."""

import asyncio
import copy
import json
import re
from pathlib import Path
from typing import Any

from guarded_engine import CONTAINERS, IMAGES, NETWORKS, OTHER_IMAGE, PROJECT, RUN, VOLUMES, FakeEngine, id_of
from hypothesis import given, settings
from hypothesis import strategies as st

from operator_demo.guard.decision import Decision, Ruling
from operator_demo.guard.endpoints import ENDPOINTS, NAME
from operator_demo.guard.policy import Policy
from operator_demo.guard.request import AGENT, MONITOR, Request
from operator_demo.guard.world import World

M = f"{PROJECT}-etcd1-1"
HIDDEN = ["stranger", f"{PROJECT}-operator-monitor-1", "helper-1", "elsewhere", "bridge", "elsewhere_db", "postgres:17",
          f"{PROJECT}-operator_operator-data", "operator-demo/agent:1", OTHER_IMAGE]
HIDDEN += [id_of(name) for name in HIDDEN[:3]] + [id_of("stranger")[:20]]
MINE = [c["Name"][1:] for c in CONTAINERS] + [n["Name"] for n in NETWORKS] + [v["Name"] for v in VOLUMES] + list(IMAGES)
WORDS = sorted({part for e in ENDPOINTS for part in e.path if part != NAME} | {
    "prune", "build", "commit", "export", "rename", "tag", "get", "load", "swarm", "session", "secrets"})
RECORDED = [request for command in json.loads(Path(__file__).with_name("docker_cli_26.json").read_text())
            for request in command["requests"]]
BODIES = [(target, body) for _, target, body in RECORDED if body]

hidden = st.sampled_from(HIDDEN)
junk = st.text(max_size=12)
json_values = st.recursive(st.none() | st.booleans() | st.integers() | junk,
                           lambda inner: st.lists(inner, max_size=3) | st.dictionaries(junk, inner, max_size=3),
                           max_leaves=5)
callers = st.sampled_from([AGENT, MONITOR])
segments = st.sampled_from(WORDS) | st.sampled_from(MINE) | hidden | junk
queries = st.dictionaries(st.sampled_from(["all", "t", "path", "filters", "signal", "name", "limit", "stream"]) | junk,
                          junk | st.sampled_from(["1", "/var/lib/etcd", "SIGKILL", "{}"]), max_size=3)
bodies = st.none() | st.sampled_from([body for _, body in BODIES]) | st.dictionaries(junk, json_values, max_size=4)


def decide(caller: str, request: Request) -> Decision:
    return asyncio.run(Policy(World(FakeEngine(), PROJECT, RUN)).decide(caller, request))


def segments_of(target: str) -> tuple[str, ...]:
    return tuple(re.sub(r"^/(v1\.41/)?|\?.*$", "", target).split("/"))


@given(callers, st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE"]), st.lists(segments, max_size=4), queries,
       bodies, st.booleans(), st.booleans())
@settings(max_examples=600, deadline=None)
def test_whatever_is_asked_the_path_that_is_forwarded_has_known_words_and_ids(
        caller: str, method: str, path: list[str], query: dict[str, str], body: Any, stream: bool,
        upgrade: bool) -> None:
    decision = decide(caller, Request(method, tuple(path), query, body, "1.41", stream, upgrade))

    if decision.ruling is Ruling.ALLOW:
        assert decision.forward is not None
        for part in decision.forward.path:
            assert part in WORDS or is_visible_id(part, caller), path
    else:
        assert decision.forward is None and decision.reason


def is_visible_id(part: str, caller: str) -> bool:
    ours = [id_of(name) for name in HIDDEN[1:3]] + HIDDEN[7:8] if caller == MONITOR else []
    known = {c["Id"] for c in CONTAINERS} | {n["Id"] for n in NETWORKS} | {v["Name"] for v in VOLUMES} | {
        *IMAGES.values()}
    forbidden = {id_of(n) for n in HIDDEN[:3]} | {OTHER_IMAGE, *HIDDEN[3:8]} | {n["Id"] for n in NETWORKS[1:3]}
    return part in known and (part not in forbidden or part in ours)


@given(st.sampled_from([e for e in ENDPOINTS if NAME in e.path]), hidden, queries, bodies)
@settings(max_examples=400, deadline=None)
def test_a_hidden_object_in_the_path_is_never_allowed(endpoint: Any, name: str, query: dict[str, str],
                                                      body: Any) -> None:
    at = endpoint.path.index(NAME)
    path = (*endpoint.path[:at], *name.split("/"), *endpoint.path[at + 1:])
    plain = {key: value for key, value in query.items() if key in endpoint.query}

    for tried, content in ((query, body), (plain, body), ({}, None)):
        decision = decide(AGENT, Request(endpoint.method, path, tried, content, stream=endpoint.takes_stream))
        assert decision.ruling is Ruling.DENY


@given(hidden, st.sampled_from(["containers/json", "events", "networks", "volumes", "images/json"]),
       st.sampled_from(["container", "network", "volume", "ancestor", "before", "since", "image", "service", "node"]))
@settings(max_examples=300, deadline=None)
def test_a_hidden_object_in_a_filter_is_never_allowed(name: str, collection: str, key: str) -> None:
    for values in ([name], {name: True}, [M, name]):
        request = Request("GET", tuple(collection.split("/")), {"filters": json.dumps({key: values})})
        assert decide(AGENT, request).ruling is Ruling.DENY


@given(hidden, st.sampled_from(BODIES))
@settings(max_examples=200, deadline=None)
def test_a_hidden_object_in_a_body_is_never_allowed(name: str, recorded: tuple[str, dict[str, Any]]) -> None:
    target, body = recorded
    changed = copy.deepcopy(body)
    if "Container" in changed:
        changed["Container"] = name
    elif "VolumesFrom" in changed.get("HostConfig", {}):
        changed["HostConfig"]["VolumesFrom"] = [name]
    else:
        return
    assert decide(AGENT, Request("POST", segments_of(target), {}, changed)).ruling is Ruling.DENY
    if "Image" in changed:
        with_image = {**copy.deepcopy(body), "Image": name}
        assert decide(AGENT, Request("POST", segments_of(target), {}, with_image)).ruling is Ruling.DENY


@given(st.sampled_from(BODIES), st.data())
@settings(max_examples=500, deadline=None)
def test_an_unknown_key_anywhere_in_a_body_is_refused(recorded: tuple[str, dict[str, Any]],
                                                      data: st.DataObject) -> None:
    """Also one that differs from a known key in case alone, which engines take for that."""
    target, body = recorded
    changed = copy.deepcopy(body)
    place = data.draw(st.sampled_from(objects_in(changed)))
    known = sorted(place)
    key = data.draw(junk | (st.sampled_from(known).map(str.lower) if known else junk))
    if key in place or target.endswith("/start"):  # (no exec of this caller is known here)
        return
    place[key] = data.draw(json_values)

    assert decide(AGENT, Request("POST", segments_of(target), {}, changed)).ruling is Ruling.DENY


def objects_in(value: Any) -> list[dict[str, Any]]:
    """All JSON objects in a body."""
    if not isinstance(value, dict):
        return []
    return [value, *(found for inner in value.values() for found in objects_in(inner))]


@given(st.sampled_from(RECORDED), junk, junk)
@settings(max_examples=300, deadline=None)
def test_an_unknown_parameter_is_refused(recorded: list[Any], key: str, value: str) -> None:
    method, target, body = recorded
    if any(key in endpoint.query for endpoint in ENDPOINTS):
        return
    request = Request(method, segments_of(target), {key: value}, body, stream=method == "PUT")
    assert decide(AGENT, request).ruling is Ruling.DENY
