"""Removing a container that is recreated."""

from collections.abc import Mapping
from typing import Any

from operator_demo.compose.model import Service
from operator_demo.engine.connect import Engine
from operator_demo.engine.failures import NotOnEngine, engine_errors
from operator_demo.engine.progress import Progress

STOP_TIMEOUT = 10  # seconds that a container has to stop where nothing else is said; Docker's own default


def remove_replaced(engine: Engine, container_id: str, service: Service, body: dict[str, Any],
                    progress: Progress) -> None:
    """Stops and removes a container; the one that `body` describes takes over its anonymous volumes."""
    try:
        with engine_errors(f"replacing a container of {service.name}"):
            described = engine.api.inspect_container(container_id)
            progress(f"container {described['Name'].lstrip('/')}", "recreating")
            if described["State"]["Running"] and not described["State"]["Paused"]:
                engine.api.stop(container_id, timeout=described["Config"].get("StopTimeout") or STOP_TIMEOUT)
            engine.api.remove_container(container_id, force=True)
    except NotOnEngine:
        return
    _inherit_volumes(described, service, body)


def _inherit_volumes(old: Mapping[str, Any], service: Service, body: dict[str, Any]) -> None:
    """The anonymous volumes of the file and of the image outlive the container, as with Compose."""
    anonymous = {m.target for m in service.mounts if m.type == "volume" and not m.source}
    taken = {*service.tmpfs, *(m.target for m in service.mounts)} - anonymous
    of_image = set(old["Config"].get("Volumes") or {})
    for mount in old.get("Mounts") or []:
        target = mount["Destination"]
        if mount["Type"] == "volume" and target not in taken and target in anonymous | of_image:
            others = [m for m in body["HostConfig"].get("Mounts", []) if m["Target"] != target]
            body["HostConfig"]["Mounts"] = [*others, {"Type": "volume", "Source": mount["Name"], "Target": target,
                                                      "ReadOnly": not mount["RW"]}]
