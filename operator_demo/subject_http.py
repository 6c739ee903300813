"""What subjects that speak HTTP to their members share: an answer read within bounds, and why there was none."""

import urllib3

from operator_demo.subject import Deadline

MAX_ANSWER = 4 * 1024 * 1024  # bytes


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
