"""What subjects share that ask their members over HTTP: all side by side, each within bounds."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

import urllib3

from operator_demo.subject import Deadline, Member

MAX_ANSWER = 4 * 1024 * 1024  # bytes
_LATE = 0.05  # seconds by which an answer may come after the deadline

T = TypeVar("T")


def ask_all(members: Sequence[Member], limit: Deadline, ask: Callable[[Member], T]) -> dict[str, T | Exception]:
    """Calls `ask` for every member side by side, until the deadline; an exception stands in the place of a result.

    A call whose answer dribbles in beyond the deadline is not waited for: its socket ends it soon after.
    """
    if not members:
        return {}
    pool = ThreadPoolExecutor(len(members), thread_name_prefix="ask")
    try:
        futures = {m.name: pool.submit(ask, m) for m in members}
        done, _ = wait(futures.values(), timeout=limit.left() + _LATE)
        results: dict[str, T | Exception] = {}
        for name, future in futures.items():
            error = future.exception() if future in done else TimeoutError("no answer in time")
            results[name] = error if isinstance(error, Exception) else future.result()
        return results
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def whole_body(response: urllib3.BaseHTTPResponse, deadline: Deadline) -> bytes:
    """The body of an answer that was not preloaded. Raises ValueError where it is too long or too slow, and what
    urllib3 raises."""
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


def no_connection(error: Exception) -> str:
    """Why a member was not reached, in a few words."""
    text = str(error).lower()
    for known in ("connection refused", "no route to host", "network is unreachable"):
        if known in text:
            return known
    return "connection timed out" if "timed out" in text else "no connection"
