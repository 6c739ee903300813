"""Whatever a Compose file holds, it is read or refused: nothing else comes of it."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from operator_demo.compose.parse import parse_project
from operator_demo.compose.plan import config_hash, container_body, network_arguments, volume_arguments
from operator_demo.compose.service import KEYS
from operator_demo.errors import UsageError

CORPUS = Path(__file__).parent / "corpus"
FILES = [yaml.safe_load(f.read_text()) for f in sorted(CORPUS.glob("*.yaml"))]
SERVICE_KEYS = list(KEYS)
INNER_KEYS = [
    "aliases", "args", "aux_addresses", "bind", "condition", "config", "content", "context", "cpus",
    "create_host_path", "disable", "driver", "driver_opts", "environment", "external", "file", "gateway", "host_ip",
    "interval", "ipam", "ipv4_address", "labels", "limits", "memory", "mode", "name", "o", "options", "path",
    "pids", "priority", "protocol", "published", "read_only", "replicas", "required", "reservations", "resources",
    "restart", "restart_policy", "size", "soft", "source", "subnet", "target", "test", "tmpfs", "type", "uid",
    "volume", "x-any", "<<"]

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8),
    st.sampled_from(["a:/b", "/a", "./a:/b:ro", "${A}", "${A:-x}", "$", "1s", "64m", "on-failure:1", "service_healthy",
                     "web", "service:web", "80", "8080:80/udp", "1-9:1-9", "10.0.0.0/8", "0400", "bind", "volume",
                     "tmpfs", "A=b", "no", "always", "host", "../x", "~/x", "-1", "[::1]:80:80", "true"]))
TREES = st.recursive(SCALARS, lambda inner: st.one_of(
    st.lists(inner, max_size=3),
    st.dictionaries(st.one_of(st.text(max_size=4), st.sampled_from([*INNER_KEYS, "web", "db"])), inner, max_size=3)),
    max_leaves=8)
RANDOM_FILES = st.fixed_dictionaries(
    {"services": st.dictionaries(st.sampled_from(["web", "db", "x-y"]), st.one_of(
        TREES, st.dictionaries(st.sampled_from(SERVICE_KEYS), TREES, max_size=4),
        st.dictionaries(st.sampled_from(SERVICE_KEYS), TREES, max_size=4).map(lambda d: {**d, "image": "i"})),
        max_size=2)},
    optional={"networks": st.dictionaries(st.sampled_from(["default", "n"]), TREES, max_size=2) | TREES,
              "volumes": TREES, "secrets": TREES, "configs": TREES, "name": TREES, "version": TREES})


def places(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value in a tree."""
    children = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [path, *(p for key, child in children for p in places(child, (*path, key)))]


def value_at(tree: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        tree = tree[key]
    return tree


@st.composite
def mutants(draw: st.DrawFn) -> Any:
    """A file of the corpus with a few changes: a value replaced, removed, moved, wrapped, or another key beside it."""
    tree = copy.deepcopy(draw(st.sampled_from(FILES)))
    for _ in range(draw(st.integers(1, 4))):
        paths = [p for p in places(tree) if p]
        if not paths:
            break
        path = draw(st.sampled_from(paths))
        parent, key = value_at(tree, path[:-1]), path[-1]
        match draw(st.sampled_from(["replace", "remove", "move", "wrap", "add", "edit"])):
            case "replace":
                parent[key] = draw(TREES)
            case "remove":
                del parent[key]
            case "move":
                parent[key] = copy.deepcopy(value_at(tree, draw(st.sampled_from(paths))))
            case "wrap":
                parent[key] = draw(st.sampled_from([[parent[key]], {"x": parent[key]}, {str(key): parent[key]}]))
            case "add" if isinstance(parent, dict):
                parent[draw(st.sampled_from(SERVICE_KEYS + INNER_KEYS))] = draw(TREES)
            case "edit" if isinstance(parent[key], str):
                at = draw(st.integers(0, len(parent[key])))
                parent[key] = parent[key][:at] + draw(st.text(alphabet=":/-.,$={}0a \0\n\u00e9", max_size=3)) + \
                    parent[key][at:]
    return tree


def read_or_refuse(text: str) -> None:
    try:
        project = parse_project(text, CORPUS, "c.yaml", project="p", env={"A": "b", "DB_PASSWORD": "x"})
    except UsageError as e:
        if not e.message.startswith("c.yaml"):
            raise
        return
    ids = dict.fromkeys(project.services, "id")
    for service in project.services.values():
        body = container_body(project, service, "sha256:1", ids)
        json.dumps(body)
        config_hash(project, service, body, "sha256:1", dict.fromkeys((*service.secrets, *service.configs), b""))
    for key in project.networks:
        json.dumps(network_arguments(project, key))
    for key in project.volumes:
        json.dumps(volume_arguments(project, key))


def dumped(tree: Any) -> str:
    return yaml.safe_dump(tree, allow_unicode=True)


QUICK = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
LONG = settings(QUICK, max_examples=20_000)


@QUICK
@given(mutants())
def test_a_changed_file_is_read_or_refused(tree: Any) -> None:
    read_or_refuse(dumped(tree))


@QUICK
@given(RANDOM_FILES)
def test_any_tree_is_read_or_refused(tree: Any) -> None:
    read_or_refuse(dumped(tree))


@pytest.mark.wide
@pytest.mark.timeout(1800)
@LONG
@given(mutants())
def test_many_changed_files_are_read_or_refused(tree: Any) -> None:
    read_or_refuse(dumped(tree))


@pytest.mark.wide
@pytest.mark.timeout(1800)
@LONG
@given(RANDOM_FILES)
def test_many_trees_are_read_or_refused(tree: Any) -> None:
    read_or_refuse(dumped(tree))


@pytest.mark.wide
@pytest.mark.timeout(1800)
@LONG
@given(st.sampled_from(sorted(CORPUS.glob("*.yaml"))), st.data())
def test_many_broken_texts_are_read_or_refused(file: Path, data: st.DataObject) -> None:
    text = file.read_text()
    for _ in range(data.draw(st.integers(1, 3))):
        at, removed = data.draw(st.integers(0, len(text))), data.draw(st.integers(0, 5))
        text = text[:at] + data.draw(st.text(max_size=3)) + text[at + removed:]
    read_or_refuse(text)
