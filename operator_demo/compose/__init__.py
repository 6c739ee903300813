"""Compose files: read, planned, brought up and taken down, through the engine's API alone."""

from operator_demo.compose.dotenv import read_dotenv
from operator_demo.compose.down import down
from operator_demo.compose.images import ensure_service_image
from operator_demo.compose.joining import with_networks
from operator_demo.compose.model import COMPLETED, Project
from operator_demo.compose.parse import load_project
from operator_demo.compose.placing import with_folder
from operator_demo.compose.publishing import published, with_ports
from operator_demo.compose.up import up
from operator_demo.compose.waiting import wait_healthy

__all__ = [
    "COMPLETED", "Project", "down", "ensure_service_image", "load_project", "published", "read_dotenv", "up",
    "wait_healthy", "with_folder", "with_networks", "with_ports",
]
