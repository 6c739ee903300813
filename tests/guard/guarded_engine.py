"""An engine for tests of the guard's policy: a subject, its neighbour, our own containers, and strangers."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from operator_demo import labels
from operator_demo.guard.request import Request

PROJECT, RUN = "demo-etcd", "run-7k3mq2px"
ETCD, OTHER_IMAGE = "sha256:" + "e7" * 32, "sha256:" + "0b" * 32
NETWORK, HOME_NETWORK = "a1" * 32, "b2" * 32


def id_of(name: str) -> str:
    """A container's id: 64 hexadecimal digits, the same each time."""
    return (name.encode().hex() * 64)[:64]


def container(name: str, own: Mapping[str, str], *, image: str = ETCD, network: tuple[str, str] | None = None,
              mounts: list[dict[str, Any]] | None = None, **host: Any) -> dict[str, Any]:
    """As the engine's `inspect` describes it."""
    endpoints = {network[0]: {"NetworkID": network[1], "Aliases": [name]}} if network else {}
    return {"Id": id_of(name), "Name": f"/{name}", "Image": image, "State": {"Status": "running"},
            "Config": {"Image": "operator-demo/etcd:3.5", "Labels": dict(own)},
            "HostConfig": {"NetworkMode": "x", "CapAdd": None, **host}, "Mounts": mounts or [],
            "NetworkSettings": {"Networks": endpoints}}


def of_project(project: str, service: str, **more: str) -> dict[str, str]:
    return {labels.PROJECT: project, labels.SERVICE: service, labels.ONEOFF: "False", **more}


def member(name: str, **more: Any) -> dict[str, Any]:
    data = {"Type": "volume", "Name": f"{PROJECT}_{name}-data", "Destination": "/var/lib/etcd", "RW": True}
    read_only = {"Type": "volume", "Name": f"{PROJECT}_certs", "Destination": "/certs", "RW": False}
    more.setdefault("mounts", [data, read_only])
    return container(f"{PROJECT}-{name}-1", of_project(PROJECT, name, **{labels.RUN: RUN}),
                     network=(f"{PROJECT}_default", NETWORK), **more)


_STRANGER_MOUNT = [{"Type": "bind", "Source": "/", "Destination": "/host", "RW": True}]
_NESTED = [{"Type": "volume", "Name": f"{PROJECT}_etcd0-data", "Destination": "/data", "RW": True},
           {"Type": "volume", "Name": "elsewhere_db", "Destination": "/data/db", "RW": True},
           {"Type": "tmpfs", "Destination": "/data/tmp", "RW": True}]


def _volume(name: str) -> list[dict[str, Any]]:
    return [{"Type": "volume", "Name": f"{PROJECT}_{name}", "Destination": "/data", "RW": True}]



CONTAINERS = [
    member("etcd0"), member("etcd1"), member("etcd2"),
    member("bare", Privileged=True), member("bound", mounts=_STRANGER_MOUNT),
    member("disguised", mounts=_volume("disguised")),
    member("hostpid", PidMode="host"), member("capable", CapAdd=["CAP_SYS_ADMIN"]),
    member("device", Devices=[{"PathOnHost": "/dev/sda"}]), member("overlaid", mounts=_volume("overlaid")),
    member("plugged", mounts=_volume("plugged")), member("shared", mounts=_volume("shared")),
    member("lodger", PidMode=f"container:{id_of('stranger')}"),
    member("guest", NetworkMode=f"container:{id_of(f'{PROJECT}-bare-1')}"),
    member("twin", NetworkMode=f"container:{id_of(f'{PROJECT}-etcd0-1')}"), member("nested", mounts=_NESTED),
    container(f"{PROJECT}-backup-1", {}),
    container("visitor", of_project("elsewhere", "visitor"), image=OTHER_IMAGE,
              network=(f"{PROJECT}_default", NETWORK)),
    container(f"{PROJECT}-operator-monitor-1", of_project(f"{PROJECT}-operator", "monitor"), image=OTHER_IMAGE,
              network=(f"{PROJECT}_default", NETWORK)),
    container("helper-1", {labels.RUN: RUN}, image=OTHER_IMAGE),
    container("stranger", of_project("elsewhere", "db"), image=OTHER_IMAGE, network=("elsewhere", HOME_NETWORK)),
    container("one-shot", {labels.RUN: RUN, labels.SESSION: "session-1"}),
]
NETWORKS = [
    {"Id": NETWORK, "Name": f"{PROJECT}_default", "Labels": {labels.PROJECT: PROJECT},
     "Containers": {id_of(name): {"Name": name} for name in
                    (f"{PROJECT}-etcd0-1", "visitor", f"{PROJECT}-operator-monitor-1")}},
    {"Id": HOME_NETWORK, "Name": "elsewhere", "Labels": {labels.PROJECT: "elsewhere"}, "Containers": {}},
    {"Id": "c3" * 32, "Name": "bridge", "Labels": {}, "Containers": {}},
    {"Id": "d4" * 32, "Name": f"{PROJECT}_old", "Labels": {}, "Containers": {}},
]
VOLUMES = [
    *({"Name": f"{PROJECT}_{name}-data", "Labels": {labels.PROJECT: PROJECT}} for name in ("etcd0", "etcd1", "etcd2")),
    {"Name": f"{PROJECT}_certs", "Labels": {labels.PROJECT: PROJECT}},
    {"Name": f"{PROJECT}_disguised", "Labels": {labels.PROJECT: PROJECT}, "Options": {"device": "/etc", "o": "bind"}},
    {"Name": f"{PROJECT}_overlaid", "Labels": {labels.PROJECT: PROJECT},
     "Options": {"type": "overlay", "device": "overlay", "o": "lowerdir=/,upperdir=/u,workdir=/w"}},
    {"Name": f"{PROJECT}_plugged", "Labels": {labels.PROJECT: PROJECT}, "Driver": "local-persist"},
    {"Name": f"{PROJECT}_shared", "Labels": {labels.PROJECT: PROJECT}, "Driver": "local",
     "Options": {"type": "tmpfs", "device": "tmpfs", "o": "size=10m"}},
    {"Name": f"{PROJECT}-operator_operator-data", "Labels": {labels.PROJECT: f"{PROJECT}-operator"}},
    {"Name": "elsewhere_db", "Labels": {labels.PROJECT: "elsewhere"}},
]
IMAGES = {"operator-demo/etcd:3.5": ETCD, "operator-demo/etcd": ETCD, "etcd:latest": ETCD, "postgres:17": OTHER_IMAGE,
          "operator-demo/agent:1": OTHER_IMAGE}


class FakeEngine:
    """Answers the questions of `World` as an engine does: by name, by id, or by the beginning of one."""

    async def get(self, path: tuple[str, ...], query: Mapping[str, str] | None = None) -> Any:
        match path:
            case ("containers", "json"):
                return [listed(c) for c in CONTAINERS]
            case ("containers", name, "json"):
                return _one([c for c in CONTAINERS if c["Name"][1:] == name or c["Id"].startswith(name)], name)
            case ("networks",):
                assert query
                return [n for n in NETWORKS if n["Labels"].get(labels.PROJECT) == PROJECT]
            case ("networks", name):
                return _one([n for n in NETWORKS if n["Name"] == name or n["Id"].startswith(name)], name)
            case ("volumes",):
                return {"Volumes": VOLUMES}
            case ("volumes", name):
                return next((v for v in VOLUMES if v["Name"] == name), None)
            case ("images", *name, "json"):
                written = "/".join(name)
                id_ = IMAGES.get(written, next((i for i in IMAGES.values() if written in (i, i[7:19])), None))
                return {"Id": id_} if id_ else None
        raise AssertionError(path)


def _one(found: list[dict[str, Any]], name: str) -> dict[str, Any] | None:
    exact = [f for f in found if name in (f["Id"], f["Name"].lstrip("/"))]
    return (exact or found)[0] if len(exact or found) == 1 else None


def listed(described: dict[str, Any]) -> dict[str, Any]:
    return {"Id": described["Id"], "Names": [described["Name"]], "ImageID": described["Image"],
            "Labels": described["Config"]["Labels"], "NetworkSettings": described["NetworkSettings"]}


def request(line: str, body: Any = None, **more: Any) -> Request:
    """From a line such as `POST /v1.41/containers/x/stop?t=1`. The names in these tests need no percent-decoding."""
    method, _, url = line.partition(" ")
    parts = urlsplit(url)
    segments = parts.path.strip("/").split("/")
    version = segments.pop(0)[1:] if re.match(r"v\d", segments[0]) else ""
    return Request(method, tuple(segments), dict(parse_qsl(parts.query, keep_blank_values=True)), body, version,
                   **more)
