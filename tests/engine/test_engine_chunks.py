"""The transfer coding comes off whatever the pieces are in which the bytes arrive."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operator_demo.engine.chunks import ChunkError, ChunkReader


def coded(chunks: list[bytes]) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(c), c) for c in chunks) + b"0\r\n\r\n"


@given(st.lists(st.binary(min_size=1, max_size=60), max_size=10), st.lists(st.integers(1, 30), min_size=1))
def test_any_cut_gives_the_body(chunks: list[bytes], sizes: list[int]) -> None:
    raw, reader, body, at, n = coded(chunks), ChunkReader(), b"", 0, 0
    while at < len(raw):
        size = sizes[n % len(sizes)]
        body += reader.feed(raw[at:at + size])
        at, n = at + size, n + 1
    assert body == b"".join(chunks)
    assert reader.ended


@given(st.lists(st.binary(min_size=1, max_size=60), min_size=1, max_size=5), st.data())
def test_a_body_that_is_cut_off_has_not_ended(chunks: list[bytes], data: st.DataObject) -> None:
    whole = coded(chunks).removesuffix(b"0\r\n\r\n")
    reader = ChunkReader()
    body = reader.feed(whole[:data.draw(st.integers(0, len(whole)))])
    assert b"".join(chunks).startswith(body)
    assert not reader.ended


def test_what_has_come_of_a_long_chunk_is_not_held_back() -> None:
    reader = ChunkReader()
    assert reader.feed(b"10\r\n01234567") == b"01234567"
    assert reader.feed(b"89abcdef\r") == b"89abcdef"
    assert reader.feed(b"\n2;name=value\r\nxy\r\n0\r\n\r\n") == b"xy"
    assert reader.ended


@pytest.mark.parametrize("raw", [b"-5\r\nhello\r\n", b"hello\r\n", b"\r\n"])
def test_what_is_not_chunked_is_an_error(raw: bytes) -> None:
    with pytest.raises(ChunkError):
        ChunkReader().feed(raw)
