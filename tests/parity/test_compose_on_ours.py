"""Compose's commands on what ours brought up, and ours on what Compose brought up."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from operator_demo.engine import Container, members

pytestmark = [pytest.mark.engine, pytest.mark.compose]


def test_ps_logs_ls_and_down_of_compose_on_ours(ground: Callable[[str], Any]) -> None:
    place = ground("simple")
    place.our_up()
    services = _when_the_job_has_ended(place)

    listed = place.compose.json_lines(place.theirs("ps", "--all", "--format", "json"))
    assert {(c["Service"], c["Name"], c["Project"], c["State"], c["ExitCode"]) for c in listed} == {
        ("talker", f"{place.project}-talker-1", place.project, "running", 0),
        ("job", f"{place.project}-job-1", place.project, "exited", 7)}
    assert {c["ID"] for c in listed} == {c.id[:12] for c in services.values()}

    said = place.theirs("logs", "--no-color", "talker", "job")
    assert "talker-1  | hello" in said.replace(f"{place.project}-", "")
    assert "job-1" in said and "| goodbye" in said
    assert "goodbye" not in place.theirs("logs", "--no-color", "talker")

    assert "hello" in place.compose.by_name(place.project, "logs", "--no-color")  # by the labels alone
    found = json.loads(place.theirs("ls", "--all", "--format", "json"))
    mine = next(p for p in found if p["Name"] == place.project)
    assert mine["ConfigFiles"] == str(place.folder / "compose.yaml")
    assert mine["Status"] == "exited(1), running(1)"

    place.compose.by_name(place.project, "down", "--volumes", "--timeout", "0")
    assert place.left() == []


def _when_the_job_has_ended(place: Any) -> dict[str, Container]:
    deadline = time.monotonic() + 30
    while True:
        found = {c.service: c for c in members(place.engine, place.project)}
        if found["job"].exit_code is not None:
            return found
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_single_services_are_stopped_and_started_by_compose(ground: Callable[[str], Any]) -> None:
    place = ground("simple")
    place.our_up()
    before = members(place.engine, place.project)
    place.theirs("stop", "--timeout", "0", "talker")
    assert {c.service: c.state for c in members(place.engine, place.project)}["talker"] == "exited"
    place.theirs("start", "talker")
    after = members(place.engine, place.project)
    assert {c.service: c.state for c in after}["talker"] == "running"
    assert [c.id for c in after] == [c.id for c in before]  # Compose knew them as the file's, and made none anew


def test_our_down_of_what_compose_brought_up(ground: Callable[[str], Any]) -> None:
    place = ground("simple")
    place.theirs("up", "-d")
    assert {c.service for c in members(place.engine, place.project)} == {"talker", "job"}
    assert len(place.left()) == 4
    place.our_down()
    assert place.left() == []


def test_our_up_takes_over_what_compose_brought_up(ground: Callable[[str], Any]) -> None:
    """Its hashes are not ours, so the containers are made anew; networks and volumes are kept."""
    place = ground("simple")
    place.theirs("up", "-d")
    volume = place.engine.api.inspect_volume(f"{place.project}_data")["CreatedAt"]
    before = {c.id for c in members(place.engine, place.project)}
    place.our_up()
    after = members(place.engine, place.project)
    assert {c.service for c in after} == {"talker", "job"}
    assert not before & {c.id for c in after}
    assert place.engine.api.inspect_volume(f"{place.project}_data")["CreatedAt"] == volume
