"""How a service is connected: `networks`, `network_mode` and `links`."""

import ipaddress

from operator_demo.compose.model import Attachment
from operator_demo.document import Entries, Value

_MODES = ("bridge", "host", "none")
_OF_SERVICE = "service:"


def read_network_mode(keys: Entries) -> tuple[str | None, str | None]:
    """The mode as the engine takes it, or the service whose network is shared (`service:NAME`), or neither."""
    mode = keys.text("network_mode")
    if mode is None:
        return None, None
    if "networks" in keys and not keys["networks"].is_empty:
        keys["networks"].fail("networks and network_mode exclude each other")
    if "links" in keys and not keys["links"].is_empty:
        keys["links"].fail("links need a network of the project; network_mode leaves it")
    if mode.startswith(_OF_SERVICE):
        return None, mode.removeprefix(_OF_SERVICE)
    if mode not in _MODES and not mode.startswith("container:"):
        keys["network_mode"].fail(f"{mode!r} is none of {', '.join(_MODES)}, service:NAME, container:NAME")
    return mode, None


def read_networks(value: Value | None) -> dict[str, Attachment]:
    """By the network's key in the file, the main one first."""
    if value is None or value.is_empty:
        return {"default": Attachment()}
    if value.is_list:
        networks = dict.fromkeys(value.texts(), Attachment())
    else:
        networks = {name: _attachment(entry) for name, entry in value.map().items()}
    # Compose's order: a mapping has none of its own.
    return dict(sorted(networks.items(), key=lambda item: (-item[1].priority, item[0])))


def _attachment(value: Value) -> Attachment:
    if value.is_null:
        return Attachment()
    keys = value.map(("aliases", "ipv4_address", "ipv6_address", "link_local_ips", "priority"),
                     {"mac_address": "the engine chooses it"})
    return Attachment(
        tuple(keys.read("aliases", Value.texts, ())), keys.parsed("ipv4_address", _address, None),
        keys.parsed("ipv6_address", _address, None), tuple(keys.read("link_local_ips", Value.texts, ())),
        keys.read("priority", Value.integer, 0))


def _address(text: str) -> str:
    return str(ipaddress.ip_address(text))


def read_links(value: Value) -> tuple[tuple[str, str], ...]:
    """Services, each with what it is called here."""
    links = []
    for entry in value.sequence():
        service, _, alias = entry.text().partition(":")
        links.append((service, alias or service))
    return tuple(dict.fromkeys(links))
