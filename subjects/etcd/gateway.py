"""etcd's JSON gateway over HTTP: one connection to one member, every call limited in time.

The paths and fields are those of etcd 3.5 (`rpc.proto`, its google.api.http options). Bytes travel as base64, 64-bit
numbers as text, and fields that are zero are left out.
"""

import base64
import json
from typing import Any, cast

from operator_demo.subject_kit import Connection, NoAnswer

PORT = 2379


class Answer(Exception):
    """etcd answered with an error. `code` is gRPC's (8 ResourceExhausted, 14 Unavailable, ...)."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Gateway:
    """The calls to the member at `address`. Not for use by two threads at once."""

    def __init__(self, address: str) -> None:
        self._connection = Connection(address, PORT)

    def close(self) -> None:
        self._connection.close()

    def post(self, path: str, body: dict[str, Any], timeout: float) -> dict[str, Any]:
        """The decoded answer, within about `timeout` seconds.

        Raises `NoAnswer` (or one of its kinds) or `Answer`.
        """
        status, raw = self._connection.request("POST", path, timeout, body=json.dumps(body).encode(),
                                               headers={"Content-Type": "application/json"})
        try:
            answer = json.loads(raw)
        except ValueError as e:
            raise NoAnswer(f"HTTP {status} without JSON") from e
        if not isinstance(answer, dict):
            raise NoAnswer(f"HTTP {status} without a JSON object")
        if status != 200:
            raise Answer(number(answer.get("code")), str(answer.get("message", f"HTTP {status}")))
        return cast(dict[str, Any], answer)

    # -- the calls ---------------------------------------------------------------------------------------------------

    def status(self, timeout: float) -> dict[str, Any]:
        return self.post("/v3/maintenance/status", {}, timeout)

    def put(self, key: str, value: str, timeout: float) -> None:
        self.post("/v3/kv/put", {"key": encode(key), "value": encode(value)}, timeout)

    def get(self, key: str, timeout: float) -> str | None:
        """A linearizable read."""
        pairs = self.post("/v3/kv/range", {"key": encode(key)}, timeout).get("kvs") or []
        return decode(pairs[0].get("value", "")) if pairs else None

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
    """64-bit numbers are text, and missing ones are zero."""
    try:
        return int(cast(str, value or 0))
    except (TypeError, ValueError):
        return 0
