"""What asks for nothing: empty values, services of other profiles, and keys without a value that others support."""

from pathlib import Path

import pytest

from operator_demo.compose.model import Project
from operator_demo.compose.parse import parse_project
from operator_demo.errors import UsageError

PLAIN = "image: i\n"


def read(keys: str, top: str = "") -> Project:
    text = "services:\n  web:\n" + "".join(f"    {line}\n" for line in keys.splitlines()) + top
    return parse_project(text, Path("/srv/app"), "compose.yaml", project="p", env={})


@pytest.mark.parametrize("keys", [
    "container_name: ${NONE:-}", "restart: ${NONE:-}", "network_mode: ${NONE:-}", "build: ${NONE:-}", "pid: ''",
    "user: ''\nworking_dir: ''\nhostname: ''\ndomainname: ''\nstop_signal: ''", "pull_policy: ''", "dns: ''",
    "dns: ['']", "profiles: ['${NONE:-}']", "platform: ''", "mac_address: ''", "networks: []", "networks: {}",
    "networks: ", "network_mode: ''\nlinks: []",
    "environment: {}\nlabels: []\nvolumes: []\nports: []\ndepends_on: []\nsecrets: []\nlinks: []\nexpose: []",
    "deploy: {}", "deploy: {mode: '', replicas: 1, placement: {}, update_config: {}, labels: {}, resources: {}}",
    "external_links: []\nvolumes_from: []\ndevelop: {}\ndns_opt: []\nstorage_opt: {}\nruntime: ''\nipc: ",
])
def test_an_empty_value_is_as_if_it_were_not_there(keys: str) -> None:
    assert read(PLAIN + keys).services == read(PLAIN).services


@pytest.mark.parametrize(("keys", "same"), [
    ("build: {context: '', dockerfile: '${NONE:-}', target: '', dockerfile_inline: ''}", "build: ."),
    ("build: {dockerfile: x, dockerfile_inline: ''}", "build: {dockerfile: x}"),
    ("image: '${NONE:-}'\nbuild: app", "build: app"),
    ("image: i\nhealthcheck: {test: []}", "image: i\nhealthcheck: {}"),
    ("image: i\nlogging: {driver: '', options: {}}", "image: i\nlogging: {}"),
    ("image: i\nnetworks: {default: {ipv4_address: '', aliases: []}}", "image: i"),
    ("image: i\nvolumes: [{type: bind, source: /a, target: /b, consistency: '', bind: {propagation: '', selinux: ''}}]",
     "image: i\nvolumes: [{type: bind, source: /a, target: /b}]"),
    ("image: i\nvolumes: [{type: volume, target: /b, volume: {}, tmpfs: {}}]",
     "image: i\nvolumes: [{type: volume, target: /b}]"),
])
def test_an_empty_value_inside_a_key(keys: str, same: str) -> None:
    assert read(keys).services == read(same).services


@pytest.mark.parametrize("keys", ["image: ''", "build: ''", "image: ''\nbuild: ''"])
def test_neither_image_nor_build(keys: str) -> None:
    with pytest.raises(UsageError, match="neither image nor build is given"):
        read(keys)


def test_an_empty_command_is_a_statement() -> None:
    service = read(PLAIN + "command: ''\nentrypoint: ''\nenvironment: {A: ''}").services["web"]
    assert (service.command, service.entrypoint, service.environment) == ((), (), {"A": ""})


@pytest.mark.parametrize(("top", "same"), [
    ("networks: {n: {external: true, ipam: {}, labels: {}, driver: '', driver_opts: {}}}",
     "networks: {n: {external: true}}"),
    ("networks: {n: {name: '', driver: '', ipam: {driver: '', config: [{subnet: ''}], options: {}}}}",
     "networks: {n: }"),
    ("networks: {n: {external: {name: ''}}}", "networks: {n: {external: true}}"),
    ("volumes: {v: {external: 'true', labels: {}, driver: '', name: ''}}", "volumes: {v: {external: true}}"),
    ("name: ''\nversion: ''\nvolumes: {}\nsecrets: \nconfigs: {}", ""),
])
def test_empty_values_at_the_top(top: str, same: str) -> None:
    assert read(PLAIN, top) == read(PLAIN, same)


@pytest.mark.parametrize("other", [
    "image: j\n    networks: [nope]\n    volumes: ['nope:/x']\n    depends_on: [nope]", "command: x",
    "image: j\n    tty: true", "image: '${NONE}'", "image: j\n    depends_on: [other]",
    "image: j\n    container_name: own",
])
def test_a_service_of_another_profile_is_not_held_against_the_file(other: str) -> None:
    keys = PLAIN + "container_name: own\n"
    assert read(keys, f"  other:\n    profiles: [tools]\n    {other}\n").services == read(keys).services


@pytest.mark.parametrize("key", [
    "cgroup: host", "cgroup_parent: /x", "cpu_period: 1", "cpu_quota: 1", "cpu_shares: 1", "cpus: 1", "cpuset: '0'",
    "device_cgroup_rules: ['c 1:3 mr']", "dns_opt: [a]", "ipc: host", "mem_reservation: 1m", "mem_swappiness: 0",
    "oom_kill_disable: true", "runtime: runc", "scale: 1", "stdin_open: true", "storage_opt: {size: 1G}", "tty: true",
    "userns_mode: host", "uts: host"])
def test_what_compose_knows_and_this_subset_does_not(key: str) -> None:
    name = key.partition(":")[0]
    with pytest.raises(UsageError, match=rf"^compose\.yaml:4: service web: the key '{name}' is not sup") as caught:
        read(PLAIN + key)
    assert "did you mean" not in caught.value.message
    assert "docs/compose.md" in caught.value.hint
