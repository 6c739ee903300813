"""`ports` and `expose` of a service."""

import ipaddress
import re

from operator_demo.compose.model import Port
from operator_demo.document import Value

_SHORT = re.compile(r"(?:(?P<ip>\[[0-9a-fA-F:.]+\]|[0-9]+(?:\.[0-9]+){3}|):)?"
                    r"(?:(?P<published>[0-9-]*):)?(?P<target>[0-9-]+)(?:/(?P<protocol>\w+))?", re.ASCII)
_RANGE = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?", re.ASCII)
_ANY = "0"  # as what is published: the engine chooses a free port
_PROTOCOLS = ("tcp", "udp", "sctp")
_MOST = 1000  # ports of one range: each is a rule of the engine's packet filter


def read_ports(value: Value) -> tuple[Port, ...]:
    ports: dict[Port, None] = {}
    for entry in value.sequence():
        ports.update(dict.fromkeys([_long(entry)] if entry.is_map else entry.parsed(_short)))
    return tuple(ports)


def read_expose(value: Value) -> tuple[str, ...]:
    """As the engine writes them, `80/tcp`, ranges one by one."""
    def parse(text: str) -> list[str]:
        ports, _, protocol = text.partition("/")
        return [f"{port}/{_protocol(protocol or 'tcp')}" for port in _numbers(ports)]
    return tuple(dict.fromkeys(port for entry in value.sequence() for port in entry.parsed(parse)))


def _long(value: Value) -> Port:
    keys = value.map(("target", "published", "protocol", "host_ip", "mode"),
                     {"name": "it has no effect", "app_protocol": "it has no effect"})
    if "target" not in keys:
        value.fail("the target is missing")
    if keys.text("mode"):
        keys["mode"].one_of(("host", "ingress"))  # without Swarm they are the same
    target = keys["target"].integer(1)
    if target > 65535:
        keys["target"].fail(f"a port is expected here, not {target}")
    return Port(target, keys.parsed("protocol", _protocol, "tcp"), keys.parsed("published", _published, ""),
                keys.parsed("host_ip", _address, ""))


def _short(text: str) -> list[Port]:
    parts = _SHORT.fullmatch(text)
    if not parts:
        raise ValueError("[[IP:]PUBLISHED:]TARGET[/PROTOCOL] is expected here")
    protocol, ip = _protocol(parts["protocol"] or "tcp"), _address((parts["ip"] or "").strip("[]"))
    targets, published = _numbers(parts["target"]), parts["published"] or ""
    if not published:
        return [Port(t, protocol, "", ip) for t in targets]
    if len(targets) == 1:
        return [Port(targets[0], protocol, _published(published), ip)]
    outside = _numbers(published)
    if len(outside) != len(targets):
        raise ValueError("ranges of the same length are expected on both sides")
    return [Port(t, protocol, str(p), ip) for p, t in zip(outside, targets, strict=True)]


def _address(text: str) -> str:
    return str(ipaddress.ip_address(text)) if text else ""


def _published(text: str) -> str:
    if text != _ANY:
        _ends(text)
    return text


def _numbers(text: str) -> list[int]:
    first, last = _ends(text)
    if last - first >= _MOST:
        raise ValueError(f"a range of at most {_MOST} ports is expected here")
    return list(range(first, last + 1))


def _ends(text: str) -> tuple[int, int]:
    ends = _RANGE.fullmatch(text)
    first, last = (int(ends[1]), int(ends[2] or ends[1])) if ends else (0, 0)
    if not 0 < first <= last <= 65535:
        raise ValueError("a port or a range such as 8000-8010 is expected here")
    return first, last


def _protocol(text: str) -> str:
    if text.lower() not in _PROTOCOLS:
        raise ValueError(f"one of {', '.join(_PROTOCOLS)} is expected behind the /")
    return text.lower()
