"""The engine: all that is done with a Docker engine, and (with `compose`) the only code that imports docker."""

from operator_demo.engine.base import BASE, ensure_base
from operator_demo.engine.bundle import load_images, save_images
from operator_demo.engine.connect import Engine, connect, parse_time
from operator_demo.engine.containers import (
    ACTIONS,
    Container,
    ContainerState,
    container_action,
    container_states,
    health_check,
    inspect,
    members,
    put_files,
    read_file_from,
    session_containers,
)
from operator_demo.engine.engine_socket import find_socket, probe_socket
from operator_demo.engine.execute import ExecTimeout, exec_in, probe_in
from operator_demo.engine.failures import EngineUnavailable, Interrupted, NotOnEngine
from operator_demo.engine.fingerprint import fingerprint
from operator_demo.engine.helper_container import (
    Access,
    Helper,
    create_volume,
    leave_exited,
    one_off,
    project_volumes,
    read_volume,
    remove_container,
    remove_oneoffs,
    remove_volume,
    run_once,
)
from operator_demo.engine.images import build_image, ensure_image, folder_context, image_id, image_size
from operator_demo.engine.limits import happened, set_limits, stats, supports
from operator_demo.engine.logs import LogsUnavailable, follow, read_log
from operator_demo.engine.networks import discover_network, discover_networks
from operator_demo.engine.own_images import own_image, record_own_image
from operator_demo.engine.progress import ImageProgress, Progress
from operator_demo.engine.projects import ProjectState, projects
from operator_demo.engine.prune import prune_images
from operator_demo.engine.watch import EngineEvent, watch

__all__ = [
    "ACTIONS",
    "BASE",
    "Access",
    "Container",
    "ContainerState",
    "Engine",
    "EngineEvent",
    "EngineUnavailable",
    "ExecTimeout",
    "Helper",
    "ImageProgress",
    "Interrupted",
    "LogsUnavailable",
    "NotOnEngine",
    "Progress",
    "ProjectState",
    "build_image",
    "connect",
    "container_action",
    "container_states",
    "create_volume",
    "discover_network",
    "discover_networks",
    "ensure_base",
    "ensure_image",
    "exec_in",
    "find_socket",
    "fingerprint",
    "folder_context",
    "follow",
    "happened",
    "health_check",
    "image_id",
    "image_size",
    "inspect",
    "leave_exited",
    "load_images",
    "members",
    "one_off",
    "own_image",
    "parse_time",
    "probe_in",
    "probe_socket",
    "project_volumes",
    "projects",
    "prune_images",
    "put_files",
    "read_file_from",
    "read_log",
    "read_volume",
    "record_own_image",
    "remove_container",
    "remove_oneoffs",
    "remove_volume",
    "run_once",
    "save_images",
    "session_containers",
    "set_limits",
    "stats",
    "supports",
    "watch",
]
