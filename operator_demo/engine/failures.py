"""The engine's own errors, said so that a person can act on them."""

from collections.abc import Iterator
from contextlib import contextmanager

import docker.errors
import requests.exceptions
import urllib3.exceptions

from operator_demo.errors import Exit, OperatorError

BROKEN_CONNECTION = (requests.exceptions.ConnectionError, requests.exceptions.Timeout,
                     requests.exceptions.ChunkedEncodingError, urllib3.exceptions.HTTPError, OSError)
"""What a request or a stream raises when the engine went away in the middle."""


class EngineUnavailable(OperatorError):
    """No engine answered; `message` lists what was tried, each with its reason."""


class NotOnEngine(OperatorError):
    """A container, network, volume or image that is not (or no longer) there."""


class Interrupted(OperatorError):
    """The stop event was set before the work was done; what was done so far stays, `down` removes it."""

    exit_status = Exit.INTERRUPTED


def explain(error: BaseException) -> str:
    """The engine's own words for `error`, without the HTTP around them."""
    if isinstance(error, docker.errors.APIError) and error.explanation:
        words = error.explanation
        return (words.decode(errors="replace") if isinstance(words, bytes) else str(words)).strip()
    return str(error).strip() or type(error).__name__


@contextmanager
def engine_errors(doing: str) -> Iterator[None]:
    """Turns what docker-py raises inside into an OperatorError that begins with `doing`."""
    try:
        yield
    except docker.errors.NotFound as e:
        raise NotOnEngine(f"{doing}: {explain(e)}") from e
    except (docker.errors.APIError, docker.errors.DockerException) as e:
        raise OperatorError(f"{doing}: {explain(e)}") from e
    except BROKEN_CONNECTION as e:
        raise EngineUnavailable(f"{doing}: the engine does not answer ({explain(e)})",
                                "Is the Docker engine still running?") from e
