"""Compose files: read, planned, brought up and taken down, through the engine's API alone."""

from operator_demo.compose.down import down
from operator_demo.compose.images import ensure_service_image
from operator_demo.compose.model import Project
from operator_demo.compose.parse import load_project
from operator_demo.compose.placing import with_folder
from operator_demo.compose.publishing import published, with_ports
from operator_demo.compose.up import up
from operator_demo.compose.waiting import wait_healthy

__all__ = [
    "Project", "down", "ensure_service_image", "load_project", "published", "up", "wait_healthy", "with_folder",
    "with_ports",
]
