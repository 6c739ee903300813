"""What `doctor` says of a subject whose images come from a registry."""

from collections.abc import Callable
from typing import Any

import pytest

from operator_demo import subject as subjects
from operator_demo.commands.doctor import SHARE
from operator_demo.subject import HasNeeds

IMAGES = ("pingcap/pd:v8.5.7", "pingcap/tikv:v8.5.7", "prom/prometheus:v2.53.3")


@pytest.fixture
def block(operator_demo: Callable[..., Any], fake_engine: Any) -> Callable[[], str]:
    """The lines of TiKV, as printed."""
    def run() -> str:
        lines = operator_demo("--host", fake_engine.url, "doctor").out.splitlines()
        first = next(n for n, line in enumerate(lines) if line.split()[1:2] == ["tikv"])
        rest = lines[first + 1:]
        until = next(n for n, line in enumerate(rest) if not line.startswith(" "))
        return "\n".join(lines[first:first + 1 + until])

    return run


def put(fake_engine: Any, *images: str) -> None:
    for image in images:
        fake_engine.answers[f"/images/{image}/json"] = (200, {"Id": "sha256:1", "Size": 321_000_000})


def test_each_image_is_there_with_its_size_or_missing(block: Callable[[], str], fake_engine: Any) -> None:
    put(fake_engine, IMAGES[0])
    told = block()
    assert told.startswith("- ")
    assert f"{IMAGES[0]}: 321 MB" in told
    assert all(f"{image}: not on the engine" in told for image in IMAGES[1:])
    assert "about 1.0 GB; `operator-demo prepare tikv` pulls what is missing" in told


def test_all_images_are_there(block: Callable[[], str], fake_engine: Any) -> None:
    put(fake_engine, *IMAGES)
    told = block()
    assert told.startswith("ok ")
    assert "not on the engine" not in told and "prepare" not in told
    assert "about 0.9 GiB of the 8.0 GiB of memory on the engine's machine" in told


def test_too_little_memory_is_a_warning(block: Callable[[], str], fake_engine: Any) -> None:
    put(fake_engine, *IMAGES)
    tikv = subjects.load("tikv").subject
    assert isinstance(tikv, HasNeeds)
    enough = int(tikv.needs.memory / SHARE)
    for memory, mark in ((enough, "ok"), (enough - 1, "warn")):
        status, info = fake_engine.answers["/info"]
        fake_engine.answers["/info"] = (status, info | {"MemTotal": memory})
        assert block().split()[0] == mark


def test_a_subject_that_is_built_here_is_not_listed(operator_demo: Callable[..., Any], fake_engine: Any) -> None:
    lines = operator_demo("--host", fake_engine.url, "doctor").out.splitlines()
    assert not [line for line in lines if line.split()[1:2] == ["etcd"]]
