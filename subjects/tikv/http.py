"""GET requests to one member, each limited in time."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from operator_demo.subject_kit import Connection, NoAnswer


class Refusal(Exception):
    """The member answered with another status than 200."""


class Http(Connection):
    def get(self, path: str, timeout: float, headers: Mapping[str, str] | None = None) -> bytes:
        """The body of the answer, within about `timeout` seconds. Raises `NoAnswer` or `Refusal`."""
        status, raw = self.request("GET", path, timeout, headers=headers)
        if status != 200:
            text = " ".join(raw[:200].decode("utf-8", "replace").split()).strip('"')
            raise Refusal(f"HTTP {status}" + (f": {text}" if text else ""))
        return raw

    def json(self, path: str, timeout: float, headers: Mapping[str, str] | None = None, **query: str) -> Any:
        """As `get`, decoded. Raises `NoAnswer` also if it is no JSON."""
        raw = self.get(f"{path}?{urlencode(query)}" if query else path, timeout, headers)
        try:
            return json.loads(raw)
        except ValueError as e:
            raise NoAnswer(f"the answer to {path} is no JSON") from e
