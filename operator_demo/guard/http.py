"""The bytes of a request, understood in exactly one way or refused.

Nothing of what a client sends goes to the engine as it came: the proxy writes a request of its own from the `Request`
that is made here. So two readers cannot understand one request differently. What is unusual is refused all the same,
because a client that means well never sends it.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote, unquote_to_bytes, urlencode

import h11

from operator_demo.guard.request import Request

MAX_HEAD = 32 * 1024  # bytes of request line and headers
MAX_BODY = 1024 * 1024  # bytes of a JSON body

_METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE")
_OLDEST_API = (1, 24)  # older ones have endpoints and bodies of other meanings
_VERSION = re.compile(r"v(\d{1,3})\.(\d{1,3})")
_SEGMENT = re.compile(r"[A-Za-z0-9_.:@+-]{1,255}")
_QUERY_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")
_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_BAD_IN_HEAD = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\xff]|\r(?!\n)|(?<!\r)\n|\n[ \t]")
"""Control and non-ASCII bytes, line ends other than CRLF, and lines that continue the one before."""


class BadRequest(Exception):
    """The request is malformed; the text says how."""


# -- the head ---------------------------------------------------------------------------------------------------------


def parse_head(connection: h11.Connection, head: bytes) -> tuple[Request, h11.Request]:
    """Feeds a head, with its empty line, to a fresh connection of role SERVER. The request's body is still missing.

    Raises `BadRequest`.
    """
    if _BAD_IN_HEAD.search(head):
        raise BadRequest("a header has bytes or line ends that HTTP does not allow")
    try:
        connection.receive_data(head)
        event = connection.next_event()
    except h11.RemoteProtocolError as e:
        raise BadRequest(str(e)) from e
    if not isinstance(event, h11.Request):
        raise BadRequest("the request has no head")
    headers = _headers(event, head)
    version, path, query = parse_target(event.target.decode("ascii"))
    method = event.method.decode("ascii")
    if method not in _METHODS:
        raise BadRequest(f"the method {method} is not known")
    has_body = "transfer-encoding" in headers or headers.get("content-length", "0") != "0"
    is_json = headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json"
    request = Request(method, path, query, version=version, stream=has_body and not is_json,
                      upgrade="upgrade" in headers)
    return sealed(request), event


def _headers(event: h11.Request, head: bytes) -> dict[str, str]:
    if event.http_version != b"1.1":
        raise BadRequest("only HTTP/1.1 is spoken here")
    headers: dict[str, str] = {}
    for line in head.split(b"\r\n")[1:-2]:  # (h11 merges lengths that are repeated)
        name, _, value = line.decode("ascii").partition(":")
        if name.lower() in headers:
            raise BadRequest(f"the header {name} is there twice")
        headers[name.lower()] = value.strip()
    if "content-length" in headers and "transfer-encoding" in headers:
        raise BadRequest("the body has both a length and a transfer encoding")
    if not headers.get("content-length", "0").isdigit():
        raise BadRequest("the body's length is no number")
    return headers


def parse_target(target: str) -> tuple[str, tuple[str, ...], dict[str, str]]:
    """The API's version ("" without one), the path after it, and the query. Raises `BadRequest`."""
    path, _, query = target.partition("?")
    if not path.startswith("/"):
        raise BadRequest("the target is no path")
    segments = tuple(_segment(raw) for raw in path[1:].split("/"))
    version = ""
    if match := _VERSION.fullmatch(segments[0]):
        major, minor = int(match[1]), int(match[2])
        if (major, minor) < _OLDEST_API:
            raise BadRequest(f"the API {major}.{minor} is too old; 1.24 is the oldest that is spoken here")
        version, segments = f"{major}.{minor}", segments[1:]
    if not segments:
        raise BadRequest("the path is empty")
    return version, segments, parse_query(query)


def _segment(raw: str) -> str:
    segment = _unquote(raw)
    if not _SEGMENT.fullmatch(segment) or segment in (".", ".."):
        raise BadRequest("the path has an empty segment, a dot segment, or a character that no name has")
    return segment


def parse_query(text: str) -> dict[str, str]:
    """Raises `BadRequest`."""
    query: dict[str, str] = {}
    for pair in text.split("&") if text else []:
        key, _, value = pair.partition("=")
        key, value = _unquote(key.replace("+", " ")), _unquote(value.replace("+", " "))
        if not _QUERY_KEY.fullmatch(key):
            raise BadRequest("the query has a key that no endpoint has")
        if key in query:
            raise BadRequest(f"the query has {key} twice")
        if _CONTROL.search(value):
            raise BadRequest(f"the query's {key} has control characters")
        query[key] = value
    return query


def _unquote(text: str) -> str:
    if _BAD_PERCENT.search(text):
        raise BadRequest("the target has a % without two hexadecimal digits")
    try:
        return unquote_to_bytes(text).decode("utf-8")
    except UnicodeDecodeError as e:
        raise BadRequest("the target is not UTF-8") from e


def target(version: str, path: tuple[str, ...], query: Mapping[str, str]) -> str:
    """The request target for the engine."""
    segments = (f"v{version}", *path) if version else path
    text = "/" + "/".join(quote(segment, safe=":@+") for segment in segments)
    return f"{text}?{urlencode(query)}" if query else text


# -- the body ---------------------------------------------------------------------------------------------------------


def parse_json(raw: bytes | str) -> dict[str, Any]:
    """A JSON object in which no object has two keys that differ in case alone: engines read such keys as one.

    Raises `BadRequest`.
    """
    try:
        text = raw.decode("utf-8") if isinstance(raw, bytes) else raw
        value = json.loads(text, object_pairs_hook=_object)
        canonical(value)
    except (ValueError, RecursionError) as e:
        raise BadRequest("this is no JSON that all readers understand alike") from e
    if not isinstance(value, dict):
        raise BadRequest("the JSON is no object")
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len({key.casefold() for key in value}) != len(pairs):
        raise BadRequest("the JSON has two keys that differ in case alone, or one key twice")
    return value


def canonical(value: Any) -> bytes:
    """Raises ValueError for what JSON cannot hold: NaN, infinities, lone surrogates."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8")


def sealed(request: Request, archive: bytes | bytearray | None = None) -> Request:
    """With the digest of what it now holds, and of the archive that follows, where that is known."""
    content = [request.method, request.path, dict(request.query), request.body]
    if archive is not None:
        content.append(hashlib.sha256(archive).hexdigest())
    return replace(request, digest=hashlib.sha256(canonical(content)).hexdigest())
