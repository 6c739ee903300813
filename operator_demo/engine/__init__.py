"""The engine room: all that is done with a Docker engine, and the only code that imports docker."""

from .base import ensure_base
from .bundle import load_images, save_images
from .compose import load_project
from .connect import Engine, connect, parse_time
from .containers import (
    ACTIONS,
    Container,
    container_action,
    inspect,
    members,
    put_files,
    read_file_from,
)
from .down import down
from .engine_socket import find_socket, probe_socket
from .execute import ExecTimeout, exec_in
from .failures import EngineUnavailable, Interrupted, NotOnEngine
from .fingerprint import fingerprint
from .images import build_image, ensure_image, ensure_service_image, folder_context, image_id, image_size
from .limits import happened, set_limits, stats, supports
from .logs import LogsUnavailable, follow, read_log
from .model import Project
from .networks import discover_network
from .oneshot import leave_exited, project_volumes, read_volume, remove_container, remove_oneoffs, run_once
from .placing import with_folder
from .progress import ImageProgress, Progress
from .projects import ProjectState, projects
from .prune import prune_images
from .publishing import published, with_ports
from .up import up, wait_healthy
from .watch import EngineEvent, watch

__all__ = [
    "ACTIONS", "Container", "Engine", "EngineEvent", "EngineUnavailable", "ExecTimeout", "ImageProgress",
    "Interrupted", "LogsUnavailable", "NotOnEngine", "Progress", "Project", "ProjectState", "build_image",
    "connect", "container_action", "discover_network", "down", "ensure_base", "ensure_image",
    "ensure_service_image", "exec_in", "find_socket", "fingerprint", "folder_context", "follow", "happened",
    "image_id", "image_size", "inspect", "leave_exited", "load_images", "load_project", "members", "parse_time",
    "probe_socket", "project_volumes", "projects", "prune_images", "published", "put_files", "read_file_from",
    "read_log", "read_volume", "remove_container", "remove_oneoffs", "run_once", "save_images", "set_limits",
    "stats", "supports", "up", "wait_healthy", "watch", "with_folder", "with_ports",
]
