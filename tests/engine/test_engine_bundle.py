"""Images in one file, from one engine to the next."""

import io
import secrets
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from operator_demo.engine import Engine, Interrupted, image_id, load_images, save_images
from operator_demo.errors import OperatorError, UsageError

pytestmark = pytest.mark.engine


@pytest.fixture
def image(engine: Engine) -> Iterator[str]:
    name = f"scratch/bundle-{secrets.token_hex(4)}:one"
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("hello"))
    engine.api.import_image_from_data(packed.getvalue(), repository=name.split(":")[0], tag="one")
    yield name
    if image_id(engine, name):
        engine.api.remove_image(name)


def test_what_was_saved_comes_back(engine: Engine, image: str, tmp_path: Path) -> None:
    file, before = tmp_path / "images.tar", image_id(engine, image)
    assert save_images(engine, [image], file, stop=threading.Event()) == file.stat().st_size
    engine.api.remove_image(image)
    assert load_images(engine, file, stop=threading.Event()) == [image]
    assert image_id(engine, image) == before


def test_a_file_appears_whole_or_not_at_all(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(OperatorError):
        save_images(engine, ["scratch/is-not-there:one"], tmp_path / "images.tar", stop=threading.Event())
    assert list(tmp_path.iterdir()) == []


def test_a_stop_leaves_nothing(engine: Engine, image: str, tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(Interrupted):
        save_images(engine, [image], tmp_path / "images.tar", stop=stop)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_said(engine: Engine, image: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot write"):
        save_images(engine, [image], tmp_path / "no" / "images.tar", stop=threading.Event())


@pytest.mark.parametrize("content", [b"", b"no archive", b"\0" * 10240])
def test_a_file_without_images_is_refused(engine: Engine, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "images.tar"
    file.write_bytes(content)
    with pytest.raises(OperatorError, match="image"):
        load_images(engine, file, stop=threading.Event())
