"""The networks and volumes at the top of a Compose file."""

import ipaddress

from operator_demo.compose.folder import Folder
from operator_demo.compose.model import AddressPool, Network, Volume
from operator_demo.document import Entries, Value

_COMPOSES_OWN = "com.docker.compose."


def read_labels(value: Value) -> dict[str, str]:
    labels = value.text_pairs()
    for key in labels:
        if key.startswith(_COMPOSES_OWN):
            value.fail(f"the label {key} is Compose's own")
    return labels


def read_network(value: Value, project: str, key: str) -> Network:
    keys = Entries() if value.is_null else value.map(
        ("name", "external", "driver", "driver_opts", "internal", "attachable", "enable_ipv6", "ipam", "labels"))
    name, external = _name_and_external(keys, project, key)
    ipam_driver, pools = keys.read("ipam", _ipam, (None, ()))
    return Network(
        name, external, keys.text("driver"), keys.read("driver_opts", Value.text_pairs, {}),
        internal=keys.read("internal", Value.boolean, False),
        attachable=keys.read("attachable", Value.boolean, False),
        enable_ipv6=keys.read("enable_ipv6", Value.boolean, False),
        ipam_driver=ipam_driver, pools=pools, labels=keys.read("labels", read_labels, {}))


def read_volume(value: Value, project: str, key: str, folder: Folder) -> Volume:
    keys = Entries() if value.is_null else value.map(("name", "external", "driver", "driver_opts", "labels"))
    name, external = _name_and_external(keys, project, key)
    options = keys.read("driver_opts", Value.text_pairs, {})
    if options.get("o") == "bind" and "device" in options:  # a folder in the guise of a volume
        try:
            options["device"] = folder.mounted(options["device"])
        except ValueError as e:
            keys["driver_opts"].fail(str(e))
    return Volume(name, external, keys.text("driver"), options, keys.read("labels", read_labels, {}))


def _name_and_external(keys: Entries, project: str, key: str) -> tuple[str, bool]:
    name, external = keys.text("name"), False
    if "external" in keys and keys["external"].is_map:  # the old way to say a name
        name, external = keys.map("external", ("name",)).text("name") or name, True
    else:
        external = keys.read("external", Value.boolean, False)
    if external:
        for other, value in keys.items():
            if other not in ("name", "external") and not value.is_empty:
                value.fail("what is external is used as it is; this key has no effect on it")
        return name or key, True
    return name or f"{project}_{key}", False


def _ipam(value: Value) -> tuple[str | None, tuple[AddressPool, ...]]:
    keys = value.map(("driver", "config"), {"options": "it is for drivers other than the engine's own"})
    pools = [_pool(entry) for entry in keys.read("config", Value.sequence, [])]
    return keys.text("driver"), tuple(pool for pool in pools if pool != AddressPool())


def _pool(value: Value) -> AddressPool:
    keys = value.map(("subnet", "gateway", "ip_range", "aux_addresses"))
    return AddressPool(keys.parsed("subnet", _subnet, None), keys.parsed("gateway", _address, None),
                       keys.parsed("ip_range", _subnet, None), keys.read("aux_addresses", Value.text_pairs, {}))


def _subnet(text: str) -> str:
    ipaddress.ip_network(text, strict=False)
    return text


def _address(text: str) -> str:
    ipaddress.ip_address(text)
    return text
