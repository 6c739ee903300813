"""Going on from a recording where the run cannot: see `run --fallback`."""

from collections.abc import Callable
from typing import Protocol


class FallBack(BaseException):
    """From here on the recording is shown; the run ends. `why` is a sentence."""

    def __init__(self, why: str = "The presenter went on from a recording.") -> None:
        super().__init__(why)
        self.why = why


class Fallback(Protocol):
    """Shows the recording of the run's scenario."""

    def __call__(self, chapter: str, why: str, asked_to_end: Callable[[], bool]) -> None:
        """From the beginning of `chapter` ("" for the first) until its end, or until the presenter leaves. The run's
        own display is stopped."""
        ...
