import hashlib
import io
import json
import secrets
import tarfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from operator_demo.engine import Engine, image_id
from operator_demo.engine.prune import prune_images

HOUR = 3600
NOON = 1_700_000_000  # seconds since 1970

pytestmark = pytest.mark.engine


@pytest.fixture
def repository(engine: Engine) -> Iterator[str]:
    """A name for images, all of which are removed at the end."""
    name = f"scratch/t{secrets.token_hex(4)}"
    yield name
    for beginning in (name, f"{name}-other"):
        for image in engine.api.images(name=beginning):
            for tag in image["RepoTags"]:
                engine.api.remove_image(tag, force=True)


def saved(tag: str, created: int) -> bytes:
    """An image as `docker save` writes it: one empty layer, made at `created`."""
    layer = io.BytesIO()
    tarfile.open(fileobj=layer, mode="w").close()
    config = json.dumps({
        "architecture": "amd64", "os": "linux", "created": datetime.fromtimestamp(created, UTC).isoformat(),
        "config": {"Cmd": ["/none"], "Labels": {"tag": tag}},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer.getvalue()).hexdigest()}"]},
    }).encode()
    manifest = [{"Config": "config.json", "RepoTags": [tag], "Layers": ["layer.tar"]}]
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as archive:
        for name, content in (("config.json", config), ("layer.tar", layer.getvalue()),
                              ("manifest.json", json.dumps(manifest).encode())):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return whole.getvalue()


@pytest.fixture
def make(engine: Engine, repository: str) -> Callable[..., str]:
    """make("tag", hours=before noon): an image; returns its name."""

    def load(tag: str, hours: float, suffix: str = "") -> str:
        name = f"{repository}{suffix}:{tag}"
        list(engine.api.load_image(saved(name, NOON - int(hours * HOUR))))
        assert image_id(engine, name)
        return name

    return load


def there(engine: Engine, names: list[str]) -> list[bool]:
    return [image_id(engine, name) is not None for name in names]


def test_old_images_go_and_the_current_and_the_one_before_stay(engine: Engine, make: Callable[..., str]) -> None:
    oldest, older, before, current = (make(tag, hours) for tag, hours in (("d", 9), ("c", 7), ("b", 5), ("a", 0)))
    foreign = make("d", 9, "-other")  # whose name only begins like ours
    assert sorted(prune_images(engine, current)) == sorted([older, oldest])
    assert there(engine, [current, before, older, oldest, foreign]) == [True, True, False, False, True]
    assert prune_images(engine, current) == []


def test_the_current_image_stays_however_old(engine: Engine, make: Callable[..., str]) -> None:
    current, gone, newest = make("a", 9), make("b", 5), make("c", 0)
    assert prune_images(engine, current) == [gone]
    assert there(engine, [current, gone, newest]) == [True, False, True]


def test_an_image_made_lately_stays(engine: Engine, make: Callable[..., str]) -> None:
    current, before, lately, old = make("a", 0), make("b", 0.1), make("c", 0.5), make("d", 1.5)
    assert prune_images(engine, current) == [old]
    assert there(engine, [current, before, lately, old]) == [True, True, True, False]


def test_an_image_that_a_container_uses_stays(engine: Engine, make: Callable[..., str]) -> None:
    current, _, used, unused = make("a", 0), make("b", 5), make("c", 7), make("d", 9)
    container = engine.api.create_container(used)  # never started: it counts as well
    try:
        assert prune_images(engine, current) == [unused]
        assert there(engine, [used, unused]) == [True, False]
    finally:
        engine.api.remove_container(container["Id"], force=True)


def test_an_image_keeps_its_other_name(engine: Engine, repository: str, make: Callable[..., str]) -> None:
    current, _, old = make("a", 0), make("b", 5), make("c", 7)
    engine.api.tag(old, f"{repository}-other", "kept")
    assert prune_images(engine, current) == [old]
    assert there(engine, [old, f"{repository}-other:kept"]) == [False, True]
