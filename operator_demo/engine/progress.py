"""How long work tells what it does."""

from typing import Protocol


class Progress(Protocol):
    """`item` is what is worked on (a container, an image), `status` a word or a line about it."""

    def __call__(self, item: str, status: str, /) -> None: ...


class ImageProgress(Protocol):
    """As `Progress`; `current` of `total` bytes or steps where they are known."""

    def __call__(self, item: str, status: str, current: int | None, total: int | None, /) -> None: ...


def silent(item: str, status: str, /) -> None:
    """Tells nobody."""


def silent_image(item: str, status: str, current: int | None, total: int | None, /) -> None:
    """Tells nobody."""
