"""One request to the engine, as the guard has understood it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

AGENT, MONITOR = "agent", "monitor"  # the callers; each has a socket, in a volume, of its own
GUARD = "guard"  # in the record: what the guard does itself


@dataclass(frozen=True)
class Request:
    """Decoded once, here: nothing in it is percent-encoded any more, and nothing else is forwarded.

    `path` has the segments after the API's version, as in ("containers", "etcd1", "restart"). `query` has no key twice.
    `body` is the JSON object of an endpoint that takes one; `stream` tells that a body of another kind follows (an
    archive), `upgrade` that the client asks for a raw connection. `digest` is the SHA-256 of method, path, query and
    body, in hexadecimal; of an archive too where a human is asked about it.
    """

    method: str
    path: tuple[str, ...]
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    version: str = ""  # "1.41"; "" where the client named none
    stream: bool = False
    upgrade: bool = False
    digest: str = ""
