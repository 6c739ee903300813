"""An image is ours because its id was written down when it was built here; names and labels prove nothing."""

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from operator_demo.chaos import helper
from operator_demo.engine import Access, Engine, Helper, build_image, ensure_image, image_id, own_image, run_once
from operator_demo.engine.base import BASE, ensure_base
from operator_demo.engine.bundle import load_images, save_images
from operator_demo.engine.own_images import record_own_image
from operator_demo.engine.progress import ImageProgress, silent_image
from operator_demo.errors import OperatorError

pytestmark = pytest.mark.engine


def build(engine: Engine, tag: str, progress: ImageProgress = silent_image) -> str:
    """Of each tag another image, so that tests at the same time do not share one."""
    return build_image(engine, tag, {"Dockerfile": f"FROM {BASE}\nLABEL name={tag}\n".encode()}, progress=progress)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: Engine) -> Callable[[str], None]:
    """home("b"): from now on, another one is used, which knows the base image and nothing else."""
    def use(name: str) -> None:
        monkeypatch.setenv("OPERATOR_HOME", str(tmp_path / name))
        ensure_base(engine)

    use("a")
    return use


@pytest.fixture
def tag(engine: Engine, home: Callable[[str], None]) -> Iterator[str]:
    name = f"operator-demo/test-{secrets.token_hex(4)}:1"
    yield name
    for left in {own_image(engine, name), image_id(engine, name)}:
        if left:
            engine.api.remove_image(left, force=True)


@pytest.fixture
def forged(engine: Engine, tag: str) -> Iterator[Callable[[], str]]:
    """Changes the image and gives the result its name, as `docker commit` does: the labels stay."""
    made_images: list[str] = []

    def forge() -> str:
        made = engine.api.create_container(tag, ["sh", "-c", "echo forged > /forged"])["Id"]
        try:
            engine.api.start(made)
            engine.api.wait(made)
            committed = str(engine.api.commit(made, *tag.split(":"), changes="CMD echo forged")["Id"])
        finally:
            engine.api.remove_container(made, force=True)
        assert image_id(engine, tag) == committed
        made_images.append(committed)
        return committed

    yield forge
    for image in made_images:
        engine.api.remove_image(image, force=True)


class Told:
    def __init__(self) -> None:
        self.words: list[str] = []

    def __call__(self, item: str, status: str, current: int | None, total: int | None, /) -> None:
        self.words.append(status)


def test_an_image_that_took_the_name_and_kept_the_labels_is_not_used(
        engine: Engine, tag: str, forged: Callable[[], str]) -> None:
    built, fake, told = build(engine, tag), forged(), Told()
    assert build(engine, tag, told) == built != fake
    assert image_id(engine, tag) == built
    assert told.words[-1] == "unchanged" and any("another image had this name" in words for words in told.words)


def test_whoever_asks_by_name_gets_the_one_that_was_built(engine: Engine, tag: str, forged: Callable[[], str]) -> None:
    built, _ = build(engine, tag), forged()
    assert ensure_image(engine, tag, pull_policy="never") == built
    assert image_id(engine, tag) == built


def test_a_helper_runs_from_the_one_that_was_built(engine: Engine, tag: str, forged: Callable[[], str]) -> None:
    build(engine, tag)
    forged()
    assert helper.usable_image(engine, tag) == tag
    made = Helper(tag, f"t-{secrets.token_hex(4)}", {})
    assert run_once(engine, made, "cat /forged; true", Access())[1] != "forged\n"


def test_a_helper_runs_from_no_image_that_another_built(engine: Engine, tag: str, home: Callable[[str], None]) -> None:
    build(engine, tag)
    home("b")
    assert helper.usable_image(engine, tag) == ""
    with pytest.raises(OperatorError, match="not built from here"):
        run_once(engine, Helper(tag, f"t-{secrets.token_hex(4)}", {}), "true")


def test_a_home_that_was_lost_builds_again_and_says_so(engine: Engine, tag: str, forged: Callable[[], str],
                                                       home: Callable[[str], None]) -> None:
    build(engine, tag)
    fake, told = forged(), Told()
    home("b")
    assert own_image(engine, tag) is None
    again = build(engine, tag, told)
    assert again != fake and own_image(engine, tag) == again
    assert any("not built from here: it is built again" in words for words in told.words)
    told = Told()
    build(engine, tag, told)
    assert told.words == ["unchanged"]


def test_an_image_that_was_removed_is_built_again(engine: Engine, tag: str) -> None:
    engine.api.remove_image(build(engine, tag), force=True)
    assert own_image(engine, tag) is None
    assert build(engine, tag) == own_image(engine, tag)


def test_what_was_written_down_and_cannot_be_read_is_no_trust(engine: Engine, tag: str, tmp_path: Path) -> None:
    build(engine, tag)
    for file in (tmp_path / "a" / "trust" / "images").iterdir():
        file.write_text("[1")
    assert own_image(engine, tag) is None


def test_another_engine_has_other_images(engine: Engine, tag: str, monkeypatch: pytest.MonkeyPatch) -> None:
    build(engine, tag)
    monkeypatch.setattr(engine, "id", "another")
    assert own_image(engine, tag) is None


def test_a_base_image_that_this_home_does_not_know_is_taken_once_and_told(
        engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPERATOR_HOME", str(tmp_path / "new"))
    told = Told()
    first = ensure_base(engine, told)
    assert first[7:19] in told.words[0] and "unknown to this home" in told.words[0]
    told = Told()
    assert ensure_base(engine, told) == first and told.words == []


def test_what_was_loaded_from_a_file_is_trusted(engine: Engine, tag: str, tmp_path: Path, stop,  # type: ignore[no-untyped-def]
                                                home: Callable[[str], None]) -> None:
    """On a machine without a network, nothing could be built again."""
    built, told = build(engine, tag), Told()
    save_images(engine, [tag], tmp_path / "images.tar", stop=stop)
    home("b")
    assert load_images(engine, tmp_path / "images.tar", stop=stop) == [tag]
    assert build(engine, tag, told) == built
    assert told.words == ["unchanged"]


def test_the_record_is_for_this_user_alone(engine: Engine, tag: str, tmp_path: Path) -> None:
    record_own_image(engine, tag, "sha256:x")
    for file in (tmp_path / "a" / "trust" / "images").iterdir():
        assert file.stat().st_mode & 0o077 == 0
