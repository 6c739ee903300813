"""How a request is read: each way of making two readers understand it differently is refused."""

import contextlib
import json
from typing import Any

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from operator_demo.guard.http import BadRequest, canonical, parse_head, parse_json, parse_query, parse_target, target
from operator_demo.guard.request import Request

HOST = b"Host: docker\r\n"


def parse(head: bytes) -> Request:
    return parse_head(h11.Connection(h11.SERVER), head)[0]


def test_an_ordinary_request() -> None:
    request = parse(b"POST /v1.41/containers/etcd1/kill?signal=KILL&a=b%20c+d HTTP/1.1\r\n" + HOST
                    + b"Content-Length: 0\r\n\r\n")
    assert (request.method, request.version, request.path) == ("POST", "1.41", ("containers", "etcd1", "kill"))
    assert request.query == {"signal": "KILL", "a": "b c d"}
    assert not request.stream and not request.upgrade and len(request.digest) == 64


@pytest.mark.parametrize("path", [
    "", "containers/json", "*", "http://docker/_ping", "//containers/json", "/containers//json", "/containers/json/",
    "/containers/./json", "/containers/../json", "/containers/%2e%2e/json", "/containers/%2E/json", "/..", "/v1.41",
    "/v1.41/", "/containers%2fjson", "/containers/a%2Fb/json", "/containers/a%5cb/json", "/containers/a\\b/json",
    "/containers/%252e%252e/json", "/containers/a%00/json", "/containers/a%0d%0a/json", "/containers/a;b/json",
    "/containers/%/json", "/containers/%zz/json", "/containers/%ff/json", "/containers/%c3%a9/json", "/a#b", "/a b",
    "/v1.23/containers/json", "/v0.1/containers/json", "/" + "a" * 300,
])
def test_a_path_with_a_second_meaning_is_refused(path: str) -> None:
    with pytest.raises(BadRequest):
        parse_target(path)


@pytest.mark.parametrize("query", [
    "a=1&a=2", "a=1&%61=2", "a&a", "&", "a=1&", "=1", "a=%", "a=%f", "a=%ff", "a=%00", "a=%0a", "a%00=1", "a;b=1",
    "a[]=1", "a%20=1",
])
def test_a_query_with_a_second_meaning_is_refused(query: str) -> None:
    with pytest.raises(BadRequest):
        parse_query(query)


@pytest.mark.parametrize("headers", [
    b"Host: a\r\nHost: b\r\n", HOST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
    HOST + b"Content-Length: 1\r\nContent-Length: 1\r\n", HOST + b"Content-Length: 1, 1\r\n",
    HOST + b"Content-Length: -1\r\n", HOST + b"Content-Length: +1\r\n", HOST + b"Content-Length: 1_0\r\n",
    HOST + b"Content-Length: 0x1\r\n", HOST + b"Content-Length : 1\r\n", HOST + b" Content-Length: 1\r\n",
    HOST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
    HOST + b"Transfer-Encoding: chunked, identity\r\n", HOST + b"Transfer-Encoding: xchunked\r\n",
    HOST + b"Transfer-Encoding: \x0bchunked\r\n", HOST + b"Transfer-Encoding:\r\n chunked\r\n",
    HOST + b"X: a\r\n\tb\r\n", HOST + b"X: a\nY: b\r\n", HOST + b"X: a\rY: b\r\n", HOST + b"X: \x00\r\n",
    HOST + b"X: \xff\r\n", HOST + b"X\r\n", HOST + b": x\r\n", HOST + b"X Y: z\r\n",
    HOST + b"Content-Type: application/json\r\ncontent-type: application/x-tar\r\n", b"",
])
def test_headers_with_a_second_meaning_are_refused(headers: bytes) -> None:
    with pytest.raises(BadRequest):
        parse(b"POST /containers/a/start HTTP/1.1\r\n" + headers + b"\r\n")


@pytest.mark.parametrize("line", [
    b"GET /_ping HTTP/1.0", b"GET /_ping HTTP/2.0", b"GET /_ping", b"GET  /_ping HTTP/1.1", b"get /_ping HTTP/1.1",
    b"TRACE /_ping HTTP/1.1", b"CONNECT /_ping HTTP/1.1", b" GET /_ping HTTP/1.1", b"GET /_ping HTTP/1.1 ",
    b"GET\t/_ping HTTP/1.1", b"", b"PRI * HTTP/2.0",
])
def test_other_request_lines_are_refused(line: bytes) -> None:
    with pytest.raises(BadRequest):
        parse(line + b"\r\n" + HOST + b"\r\n")


@pytest.mark.parametrize("text", [
    '{"a": 1, "a": 2}', '{"Privileged": false, "privileged": true}', '{"a": {"Binds": 1, "binds": 2}}',
    '{"a": [{"x": 1, "X": 2}]}', '{"\u017fource": 1, "source": 2}', '{"K": 1, "\u212a": 2}', '{"a": NaN}',
    '{"a": Infinity}', '{"a": 1e999}', '{"a": "\\ud800"}', "[1]", "1", "null", "", "{", '{"a": 1} x', "\ufeff{}",
    "[" * 100_000, '{"a":' * 100_000, "9" * 5000, "{'a': 1}", '{"a": 1,}',
])
def test_json_with_a_second_meaning_is_refused(text: str) -> None:
    with pytest.raises(BadRequest):
        parse_json(text.encode())


@given(st.text(alphabet="/.%v14aAzZ09_-:@?&=+;#\\ \x00é", max_size=40))
def test_what_is_forwarded_is_read_again_as_the_same(text: str) -> None:
    """Also by a reader that is laxer: nothing but plain segments, joined by slashes, is sent."""
    with contextlib.suppress(BadRequest):
        read = parse_target(f"/{text}")
        assert parse_target(target(*read)) == read
        plain = target(*read).partition("?")[0]
        assert "//" not in plain and "/./" not in f"{plain}/" and "/../" not in f"{plain}/" and "%" not in plain


@given(st.binary(max_size=200))
def test_any_bytes_are_a_request_or_refused(raw: bytes) -> None:
    with contextlib.suppress(BadRequest):
        parse(raw + b"\r\n\r\n")
    with contextlib.suppress(BadRequest):
        parse_json(raw)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3))


@given(st.dictionaries(st.text(max_size=5), json_values, max_size=4))
def test_json_that_is_accepted_is_what_was_sent(value: dict[str, Any]) -> None:
    with contextlib.suppress(BadRequest):
        read = parse_json(json.dumps(value))
        assert read == value and json.loads(canonical(read)) == value


def test_the_digest_covers_method_path_query_and_body() -> None:
    lines = [b"GET /a HTTP/1.1", b"HEAD /a HTTP/1.1", b"GET /a/b HTTP/1.1", b"GET /a?b=c HTTP/1.1"]
    digests = {parse(line + b"\r\n" + HOST + b"\r\n").digest for line in lines}
    assert len(digests) == len(lines)
