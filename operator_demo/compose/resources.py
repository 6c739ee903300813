"""The networks and volumes at the top of a Compose file."""

import ipaddress
from collections.abc import Callable, Mapping

from operator_demo.compose.folder import Folder
from operator_demo.compose.model import AddressPool, Network, Volume
from operator_demo.document import Value

OWN_LABELS = "com.docker.compose."


def read_labels(value: Value) -> dict[str, str]:
    labels = {k: v or "" for k, v in value.pairs().items()}
    for key in labels:
        if key.startswith(OWN_LABELS):
            value.fail(f"the label {key} is Compose's own")
    return labels


def read_network(value: Value, project: str, key: str) -> Network:
    said = {} if value.is_null else value.map(
        ("name", "external", "driver", "driver_opts", "internal", "attachable", "enable_ipv6", "ipam", "labels"))
    name, external = _name_and_external(said, project, key)

    def flag(key: str) -> bool:
        return said[key].boolean() if key in said else False

    ipam_driver, pools = _ipam(said["ipam"]) if "ipam" in said else (None, ())
    return Network(name, external, _driver(said), _options(said), flag("internal"), flag("attachable"),
                   flag("enable_ipv6"), ipam_driver, pools, read_labels(said["labels"]) if "labels" in said else {})


def read_volume(value: Value, project: str, key: str, folder: Folder) -> Volume:
    said = {} if value.is_null else value.map(("name", "external", "driver", "driver_opts", "labels"))
    name, external = _name_and_external(said, project, key)
    options = _options(said)
    if options.get("o") == "bind" and "device" in options:  # a folder in the guise of a volume
        try:
            options["device"] = folder.mounted(options["device"])
        except ValueError as e:
            said["driver_opts"].fail(str(e))
    return Volume(name, external, _driver(said), options, read_labels(said["labels"]) if "labels" in said else {})


def _name_and_external(said: Mapping[str, Value], project: str, key: str) -> tuple[str, bool]:
    external, name = False, said.get("name")
    if "external" in said and said["external"].is_map:  # the old way to say a name
        external, name = True, said["external"].map(("name",)).get("name", name)
    elif "external" in said:
        external = said["external"].boolean()
    for other, value in said.items():
        if external and other not in ("name", "external"):
            value.fail("what is external is used as it is; this key has no effect on it")
    return name.text() if name else key if external else f"{project}_{key}", external


def _driver(said: Mapping[str, Value]) -> str | None:
    return said["driver"].text() if "driver" in said else None


def _options(said: Mapping[str, Value]) -> dict[str, str]:
    if "driver_opts" not in said or said["driver_opts"].is_null:
        return {}
    return {k: v or "" for k, v in said["driver_opts"].pairs().items()}


def _ipam(value: Value) -> tuple[str | None, tuple[AddressPool, ...]]:
    said = value.map(("driver", "config"), {"options": "it is for drivers other than the engine's own"})
    return _driver(said), tuple(_pool(v) for v in said["config"].sequence()) if "config" in said else ()


def _pool(value: Value) -> AddressPool:
    said = value.map(("subnet", "gateway", "ip_range", "aux_addresses"))

    def checked(key: str, parse: Callable[[str], object]) -> str | None:
        if key not in said:
            return None
        text = said[key].text()
        said[key].parsed(parse)
        return text

    extra = said["aux_addresses"].pairs() if "aux_addresses" in said else {}
    return AddressPool(checked("subnet", _subnet), checked("gateway", ipaddress.ip_address),
                       checked("ip_range", _subnet), {k: v or "" for k, v in extra.items()})


def _subnet(text: str) -> object:
    return ipaddress.ip_network(text, strict=False)
