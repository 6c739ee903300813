import struct
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operator_demo.engine.frames import MAX_LINE, FrameError, FrameReader, LineReader

PIECE = 16 * 1024


def frame(stream: int, payload: bytes) -> bytes:
    return struct.pack(">BxxxL", stream, len(payload)) + payload


def time(nanoseconds: int) -> bytes:
    return f"2026-01-01T00:00:{nanoseconds // 10**9:02d}.{nanoseconds % 10**9:09d}Z".encode()


def records(lines: list[tuple[int, int, str]], piece: int = PIECE) -> list[tuple[int, int, bytes]]:
    """As the engine keeps (stream, time, line): torn into pieces, each with the time in front."""
    made = []
    for stream, at, line in lines:
        text = line.encode() + b"\n"
        made += [(stream, at, time(at) + b" " + text[i:i + piece]) for i in range(0, len(text), piece)]
    return made


def cut(data: bytes, places: list[int]) -> list[bytes]:
    at = [0, *sorted({p % (len(data) + 1) for p in places}), len(data)]
    return [data[a:b] for a, b in pairwise(at)]


def read(reader: LineReader, pieces: list[bytes]) -> list[tuple[int, str]]:
    frames, found = FrameReader(), []
    for piece in pieces:
        for stream, record in frames.feed(piece):
            line = reader.feed(stream, record)
            if line is not None:
                found.append((stream, line))
    return found


LINES = st.lists(st.tuples(st.sampled_from([1, 2]), st.integers(0, 3), st.text(
    st.characters(blacklist_characters="\n", blacklist_categories=["Cs"]), max_size=12)), max_size=12).map(
    lambda lines: [(stream, at, f"{line}{n}") for n, (stream, at, line) in enumerate(lines)])


@settings(deadline=None)
@given(LINES, st.lists(st.integers(0, 10**6), max_size=8), st.integers(1, 5))
def test_lines_come_whole_wherever_the_bytes_are_cut(lines, places, piece) -> None:  # type: ignore[no-untyped-def]
    kept = records(sorted(lines, key=lambda line: line[1]), piece)  # pieces of a few bytes also cut characters
    data = b"".join(frame(s, r) for s, _, r in kept)
    found = read(LineReader(), cut(data, places))
    for stream in (1, 2):
        assert [line for s, line in found if s == stream] == [
            line for s, _, line in sorted(lines, key=lambda line: line[1]) if s == stream]


@settings(deadline=None)
@given(LINES, st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), max_size=4), st.integers(1, 5))
def test_after_a_break_nothing_is_lost_or_repeated(lines, breaks, piece) -> None:  # type: ignore[no-untyped-def]
    """Many records share a time, and stderr is written up to 0.5 s late; the engine sends again from whole seconds."""
    clock, ordered = 10 * 10**9, []
    for stream, step, line in lines:
        clock += step * 10**9 // 2
        ordered.append((stream, clock if stream == 1 else clock - 5 * 10**8, line))
    kept = records(ordered, piece)
    reader, found, since = LineReader(), [], 0
    for broken_at, torn in [*breaks, (None, 0)]:
        sent = b"".join(frame(s, r) for s, at, r in kept if at >= since)
        if broken_at is not None:
            sent = sent[:broken_at % (len(sent) + 1)]
        found += read(reader, cut(sent, [torn]))
        if reader.last:
            reader.resume()
            since = (int(reader.last[17:19]) - 1) * 10**9
    for stream in (1, 2):
        assert [line for s, line in found if s == stream] == [line for s, _, line in lines if s == stream]


def test_a_long_line_has_no_times_in_its_middle() -> None:
    line = "é" * 40_000
    assert read(LineReader(), [frame(1, r) for _, _, r in records([(1, 5, line)])]) == [(1, line)]


def test_a_line_sent_again_when_the_log_is_rotated_is_dropped() -> None:
    a, b, d = (frame(1, time(n) + b" line\n") for n in (1, 2, 3))
    b2 = frame(1, time(2) + b" other\n")
    assert read(LineReader(), [a, b, b2, b, b2, d, a, b, b2, d]) == [
        (1, "line"), (1, "line"), (1, "other"), (1, "line")]


def test_a_clock_set_back_loses_no_line() -> None:
    sent = [frame(1, time(n) + f" line {i}\n".encode()) for i, n in enumerate((5, 6, 1, 2))]
    assert read(LineReader(), sent) == [(1, f"line {i}") for i in range(4)]


def test_a_line_without_end_is_cut() -> None:
    reader = LineReader()
    found = read(reader, [frame(1, time(n) + b" " + b"x" * PIECE) for n in range(MAX_LINE // PIECE)])
    assert found == [(1, "x" * MAX_LINE)]
    assert list(reader.flush()) == []


def test_what_has_no_newline_comes_with_flush() -> None:
    reader = LineReader()
    assert read(reader, [frame(1, time(1) + b" last words"), frame(2, time(2) + b" an error")]) == []
    assert list(reader.flush()) == ["last words", "an error"]
    assert list(reader.flush()) == []


def test_bytes_that_are_no_text_are_shown_as_such() -> None:
    assert read(LineReader(), [frame(1, time(1) + b" a\xff\xfeb\n")]) == [(1, "a\ufffd\ufffdb")]


def test_a_stream_without_frames_is_refused() -> None:
    with pytest.raises(FrameError):
        list(FrameReader().feed(b"plain text of a terminal\r\n"))
