"""What subjects share: bounded HTTP requests, questions to all members at once, a check through each of them."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any, TypeVar

import urllib3
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, TimeoutError

from operator_demo.subject import Check, Deadline, Figure, HasThrough, Member, Through

MAX_ANSWER = 4 * 1024 * 1024  # bytes
_LATE = 0.05  # seconds by which an answer may come after the deadline

T = TypeVar("T")


class NoAnswer(Exception):
    """The request was sent and no complete answer came: whether it took effect is unknown."""


class NoConnection(NoAnswer):
    """The member was not reached: the request was certainly not sent."""


class Timeout(NoAnswer):
    """No complete answer came in time."""


class Connection:
    """A kept-alive connection to one port of one member. Not for use by two threads at once."""

    def __init__(self, address: str, port: int) -> None:
        self._pool = urllib3.HTTPConnectionPool(address, port, maxsize=1, retries=False)

    def close(self) -> None:
        self._pool.close()

    def request(self, method: str, path: str, timeout: float, *, body: bytes | None = None,
                headers: Mapping[str, str] | None = None) -> tuple[int, bytes]:
        """Status and body of the answer, within about `timeout` seconds. Raises `NoAnswer` or one of its kinds."""
        deadline = Deadline(timeout)
        try:
            response = self._pool.urlopen(method, path, body=body, headers=dict(headers or {}), redirect=False,
                                          preload_content=False, timeout=urllib3.Timeout(total=max(timeout, 0.001)))
            return response.status, _whole_body(response, deadline)
        except (NewConnectionError, ConnectTimeoutError) as e:
            raise NoConnection(_why_no_connection(e)) from e
        except TimeoutError as e:
            raise Timeout(f"no answer within {timeout:.1f} s") from e
        except (HTTPError, OSError, ValueError) as e:
            raise NoAnswer(f"the connection broke ({type(e).__name__})") from e


def failed_share(load: Mapping[str, Any]) -> float:
    """Per cent of the clients' operations that failed; `load` is the data of a `load` event."""
    failed, done = sum(load["errors"].values()), load["ops"]
    return 100.0 * failed / (failed + done) if failed else 0.0


def in_ms(seconds: float) -> str:
    """`3.0 ms`, for a figure."""
    ms = 1000 * seconds
    return f"{ms:.1f} ms" if ms < 9.95 else f"{ms:.0f} ms"


def of_capacity(used: float, capacity: float) -> Figure:
    """`2.1 of 8 GiB`, with its share."""
    gib = 2.0**30
    return Figure("", f"{used / gib:.1f} of {capacity / gib:.0f} GiB", used / capacity if capacity else None)


def ask_all(members: Sequence[Member], limit: Deadline, ask: Callable[[Member], T]) -> dict[str, T | Exception]:
    """Calls `ask` for all members at the same time, until the deadline. Instead of a result there may be an exception.

    A call that goes on beyond the deadline is not waited for; its timeout ends it soon after.
    """
    if not members:
        return {}
    pool = ThreadPoolExecutor(len(members), thread_name_prefix="ask")
    try:
        futures = {m.name: pool.submit(ask, m) for m in members}
        done, _ = wait(futures.values(), timeout=limit.left() + _LATE)
        results: dict[str, T | Exception] = {}
        for name, future in futures.items():
            error = future.exception() if future in done else Timeout("no answer in time")
            results[name] = error if isinstance(error, Exception) else future.result()
        return results
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def data_plane(subject: HasThrough, members: Sequence[Member], asked: Sequence[Member], prefix: str,
               limit: Deadline) -> Check:
    """A key written through every member of `asked`, each read back through every other. Those that take no writes now
    are named, and read the others' keys. The keys stay."""
    missing = [m.name for m in asked if not m.address]
    if missing:
        return Check("data_plane", "failed", f"{', '.join(missing)} cannot be reached")
    opened = ask_all(asked, limit, lambda m: subject.through(lambda: members, m.name, prefix, limit.left()))
    through = {name: t for name, t in opened.items() if isinstance(t, Through)}
    try:
        faults = [f"{name}: {e}" for name, e in opened.items() if isinstance(e, Exception)]
        return _written_and_read(through, [m for m in asked if m.name in through], limit, faults)
    finally:
        for t in through.values():
            t.client.close()


def _written_and_read(through: Mapping[str, Through], members: Sequence[Member], limit: Deadline,
                      faults: list[str]) -> Check:
    keys = {name: t.key for name, t in through.items() if t.key is not None}
    value = secrets.token_hex(8)
    writers = [m for m in members if m.name in keys]
    wrote = ask_all(writers, limit, lambda m: through[m.name].client.put(keys[m.name], value))
    faults += [f"write through {name}: {e}" for name, e in wrote.items() if isinstance(e, Exception)]
    if not faults:
        read = ask_all(members, limit, lambda m: {name: through[m.name].client.get(key) for name, key in keys.items()})
        for reader, values in read.items():
            if isinstance(values, Exception):
                faults.append(f"read through {reader}: {values}")
                continue
            faults += [f"{reader} does not return what was written through {writer}"
                       for writer, v in values.items() if v != value]
    if faults:
        return Check("data_plane", "failed", "; ".join(faults))
    if not keys:
        return Check("data_plane", "unknown", "no member takes writes")
    idle = [name for name in through if name not in keys]
    return Check("data_plane", "passed",
                 f"a write through each of {len(keys)} members was read back through every other"
                 + (f"; not checked: a write through {', '.join(idle)}, which leads nothing" if idle else ""))


def _whole_body(response: urllib3.BaseHTTPResponse, deadline: Deadline) -> bytes:
    """Raises `ValueError` if the body is too long or too slow, and what urllib3 raises."""
    raw = b""
    try:
        while part := response.read1(65536):
            raw += part
            if len(raw) > MAX_ANSWER or not deadline.left():
                response.close()
                raise ValueError("the answer is too long or too slow")
    finally:
        response.release_conn()
    return raw


def _why_no_connection(error: Exception) -> str:
    """Why a member was not reached, in a few words."""
    text = str(error).lower()
    for known in ("connection refused", "no route to host", "network is unreachable"):
        if known in text:
            return known
    return "connection timed out" if "timed out" in text else "no connection"
