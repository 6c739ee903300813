"""etcd's JSON gateway over HTTP: one connection to one member, every call bounded in time.

The paths and fields are those of etcd 3.5 (`rpc.proto`, its google.api.http options). Bytes travel as base64, 64-bit
numbers as text, and fields that are zero are left out.
"""

import base64
import json
from typing import Any, cast

import urllib3
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, TimeoutError

from operator_demo.subject import Deadline
from operator_demo.subject_kit import no_connection, whole_body

PORT = 2379


class NoConnection(Exception):
    """The member was not reached: the request was certainly not sent."""


class NoAnswer(Exception):
    """The request was sent and no (whole) answer came back: what became of it is unknown."""


class Timeout(NoAnswer):
    """As `NoAnswer`, because the time was up."""


class Answer(Exception):
    """etcd answered with an error. `code` is gRPC's (8 ResourceExhausted, 14 Unavailable, ...)."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Gateway:
    """A kept-alive connection to the member at `address`. Not for use by two threads at once."""

    def __init__(self, address: str) -> None:
        self._pool = urllib3.HTTPConnectionPool(address, PORT, maxsize=1, retries=False)

    def close(self) -> None:
        self._pool.close()

    def post(self, path: str, body: dict[str, Any], timeout: float) -> dict[str, Any]:
        """The decoded answer, within about `timeout` seconds.

        Raises `NoConnection`, `NoAnswer` (or `Timeout`) or `Answer`.
        """
        deadline = Deadline(timeout)
        try:
            response = self._pool.urlopen(
                "POST", path, body=json.dumps(body).encode(), headers={"Content-Type": "application/json"},
                timeout=urllib3.Timeout(total=max(timeout, 0.001)), redirect=False, preload_content=False)
            raw = whole_body(response, deadline)
        except (NewConnectionError, ConnectTimeoutError) as e:
            raise NoConnection(no_connection(e)) from e
        except TimeoutError as e:
            raise Timeout(f"no answer within {timeout:.1f} s") from e
        except (HTTPError, OSError, ValueError) as e:
            raise NoAnswer(f"the connection broke ({type(e).__name__})") from e
        try:
            answer = json.loads(raw)
        except ValueError as e:
            raise NoAnswer(f"HTTP {response.status} without JSON") from e
        if not isinstance(answer, dict):
            raise NoAnswer(f"HTTP {response.status} without a JSON object")
        if response.status != 200:
            raise Answer(number(answer.get("code")), str(answer.get("message", f"HTTP {response.status}")))
        return cast(dict[str, Any], answer)

    # -- the calls that are used -------------------------------------------------------------------------------------

    def status(self, timeout: float) -> dict[str, Any]:
        return self.post("/v3/maintenance/status", {}, timeout)

    def put(self, key: str, value: str, timeout: float) -> None:
        self.post("/v3/kv/put", {"key": encode(key), "value": encode(value)}, timeout)

    def get(self, key: str, timeout: float) -> str | None:
        """A linearizable read."""
        found = self.post("/v3/kv/range", {"key": encode(key)}, timeout).get("kvs") or []
        return decode(found[0].get("value", "")) if found else None

    def delete_prefix(self, prefix: str, timeout: float) -> None:
        end = prefix[:-1] + chr(ord(prefix[-1]) + 1)
        self.post("/v3/kv/deleterange", {"key": encode(prefix), "range_end": encode(end)}, timeout)

    def revision(self, timeout: float) -> int:
        """The newest revision that this member has applied (from the header of a read of its own state)."""
        answer = self.post("/v3/kv/range", {"key": encode("\0"), "serializable": True, "keys_only": True}, timeout)
        return number(answer.get("header", {}).get("revision"))

    def hash_kv(self, revision: int, timeout: float) -> tuple[int, int]:
        """(hash of all keys up to `revision`, compact revision). Two hashes compare only at one compact revision."""
        answer = self.post("/v3/maintenance/hashkv", {"revision": str(revision)}, timeout)
        return number(answer.get("hash")), number(answer.get("compact_revision"))

    def members(self, timeout: float) -> list[dict[str, Any]]:
        """The member list as this member knows it, without asking the others."""
        return list(self.post("/v3/cluster/member/list", {"linearizable": False}, timeout).get("members") or [])


def encode(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def decode(text: str) -> str:
    return base64.b64decode(text).decode("utf-8", "replace")


def number(value: object) -> int:
    """64-bit numbers come as text, absent ones are zero."""
    try:
        return int(cast(str, value or 0))
    except (TypeError, ValueError):
        return 0
