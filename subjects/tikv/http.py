"""One GET after the other to one member, every one bounded in time."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import urllib3
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, TimeoutError

from operator_demo.subject import Deadline

_MAX_ANSWER = 4 * 1024 * 1024  # bytes


class NoAnswer(Exception):
    """No (whole) answer came, for the reason given."""


class Refusal(Exception):
    """The member answered, and not with 200."""


class Http:
    """A kept-alive connection to one port of one member. Not for use by two threads at once."""

    def __init__(self, address: str, port: int) -> None:
        self._pool = urllib3.HTTPConnectionPool(address, port, maxsize=1, retries=False)

    def close(self) -> None:
        self._pool.close()

    def get(self, path: str, timeout: float, headers: Mapping[str, str] | None = None) -> bytes:
        """The body of the answer, within about `timeout` seconds. Raises `NoAnswer` or `Refusal`."""
        deadline = Deadline(timeout)
        try:
            response = self._pool.urlopen("GET", path, headers=dict(headers or {}), redirect=False,
                                          preload_content=False, timeout=urllib3.Timeout(total=max(timeout, 0.001)))
            raw = _read(response, deadline)
        except (NewConnectionError, ConnectTimeoutError) as e:
            raise NoAnswer(_reason(e)) from e
        except TimeoutError as e:
            raise NoAnswer(f"no answer within {timeout:.1f} s") from e
        except (HTTPError, OSError, ValueError) as e:
            raise NoAnswer(f"the connection broke ({type(e).__name__})") from e
        if response.status != 200:
            said = " ".join(raw[:200].decode("utf-8", "replace").split()).strip('"')
            raise Refusal(f"HTTP {response.status}" + (f": {said}" if said else ""))
        return raw

    def json(self, path: str, timeout: float, headers: Mapping[str, str] | None = None, **query: str) -> Any:
        """As `get`, decoded. Raises `NoAnswer` for what is no JSON, too."""
        raw = self.get(f"{path}?{urlencode(query)}" if query else path, timeout, headers)
        try:
            return json.loads(raw)
        except ValueError as e:
            raise NoAnswer(f"the answer to {path} is no JSON") from e


def _read(response: urllib3.BaseHTTPResponse, deadline: Deadline) -> bytes:
    raw = b""
    try:
        while part := response.read1(65536):
            raw += part
            if len(raw) > _MAX_ANSWER or not deadline.left():
                response.close()
                raise ValueError("the answer is too long or too slow")
    finally:
        response.release_conn()
    return raw


def _reason(error: Exception) -> str:
    text = str(error).lower()
    for known in ("connection refused", "no route to host", "network is unreachable"):
        if known in text:
            return known
    return "connection timed out" if "timed out" in text else "no connection"
