"""One GET after the other to one member, every one bounded in time."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import urllib3
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, TimeoutError

from operator_demo.subject import Deadline
from operator_demo.subject_kit import no_connection, whole_body


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
            raw = whole_body(response, deadline)
        except (NewConnectionError, ConnectTimeoutError) as e:
            raise NoAnswer(no_connection(e)) from e
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
