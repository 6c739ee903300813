"""The Compose file and the files beside it, against what the real programs know."""

import ast
import json
import os
import re
import subprocess
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

import pd_server
import pytest
import tikv_server
import yaml
from stand_in_flags import parse

from operator_demo.chaos import scenario as scenarios
from operator_demo.subject import Found
from subjects.tikv import prometheus
from subjects.tikv.members import KINDS
from subjects.tikv.subject import SUBJECT

FOLDER = files("subjects").joinpath("tikv")
COMPOSE: dict[str, Any] = yaml.safe_load(FOLDER.joinpath("compose.yaml").read_text())
SCRAPE: dict[str, Any] = yaml.safe_load(FOLDER.joinpath("config", "prometheus.yml").read_text())
DASHBOARD: dict[str, Any] = json.loads(FOLDER.joinpath("config", "grafana-dashboard.json").read_text())

# What tikv/tikv and tikv/pd v8.5.7 export (where it is defined: docs/tikv.md); `up` is Prometheus' own.
METRICS = {"tikv_grpc_msg_duration_seconds_bucket", "tikv_grpc_msg_duration_seconds_count", "tikv_grpc_msg_fail_total",
           "tikv_store_size_bytes", "tikv_raftstore_region_count", "tikv_raftstore_log_lag_bucket",
           "process_cpu_seconds_total", "pd_cluster_status", "pd_regions_status", "etcd_server_is_leader", "up"}
# Keys of etc/config-template.toml, tikv/tikv v8.5.7.
TOML = {"server": {"simplify-metrics"}, "storage": {"reserve-space", "block-cache"},
        "rocksdb": {"max-open-files"}, "raftdb": {"max-open-files"}, "coprocessor": {"region-split-size"}}


def test_every_member_is_a_service_and_nothing_is_published() -> None:
    assert set(KINDS) == set(SUBJECT.members) <= set(COMPOSE["services"])
    assert not any("ports" in service for service in COMPOSE["services"].values())
    assert set(SUBJECT.published) <= set(COMPOSE["services"])
    optional = {name: s["profiles"] for name, s in COMPOSE["services"].items() if "profiles" in s}
    assert optional == {"ycsb": ["load"], "grafana": ["dashboards"]}


def test_every_image_is_pinned_and_can_be_replaced() -> None:
    images = {s["image"] for s in COMPOSE["services"].values()}
    assert all(re.fullmatch(r"\$\{[A-Z]+_IMAGE:-[a-z-]+/[a-z-]+:[\w.]+\}", image) for image in images), images
    unpinned = {image for image in images if image.endswith("latest}")}
    assert unpinned == {"${YCSB_IMAGE:-pingcap/go-ycsb:latest}"}  # nothing else is published
    assert {image for image in images if "v8.5.7" in image} == {"${PD_IMAGE:-pingcap/pd:v8.5.7}",
                                                                "${TIKV_IMAGE:-pingcap/tikv:v8.5.7}"}


YCSB = """\
#!/bin/sh
echo "$1 $RATE" >> calls
[ "$1" = run ] || [ "$(wc -l < calls)" -gt 2 ]
"""


def test_go_ycsb_waits_for_pd_and_never_ends_before(tmp_path: Path) -> None:
    """While PD does not serve, go-ycsb ends with status 1: a container that restarts would look like a fault."""
    shell, option, script = COMPOSE["services"]["ycsb"]["entrypoint"]
    for name, text in (("go-ycsb", YCSB), ("sleep", "#!/bin/sh\n")):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    script = script.replace("$$", "$").replace("/go-ycsb", str(tmp_path / "go-ycsb"))
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "PD": "pd0:2379", "RATE": "60"}
    done = subprocess.run([shell, option, script], cwd=tmp_path, env=environment, timeout=30, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "calls").read_text().splitlines() == ["load 60", "load 60", "load 60", "run 60"]


@pytest.mark.parametrize("name", KINDS)
def test_command_lines_are_those_of_the_real_programs(name: str) -> None:
    command = COMPOSE["services"][name]["command"]
    if name.startswith("pd"):
        given = parse(pd_server.FLAGS, command)
        assert given["name"] == name
        assert given["advertise-client-urls"] == f"http://{name}:2379"
        assert pd_server.Member(given, {}).peers.keys() == {"pd0", "pd1", "pd2"}
    elif name.startswith("tikv"):
        given = parse(tikv_server.FLAGS, command, tikv_server.ALIASES)
        assert given["advertise-status-addr"] == f"{name}:20180"
        assert tikv_server.size(given["capacity"]) == 8 * 1024 ** 3


def test_an_unknown_flag_is_refused_as_by_the_real_programs() -> None:
    for arguments in (["--nonsense=1"], ["--name"], ["stray"]):
        with pytest.raises(SystemExit):
            parse(pd_server.FLAGS, arguments)


def test_the_configuration_of_pd_is_found_and_has_only_keys_that_it_knows() -> None:
    config = tomllib.loads(COMPOSE["configs"]["pd-toml"]["content"])
    assert {section: set(keys) for section, keys in config.items()} == pd_server.SETTINGS
    for name in ("pd0", "pd1", "pd2"):
        (put,) = COMPOSE["services"][name]["configs"]
        assert f"--config={put['target']}" in COMPOSE["services"][name]["command"]


def test_the_configuration_has_only_keys_that_tikv_knows() -> None:
    config = tomllib.loads(COMPOSE["configs"]["tikv-toml"]["content"])
    assert {section: set(keys) for section, keys in config.items()} == TOML
    assert config["storage"]["block-cache"].keys() == {"capacity"}


def test_the_status_port_is_scraped_and_not_the_one_that_speaks_grpc() -> None:
    jobs = {job["job_name"]: job["static_configs"][0]["targets"] for job in SCRAPE["scrape_configs"]}
    assert jobs == {"tikv": [f"tikv{n}:20180" for n in range(3)], "pd": [f"pd{n}:2379" for n in range(3)]}


def metrics_in(query: str) -> set[str]:
    return set(re.findall(r"\b((?:tikv|pd|etcd|process)_\w+|up(?=\{))", re.sub(r'"[^"]*"', '""', query)))


QUERIES = [*prometheus.ALWAYS.values(), *prometheus.WITH_LOAD.values(),
           *(target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"])]


@pytest.mark.parametrize("query", QUERIES)
def test_every_query_asks_for_metrics_that_exist_and_are_kept(query: str) -> None:
    asked = metrics_in(query)
    assert asked
    assert asked <= METRICS
    kept = [re.compile(rule["regex"]) for job in SCRAPE["scrape_configs"] for rule in job["metric_relabel_configs"]]
    assert all(name == "up" or any(rule.fullmatch(name) for rule in kept) for name in asked)


def test_the_scenarios_are_valid_and_hit_what_they_say() -> None:
    for name in scenarios.names(FOLDER):
        scenario = scenarios.load(Found(SUBJECT, FOLDER), name)
        assert set(scenario.invariants) <= {i.name for i in SUBJECT.invariants}
    assert SUBJECT.default_scenario in scenarios.names(FOLDER)


def test_it_imports_nothing_of_the_program_but_the_protocol() -> None:
    allowed = ("operator_demo.subject", "subjects.tikv")
    for module in FOLDER.iterdir():
        if not module.name.endswith(".py"):
            continue
        for node in ast.walk(ast.parse(module.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else \
                [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                assert not name.startswith(("operator_demo", "subjects")) or name.startswith(allowed), name
