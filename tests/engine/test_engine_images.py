import base64
import json
import secrets
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from operator_demo.engine import Engine, Interrupted, build_image, connect, ensure_image, image_id
from operator_demo.engine.images import _base_images
from operator_demo.errors import OperatorError

BASE = "operator-demo/base:trixie"


def test_the_bases_of_a_dockerfile() -> None:
    text = "ARG V=trixie\nFROM --platform=linux/amd64 a/base:${V} AS one\nfrom b@sha256:1\nFROM one\nFROM scratch\n"
    assert _base_images(text, {}) == ["a/base:trixie", "b@sha256:1"]
    assert _base_images(text, {"V": "sid"})[0] == "a/base:sid"


@pytest.fixture
def tag(engine: Engine) -> Iterator[str]:
    name = f"scratch/t{secrets.token_hex(4)}:1"
    yield name
    if image_id(engine, name):
        engine.api.remove_image(name, force=True)


@pytest.mark.engine
def test_an_image_is_built_again_only_when_its_context_differs(engine: Engine, tag: str, tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\necho one\n")
    context: dict[str, bytes | Path] = {"Dockerfile": f"FROM {BASE}\nCOPY bin/program /program\n".encode(),
                                        "bin/program": program}
    told: list[tuple[str, int | None, int | None]] = []

    def tell(item: str, status: str, current: int | None, total: int | None, /) -> None:
        assert item == tag
        told.append((status, current, total))

    first = build_image(engine, tag, context, progress=tell)
    assert ("Step 2/3 : COPY bin/program /program", 2, 3) in told
    assert told[-1][0] == "built"
    assert build_image(engine, tag, context, progress=tell) == first
    assert told[-1][0] == "unchanged"
    program.chmod(0o755)
    second = build_image(engine, tag, context)
    program.write_text("#!/bin/sh\necho two\n")
    third = build_image(engine, tag, context)
    fourth = build_image(engine, tag, context, buildargs={"X": "1"})
    assert len({first, second, third, fourth}) >= 3
    assert image_id(engine, tag) == fourth
    for replaced in {first, second, third} - {fourth}:
        engine.api.remove_image(replaced)


@pytest.mark.engine
def test_a_build_that_fails_shows_its_last_lines(engine: Engine, tag: str) -> None:
    dockerfile = f"FROM {BASE}\nRUN echo nearly there; echo so sad >&2; exit 9\n".encode()
    with pytest.raises(OperatorError, match=r"(?s)returned a non-zero code: 9.*nearly there.*so sad"):
        build_image(engine, tag, {"Dockerfile": dockerfile})
    with pytest.raises(OperatorError, match="no Dockerfile"):
        build_image(engine, tag, {})


@pytest.mark.engine
def test_a_build_obeys_the_stop(engine: Engine, tag: str, stop: threading.Event) -> None:
    dockerfile = f"FROM {BASE}\nRUN for i in $(seq 600); do echo $i; sleep 0.1; done\n".encode()
    threading.Timer(1.5, stop.set).start()
    with pytest.raises(Interrupted):
        build_image(engine, tag, {"Dockerfile": dockerfile}, stop=stop)
    assert image_id(engine, tag) is None


@pytest.mark.engine
def test_images_of_our_own_are_never_pulled(engine: Engine, tag: str) -> None:
    assert ensure_image(engine, BASE, pull_policy="always") == image_id(engine, BASE)
    with pytest.raises(OperatorError, match="never pulled"):
        ensure_image(engine, "operator-demo/none:1")
    with pytest.raises(OperatorError, match="never pulled"):
        build_image(engine, tag, {"Dockerfile": b"FROM operator-demo/none:1\n"})
    with pytest.raises(OperatorError, match="pull_policy is never"):
        ensure_image(engine, "scratch/none:1", pull_policy="never")


@pytest.mark.engine
def test_an_image_that_cannot_be_pulled_is_said(engine: Engine) -> None:
    with pytest.raises(OperatorError, match=r"pulling 127\.0\.0\.1:1/none:1") as caught:
        ensure_image(engine, "127.0.0.1:1/none:1")
    assert caught.value.hint


def layer(name: str, current: int, total: int) -> dict[str, object]:
    return {"status": "Downloading", "id": name, "progressDetail": {"current": current, "total": total}}


@pytest.fixture
def pulling(fake_engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Engine]:  # type: ignore[no-untyped-def]
    """An engine that only knows how to pull, and a user who is logged in at one registry."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    (tmp_path / "config.json").write_text(json.dumps(
        {"auths": {"registry.example": {"auth": base64.b64encode(b"me:secret").decode()}}}))
    made = connect(fake_engine.url)
    yield made
    made.close()


def test_a_pull_tells_how_far_it_is(fake_engine, pulling: Engine) -> None:  # type: ignore[no-untyped-def]
    fake_engine.pull = [{"status": "Pulling from x"}, layer("a", 10, 100), layer("b", 0, 300), layer("a", 100, 100),
                        {"status": "Pull complete", "id": "a"}]
    told: list[tuple[str, int | None, int | None]] = []
    found = ensure_image(pulling, "registry.example/db:1", progress=lambda i, s, c, t: told.append((s, c, t)))
    assert found == "sha256:registry.example/db:1"
    assert told == [("pulling", None, None), ("pulling", 10, 100), ("pulling", 10, 400), ("pulling", 100, 400),
                    ("pulled", None, None)]
    assert b"secret" in base64.urlsafe_b64decode(fake_engine.headers["X-Registry-Auth"])
    fake_engine.pull = [{"error": "must not be asked again"}]
    assert ensure_image(pulling, "registry.example/db:1") == found
    with pytest.raises(OperatorError, match="must not be asked again"):
        ensure_image(pulling, "registry.example/db:1", pull_policy="always")
    with pytest.raises(OperatorError, match="must not be asked again"):
        ensure_image(pulling, "other.example/db")
    assert "X-Registry-Auth" not in fake_engine.headers


def test_a_pull_that_hangs_obeys_the_stop(fake_engine, pulling: Engine, stop: threading.Event) -> None:  # type: ignore[no-untyped-def]
    fake_engine.pull = [layer("a", 10, 100)]
    fake_engine.hang.clear()
    threading.Timer(0.3, stop.set).start()
    begin = time.monotonic()
    with pytest.raises(Interrupted):
        ensure_image(pulling, "x:1", stop=stop)
    assert time.monotonic() - begin < 5


def test_a_compose_file_may_not_pull_in_our_name(fake_engine, pulling: Engine) -> None:  # type: ignore[no-untyped-def]
    for name in ("operator-demo/agent:1", "docker.io/operator-demo/agent:1", "index.docker.io/operator-demo/agent"):
        with pytest.raises(OperatorError, match="never pulled"):
            ensure_image(pulling, name)
