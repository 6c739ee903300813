"""Ports for the eye: on loopback, where the engine likes, of the services that are named and no other."""

import re
import threading
from collections.abc import Callable

import pytest

from operator_demo.compose import Project, published, up, with_ports
from operator_demo.engine import Engine

FILE = """\
services:
  shown: {image: IMAGE, init: true, command: sleep 100}
  hidden: {image: IMAGE, init: true, command: sleep 100}
"""


def test_only_what_is_named_is_published(load: Callable[..., Project]) -> None:
    services = with_ports(load(FILE), {"shown": 3000, "absent": 1}).services
    assert [(p.target, p.host_ip, p.published) for p in services["shown"].ports] == [(3000, "127.0.0.1", "")]
    assert services["hidden"].ports == ()


@pytest.mark.engine
def test_where_it_can_be_reached_is_told(engine: Engine, load: Callable[..., Project], project_name: str,
                                         stop: threading.Event) -> None:
    up(engine, with_ports(load(FILE, project_name), {"shown": 3000}), stop=stop)
    found = published(engine, project_name, {"shown": 3000, "hidden": 3000})
    assert list(found) == ["shown"]
    assert re.fullmatch(r"127\.0\.0\.1:\d+", found["shown"])
