"""Each key of a service, network and volume: what the engine is told of it, and what is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from operator_demo.compose import Project
from operator_demo.compose.model import AddressPool, Dependency, Network, Placed, Source, Volume
from operator_demo.compose.parse import parse_project
from operator_demo.compose.placing import with_folder
from operator_demo.compose.plan import (
    config_hash,
    container_body,
    endpoint,
    network_arguments,
    other_networks,
    volume_arguments,
)
from operator_demo.errors import UsageError

TOP = """
networks: {n: , m: }
volumes: {v: , w: {name: other}}
secrets: {s: {environment: S}}
configs: {c: {content: hello}}
"""
ENV = {"S": "secret"}


def read(keys: str, folder: Path = Path("/srv/app"), top: str = TOP, others: str = "") -> Project:
    """A project of a service `web`, whose keys are given, and of services `db` and `cache`."""
    text = "services:\n  web:\n    image: i\n" + "".join(f"    {line}\n" for line in keys.splitlines()) + \
        "  db: {image: i}\n  cache: {image: i}\n" + others + top
    return parse_project(text, folder, "compose.yaml", project="p", env=ENV)


def body(keys: str, **more: Any) -> dict[str, Any]:
    project = read(keys, **more)
    return container_body(project, project.services["web"], "sha256:1", {"db": "id-of-db"})


PLAIN_BODY = body("")


@pytest.mark.parametrize(("keys", "expected"), [
    ("domainname: example.org", {"Domainname": "example.org"}),
    ("hostname: web1", {"Hostname": "web1"}),
    ("stop_grace_period: 1m500ms", {"StopTimeout": 61}),
    ("stop_signal: SIGQUIT", {"StopSignal": "SIGQUIT"}),
    ("user: 1000:1000", {"User": "1000:1000"}),
    ("working_dir: /srv", {"WorkingDir": "/srv"}),
    ("command: a 'b c' \"d\\\"e\"", {"Cmd": ["a", "b c", 'd"e']}),
    ("entrypoint: ''", {"Entrypoint": []}),
    ("environment: {A: 1, B: true, C: , S: , D: '$$x'}", {"Env": ["A=1", "B=true", "C", "S=secret", "D=$x"]}),
    ("environment: [A=1=2, B=, C, S]", {"Env": ["A=1=2", "B=", "C", "S=secret"]}),
    ("healthcheck: {test: run it, interval: 1s, timeout: 2s, start_period: 3s, start_interval: 4s, retries: 0}",
     {"Healthcheck": {"Test": ["CMD-SHELL", "run it"], "Interval": 10**9, "Timeout": 2 * 10**9, "Retries": 0,
                      "StartPeriod": 3 * 10**9, "StartInterval": 4 * 10**9}}),
    ("healthcheck: {disable: true, test: x}", {"Healthcheck": {"Test": ["NONE"]}}),
    ("expose: [80, '90-91/udp', 80]", {"ExposedPorts": {"80/tcp": {}, "90/udp": {}, "91/udp": {}}}),
])
def test_what_is_said_of_the_container(keys: str, expected: dict[str, Any]) -> None:
    found = body(keys)
    assert {k: v for k, v in found.items() if PLAIN_BODY.get(k) != v} == expected


@pytest.mark.parametrize(("keys", "expected"), [
    ("cap_add: [NET_ADMIN]\ncap_drop: [ALL]", {"CapAdd": ["NET_ADMIN"], "CapDrop": ["ALL"]}),
    ("devices: [/dev/fuse, '/dev/a:/dev/b:r']", {"Devices": [
        {"PathOnHost": "/dev/fuse", "PathInContainer": "/dev/fuse", "CgroupPermissions": "rwm"},
        {"PathOnHost": "/dev/a", "PathInContainer": "/dev/b", "CgroupPermissions": "r"}]}),
    ("devices: [{source: /dev/fuse, target: /dev/f, permissions: r}, {source: /dev/a}]", {"Devices": [
        {"PathOnHost": "/dev/fuse", "PathInContainer": "/dev/f", "CgroupPermissions": "r"},
        {"PathOnHost": "/dev/a", "PathInContainer": "/dev/a", "CgroupPermissions": "rwm"}]}),
    ("dns: 1.1.1.1\ndns_search: [a.org, b.org]", {"Dns": ["1.1.1.1"], "DnsSearch": ["a.org", "b.org"]}),
    ("extra_hosts: ['a:1.2.3.4', 'b=[::1]', 'c:host-gateway']",
     {"ExtraHosts": ["a:1.2.3.4", "b:::1", "c:host-gateway"]}),
    ("extra_hosts: {a: 1.2.3.4, b: [1.1.1.1, '::1']}", {"ExtraHosts": ["a:1.2.3.4", "b:1.1.1.1", "b:::1"]}),
    ("group_add: [mail, 1000]", {"GroupAdd": ["mail", "1000"]}),
    ("init: false", {"Init": False}),
    ("init: 'true'\nprivileged: \"False\"", {"Init": True, "Privileged": False}),
    ("pid: host", {"PidMode": "host"}),
    ("mem_limit: 64m\nmemswap_limit: -1", {"Memory": 64 << 20, "MemorySwap": -1}),
    ("oom_score_adj: -500", {"OomScoreAdj": -500}),
    ("pids_limit: 100\nshm_size: 128m", {"PidsLimit": 100, "ShmSize": 128 << 20}),
    ("privileged: true\nread_only: true", {"Privileged": True, "ReadonlyRootfs": True}),
    ("restart: unless-stopped", {"RestartPolicy": {"Name": "unless-stopped", "MaximumRetryCount": 0}}),
    ("restart: 'no'", {"RestartPolicy": {"Name": "no", "MaximumRetryCount": 0}}),
    ("security_opt: ['no-new-privileges:true', seccomp=unconfined, 'label:disable']",
     {"SecurityOpt": ["no-new-privileges:true", "seccomp=unconfined", "label:disable"]}),
    ("security_opt: [systempaths=unconfined]", {"SecurityOpt": [], "MaskedPaths": [], "ReadonlyPaths": []}),
    ("sysctls: [net.core.somaxconn=1024]", {"Sysctls": {"net.core.somaxconn": "1024"}}),
    ("sysctls: {net.core.somaxconn: 1024}", {"Sysctls": {"net.core.somaxconn": "1024"}}),
    ("ulimits: {nproc: 10, memlock: {soft: -1, hard: -1}}", {"Ulimits": [
        {"Name": "memlock", "Soft": -1, "Hard": -1}, {"Name": "nproc", "Soft": 10, "Hard": 10}]}),
    ("logging: {driver: local, options: {max-file: 3}}", {"LogConfig": {"Type": "local", "Config": {"max-file": "3"}}}),
    ("network_mode: host", {"NetworkMode": "host"}),
    ("network_mode: service:db", {"NetworkMode": "container:id-of-db"}),
    ("tmpfs: [/run, '/tmp:size=1m,mode=1777']", {"Tmpfs": {"/run": "", "/tmp": "size=1m,mode=1777"}}),
    ("deploy: {resources: {limits: {cpus: '0.5', memory: 64M, pids: 9}, reservations: {memory: 1m}}}",
     {"NanoCpus": 500_000_000, "Memory": 64 << 20, "PidsLimit": 9, "MemoryReservation": 1 << 20}),
    ("mem_limit: 64m\ndeploy: {replicas: 1, mode: replicated, resources: {limits: {memory: 64m}}}",
     {"Memory": 64 << 20}),
    ("restart: always\ndeploy: {restart_policy: {condition: on-failure, max_attempts: 3}}",
     {"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3}}),
    ("deploy: {restart_policy: {condition: any}}", {"RestartPolicy": {"Name": "always", "MaximumRetryCount": 0}}),
])
def test_what_is_said_of_the_host(keys: str, expected: dict[str, Any]) -> None:
    found = body(keys)
    assert {k: v for k, v in found["HostConfig"].items() if PLAIN_BODY["HostConfig"].get(k) != v} == expected
    assert ("NetworkingConfig" in found) == ("network_mode" not in keys)


def ports(keys: str) -> dict[str, list[tuple[str, str]]]:
    found = body(keys)
    bound = found["HostConfig"].get("PortBindings", {})
    assert set(found["ExposedPorts"]) == set(bound)
    return {port: [(b["HostIp"], b["HostPort"]) for b in bindings] for port, bindings in bound.items()}


@pytest.mark.parametrize(("entries", "expected"), [
    ("80", {"80/tcp": [("", "")]}),
    ("'3000-3001'", {"3000/tcp": [("", "")], "3001/tcp": [("", "")]}),
    ("'8080:80'", {"80/tcp": [("", "8080")]}),
    ("'8080:80', '8081:80'", {"80/tcp": [("", "8080"), ("", "8081")]}),
    ("'9000-9001:80-81'", {"80/tcp": [("", "9000")], "81/tcp": [("", "9001")]}),
    ("'9000-9010:80'", {"80/tcp": [("", "9000-9010")]}),
    ("'127.0.0.1:53:53/udp'", {"53/udp": [("127.0.0.1", "53")]}),
    ("'127.0.0.1::53'", {"53/tcp": [("127.0.0.1", "")]}),
    ("'[::1]:80:80'", {"80/tcp": [("::1", "80")]}),
    ("':80:81'", {"81/tcp": [("", "80")]}),
    ("'::81'", {"81/tcp": [("", "")]}),
    ("':81'", {"81/tcp": [("", "")]}),
    ("'0:80'", {"80/tcp": [("", "0")]}),
    ("'127.0.0.1:0:80'", {"80/tcp": [("127.0.0.1", "0")]}),
    ("'${S:+}:80:81'", {"81/tcp": [("", "80")]}),
    ("{target: 80, published: '0'}", {"80/tcp": [("", "0")]}),
    ("{target: 80, published: '', host_ip: '', protocol: '', mode: ''}", {"80/tcp": [("", "")]}),
    ("'5060:5060/SCTP'", {"5060/sctp": [("", "5060")]}),
    ("{target: 80, published: '8080-8090', host_ip: 127.0.0.1, mode: host}", {"80/tcp": [("127.0.0.1", "8080-8090")]}),
    ("{target: 80, published: 8080, protocol: udp}", {"80/udp": [("", "8080")]}),
])
def test_ports(entries: str, expected: dict[str, list[tuple[str, str]]]) -> None:
    assert ports(f"ports: [{entries}]") == expected


@pytest.mark.parametrize(("entry", "bind", "mount"), [
    ("v:/x", None, {"Type": "volume", "Source": "p_v"}),
    ("w:/x:ro", None, {"Type": "volume", "Source": "other", "ReadOnly": True}),
    ("v:/x:nocopy", None, {"Type": "volume", "Source": "p_v", "VolumeOptions": {"NoCopy": True}}),
    ("v:/x:z", "p_v:/x:rw,z", None),
    ("/x", None, {"Type": "volume"}),
    ("/h:/x", "/h:/x:rw", None),
    ("/h:/x:ro,Z,rshared", "/h:/x:ro,Z,rshared", None),
    ("./h/../k:/x/../x/", "/srv/app/k:/x:rw", None),
    (".:/x:cached", "/srv/app:/x:rw,cached", None),
    ("../h:/x", "/srv/h:/x:rw", None),
    ("{type: bind, source: h, target: /x}", None, {"Type": "bind", "Source": "/srv/app/h"}),
    ("{type: bind, source: /h, target: /x, read_only: true, bind: {propagation: rslave}, consistency: cached}", None,
     {"Type": "bind", "Source": "/h", "ReadOnly": True, "BindOptions": {"Propagation": "rslave"},
      "Consistency": "cached"}),
    ("{type: bind, source: /h, target: /x, bind: {create_host_path: true, selinux: z, propagation: slave}}",
     "/h:/x:rw,z,slave", None),
    ("{type: volume, target: /x, volume: {nocopy: true}}", None, {"Type": "volume", "VolumeOptions": {"NoCopy": True}}),
    ("{type: tmpfs, target: /x}", None, {"Type": "tmpfs"}),
    ("{type: tmpfs, target: /x, tmpfs: {size: 1k, mode: 01777}}", None,
     {"Type": "tmpfs", "TmpfsOptions": {"SizeBytes": 1024, "Mode": 0o1777}}),
])
def test_mounts(entry: str, bind: str | None, mount: dict[str, Any] | None) -> None:
    host = body(f"volumes: [{entry if entry.startswith('{') else repr(entry)}]")["HostConfig"]
    assert host.get("Binds") == (bind and [bind])
    assert host.get("Mounts") == (mount and [{"Target": "/x", "ReadOnly": False, **mount}])


def test_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert body("volumes: [~/h:/x]")["HostConfig"]["Binds"] == ["/home/me/h:/x:rw"]


def test_networks_in_their_order_with_addresses() -> None:
    project = read("networks: {n: {aliases: [a, web], ipv4_address: 10.9.0.5}, m: {priority: 5}, default: }")
    web = project.services["web"]
    assert container_body(project, web, "x")["NetworkingConfig"]["EndpointsConfig"] == {
        "p_m": {"Aliases": ["p-web-1", "web"]}}
    assert other_networks(web) == ["default", "n"]
    assert endpoint(project, web, "n") == {"Aliases": ["p-web-1", "web", "a"],
                                           "IPAMConfig": {"IPv4Address": "10.9.0.5"}}


def test_names_links_and_dependencies() -> None:
    project = read("container_name: front\nlinks: [db, 'db:database']\nnetwork_mode: \n"
                   "depends_on: {cache: {condition: service_healthy, restart: true, required: false}}")
    web = project.services["web"]
    assert project.container_name("web") == "front"
    found = container_body(project, web, "x")
    assert found["NetworkingConfig"]["EndpointsConfig"]["p_default"] == {
        "Aliases": ["front", "web"], "Links": ["p-db-1:db", "p-db-1:db-1", "p-db-1:p-db-1",
                                                  "p-db-1:database"]}
    assert found["Labels"]["com.docker.compose.depends_on"] == "cache:service_healthy:true,db:service_started:true"


def test_what_is_not_required_may_be_in_another_profile() -> None:
    others = "  tool: {image: i, profiles: [tools]}\n"
    assert read("depends_on: {tool: {condition: service_started, required: false}}",
                others=others).services["web"].depends_on == {}
    with pytest.raises(UsageError, match=r"compose\.yaml:4: .*no service 'tool'"):
        read("depends_on: {tool: {condition: service_started}}", others=others)
    with pytest.raises(UsageError, match="no service 'missing'"):
        read("depends_on: {missing: {condition: service_started, required: false}}")
    assert read("depends_on: {db: {condition: service_started, required: false}}").services["web"].depends_on == {
        "db": Dependency(required=False)}


def test_configs_and_secrets() -> None:
    top = """
configs: {c: {content: 'a ${S} $$b'}, f: {file: ./f.conf}, e: {environment: S, name: x}}
secrets: {s: {environment: S}}
"""
    project = read("configs: [c, {source: f, target: /etc/f.conf, mode: 0400, uid: '5', gid: 6}, "
                   "{source: e, target: e}]\n"
                   "secrets: [{source: s, target: /etc/key, mode: 0440}, {source: s, target: renamed}, s]", top=top)
    web = project.services["web"]
    assert web.configs == (Placed("c", "/c", 0, 0, 0o444), Placed("f", "/etc/f.conf", 5, 6, 0o400),
                           Placed("e", "/e", 0, 0, 0o444))
    assert web.secrets == (Placed("s", "/etc/key", 0, 0, 0o440), Placed("s", "/run/secrets/renamed", 0, 0, 0o600),
                           Placed("s", "/run/secrets/s", 0, 0, 0o600))
    assert project.configs == {"c": Source(content="a secret $b"), "f": Source(file=Path("/srv/app/f.conf")),
                               "e": Source(environment="S")}
    assert "secret $b" not in repr(project)


def test_networks_at_the_top() -> None:
    project = read("", top="""
networks:
  a: {driver: macvlan, driver_opts: {parent: eth0, n: 1}, internal: true, attachable: true, enable_ipv6: true}
  b:
    ipam: {driver: default, config: [{subnet: 10.9.0.0/24, gateway: 10.9.0.1, ip_range: 10.9.0.0/28,
                                      aux_addresses: {router: 10.9.0.2}}]}
    labels: [x=y]
  c: {external: {name: old-way}}
""")
    assert project.networks["a"] == Network("p_a", False, "macvlan", {"parent": "eth0", "n": "1"}, True, True, True)
    assert project.networks["b"].pools == (AddressPool("10.9.0.0/24", "10.9.0.1", "10.9.0.0/28",
                                                       {"router": "10.9.0.2"}),)
    assert project.networks["c"] == Network("old-way", external=True)
    made = network_arguments(project, "b")
    assert made["ipam"] == {"Driver": "default", "Config": [
        {"Subnet": "10.9.0.0/24", "Gateway": "10.9.0.1", "IPRange": "10.9.0.0/28",
         "AuxiliaryAddresses": {"router": "10.9.0.2"}}]}
    assert made["labels"] == {"x": "y", "com.docker.compose.network": "b", "com.docker.compose.project": "p",
                              "com.docker.compose.version": "2.26.1"}
    made = network_arguments(project, "a")
    assert (made["driver"], made["options"], made["internal"], made["attachable"], made["enable_ipv6"]) == (
        "macvlan", {"parent": "eth0", "n": "1"}, True, True, True)
    assert "ipam" not in made


def test_volumes_at_the_top() -> None:
    project = read("", top="""
volumes:
  a: {driver: local, driver_opts: {type: none, o: bind, device: ./data}, labels: {x: y}}
  b: {external: true}
""")
    assert project.volumes == {
        "a": Volume("p_a", False, "local", {"type": "none", "o": "bind", "device": "/srv/app/data"}, {"x": "y"}),
        "b": Volume("b", external=True)}
    made = volume_arguments(project, "a")
    assert (made["driver"], made["driver_opts"]["device"], made["labels"]["x"]) == ("local", "/srv/app/data", "y")


def test_the_name_of_the_project_can_be_used_and_the_version_is_ignored() -> None:
    assert body("hostname: ${COMPOSE_PROJECT_NAME}", top=TOP + "version: '3.8'\n")["Hostname"] == "p"


def test_build_in_all_its_forms(tmp_path: Path) -> None:
    def build(text: str) -> Any:
        return read(f"build: {text}", folder=tmp_path).services["web"].build

    assert build("app").context == tmp_path / "app"
    assert build("{args: [A=1, S, NONE]}").args == {"A": "1", "S": "secret"}
    made = build("{context: .., dockerfile: x/Dockerfile, target: prod, labels: [a=b]}")
    assert (made.context, made.dockerfile, made.target, made.labels) == (
        tmp_path.parent, "x/Dockerfile", "prod", {"a": "b"})
    assert build("{dockerfile_inline: FROM scratch}").inline == "FROM scratch"


@pytest.mark.parametrize(("keys", "words"), [
    ("ports: ['80:']", "TARGET[/PROTOCOL] is expected here"),
    ("ports: ['99999:80']", "a port or a range"),
    ("ports: ['80:81:82:83']", "is expected here"),
    ("ports: ['1-2:1-3']", "ranges of the same length"),
    ("ports: ['80/icmp']", "one of tcp, udp, sctp"),
    ("ports: ['1-60000']", "at most 1000 ports"),
    ("ports: [{published: 80}]", "the target is missing"),
    ("ports: [{target: 80, app_protocol: http}]", "'app_protocol' is not supported: it has no effect"),
    ("ports: [{target: 80, mode: mesh}]", "'mesh' is none of host, ingress"),
    ("expose: ['a']", "a port or a range"),
    ("network_mode: host\nports: [80]", "no port can be published"),
    ("network_mode: host\nnetworks: [n]", "exclude each other"),
    ("network_mode: mesh", "'mesh' is none of bridge, host, none, service:NAME, container:NAME"),
    ("network_mode: service:none", "network_mode: there is no service 'none'"),
    ("network_mode: bridge\nlinks: [db]", "links need a network"),
    ("links: [none]", "links: there is no service 'none'"),
    ("networks: {n: {ipv4_address: 10.0.0}}", "'10.0.0' does not appear to be"),
    ("networks: {n: {mac_address: x}}", "'mac_address' is not supported: the engine chooses it"),
    ("volumes: ['v:/x:ro:z']", "[SOURCE:]TARGET[:MODE]"),
    ("volumes: ['data/x:/x']", "a path begins with ./ or /"),
    ("volumes: ['~you/h:/x']", "only ~/..."),
    ("volumes: [{type: npipe, target: /x}]", "none of volume, bind, tmpfs"),
    ("volumes: [{type: bind, target: /x}]", "the source is missing"),
    ("volumes: [{type: tmpfs, target: /x, source: v}]", "a tmpfs has no source"),
    ("volumes: [{type: volume, target: /x, tmpfs: {size: 1m}}]", "this is a volume"),
    ("volumes: [{type: volume, target: /x, volume: {subpath: y}}]", "engines before 26"),
    ("volumes: [{type: bind, source: /h, target: /x, bind: {selinux: z}}]", "create_host_path: true"),
    ("volumes: [v:/x]\ntmpfs: /x", "mounted on /x already"),
    ("deploy: {replicas: 3}", "one container here"),
    ("deploy: {mode: global}", "none of replicated"),
    ("deploy: {placement: {constraints: [a]}}", "'placement' is not supported: it is for Swarm"),
    ("deploy: {resources: {reservations: {cpus: '1'}}}", "'cpus' is not supported: it is for Swarm"),
    ("deploy: {resources: {limits: {memory: 1m}}}\nmem_limit: 2m", "another value for the same"),
    ("deploy: {restart_policy: {condition: any, max_attempts: 3}}", "on-failure alone"),
    ("ulimits: {nofile: {soft: 1}}", "soft and hard"),
    ("ulimits: {nofile: many}", "a whole number"),
    ("extra_hosts: [a]", "NAME:ADDRESS"),
    ("devices: [fuse]", "/dev/HOST"),
    ("devices: ['/dev/a:/dev/b:x']", "r, w and m"),
    ("security_opt: ['seccomp:./profile.json']", "a seccomp profile from a file"),
    ("security_opt: [nothing]", "is no NAME=VALUE"),
    ("container_name: -x", "name of a container"),
    ("container_name: p-db-1", "two services have a container called p-db-1"),
    ("platform: linux/arm64", "'platform' is not supported: the engine's own"),
    ("environment: {'A=B': c}", "no name of a variable"),
    ("configs: [x]", "the config 'x' is not defined"),
    ("configs: [{source: c, target: /}]", "the path of a file"),
    ("configs: [{source: c, target: /etc/}]", "the path of a file"),
    ("secrets: [{source: s, target: ../../etc/shadow}]", "the path of a file"),
    ("configs: [{source: c, mode: rw-}]", "not a file's mode"),
    ("configs: [{source: c, uid: root}]", "a whole number"),
    ("configs: [c]\nsecrets: [{source: s, target: /c}]", "two files are put at /c"),
    ("configs: [c]\nread_only: true", "configs cannot be put into a read_only container"),
    ("configs: [{source: c, target: /etc/app/c}]\ntmpfs: /etc/app", "the mount on /etc/app would hide the configs"),
    ("configs: [{source: c, target: /data/c}]\nvolumes: [v:/data]", "the mount on /data would hide"),
    ("secrets: [s]\nvolumes: [v:/run/secrets]", "would hide the secrets in /run/secrets"),
    ("secrets: [s]\nvolumes: [v:/var/run]", "would hide the secrets in /run/secrets"),
    ("secrets: [s]\nvolumes: [/tmp:/run/x/..]", "would hide the secrets in /run/secrets"),
    ("secrets: [{source: s, target: /var/run/key}]\ntmpfs: /run", "would hide the secrets"),
    ("secrets: [{source: s, target: /dev/shm/key}]", "the engine mounts /dev itself"),
    ("configs: [{source: c, target: /etc/hosts}]", "the engine mounts /etc/hosts itself"),
    ("build: {dockerfile: ../Dockerfile}", "inside the build context"),
    ("build: {dockerfile: a, dockerfile_inline: b}", "exclude each other"),
    ("build: {ssh: [default]}", "'ssh' is not supported"),
    ("build: 'https://example.org/a/b.git#main:sub'", "a build context on another machine (git or URL)"),
    ("build: {context: 'git@example.org:a/b.git'}", "a build context on another machine (git or URL)"),
    ("build: github.com/a/b", "clone it, and name its folder"),
    ("init: 'yes'", "true or false is expected here, not 'yes'"),
    ("init: ''", "true or false is expected here, not ''"),
    ("mem_limit: ''", "'' is not a size"),
    ("ports: ['']", "TARGET[/PROTOCOL] is expected here"),
    ("ports: ['0']", "a port or a range"),
    ("devices: [{target: /dev/fuse}]", "the source is missing"),
    ("devices: [{source: fuse}]", "/dev/HOST"),
    ("pid: service:db", "'service:db' is none of host"),
    ("<<: {user: a}\n<<: {user: b}", "the key '<<' is there twice"),
    ("env_file: none.env", "there is no file /srv/app/none.env"),
])
def test_what_cannot_be_is_refused_with_its_place(keys: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(keys)
    assert caught.value.message.startswith("compose.yaml:")
    assert "service web" in caught.value.message
    assert words in caught.value.message, caught.value.message


@pytest.mark.parametrize(("top", "words"), [
    ("secrets: {s: {external: true}}", "secret s: the key 'external' is not supported: only Swarm"),
    ("secrets: {s: {content: x}}", "secret s: the key 'content' is not supported"),
    ("configs: {c: {content: x, file: y}}", "config c: exactly one of content, environment, file"),
    ("configs: {c: {}}", "exactly one of"),
    ("networks: {n: {ipam: {options: {a: b}}}}", "'options' is not supported"),
    ("networks: {n: {ipam: {config: [{subnet: 10.0.0.0/99}]}}}", "subnet: '10.0.0.0/99' does not appear"),
    ("networks: {n: {labels: [com.docker.compose.network=x]}}", "Compose's own"),
    ("volumes: {v: {external: true, driver_opts: {a: b}}}", "no effect on it"),
])
def test_what_cannot_be_at_the_top(top: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        read("", top=top)
    assert words in caught.value.message, caught.value.message


def test_a_file_in_the_program_mounts_nothing_of_itself_and_leaves_nothing() -> None:
    folder = Path(__file__).parents[2] / "subjects" / "etcd"
    for keys, words in (("volumes: [./x:/x]", "part of the program"), ("build: ../..", "inside the folder"),
                        ("env_file: /etc/passwd", "inside the folder"),
                        ("volumes: [{type: bind, source: x, target: /x}]", "part of the program")):
        with pytest.raises(UsageError, match=words):
            read(keys, folder=folder)
    with pytest.raises(UsageError, match="inside the folder"):
        read("", folder=folder, top="secrets: {s: {file: ../../x}}")
    assert body("volumes: [/run/x.sock:/x]", folder=folder)["HostConfig"]["Binds"] == ["/run/x.sock:/x:rw"]


def hash_of(keys: str, content: bytes = b"hello", ids: dict[str, str] | None = None) -> str:
    project = read(keys)
    web = project.services["web"]
    made = container_body(project, web, "sha256:1", ids or {"db": "id-of-db"})
    return config_hash(project, web, made, "sha256:1", dict.fromkeys((*web.secrets, *web.configs), content))


def test_all_of_it_is_in_the_hash() -> None:
    hashes = [hash_of(keys) for keys in (
        "", "hostname: a", "hostname: b", "sysctls: {a: 1}", "ports: [80]", "ports: ['80:80']", "expose: [80]",
        "networks: [n]", "networks: [n, m]", "networks: {n: {ipv4_address: 10.0.0.1}}",
        "networks: {n: , m: {ipv4_address: 10.0.0.1}}", "network_mode: host", "links: [db]", "volumes: [v:/x]",
        "volumes: [v:/x:ro]", "volumes: [/x]", "container_name: other", "depends_on: [db]", "configs: [c]",
        "configs: [{source: c, mode: 0400}]", "configs: [{source: c, uid: 5}]", "configs: [{source: c, target: d}]",
        "secrets: [s]", "restart: always", "deploy: {resources: {limits: {memory: 64m}}}", "labels: [a=b]")]
    hashes += [hash_of("configs: [c]", b"other"), hash_of("network_mode: service:db"),
               hash_of("network_mode: service:db", ids={"db": "id-of-another"})]
    assert len(set(hashes)) == len(hashes)


def test_a_folder_is_put_in_as_configs_are(tmp_path: Path, load: Callable[..., Project]) -> None:
    for name in ("subject.py", "scenarios/a.yaml", ".git/x", "__pycache__/y.pyc"):
        (tmp_path / "mine" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "mine" / name).write_text(name)
    project = with_folder(load("services: {a: {image: i}, b: {image: i}}"), ["a", "none"], tmp_path / "mine", "/opt/x")
    assert project.services["a"].configs == tuple(
        Placed(f"/opt/x/{n}", f"/opt/x/{n}", 0, 0, 0o600) for n in ("scenarios/a.yaml", "subject.py"))
    assert project.services["b"].configs == ()
    assert project.configs["/opt/x/subject.py"] == Source(file=tmp_path / "mine" / "subject.py")
