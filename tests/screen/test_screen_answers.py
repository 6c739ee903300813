"""Answers as lines on stdin, for the plain display."""

import io
import os
import time

from operator_demo.screen.display import Lines


def test_lines_are_answers_and_other_words_are_nothing() -> None:
    reader, writer = os.pipe()
    display = Lines(io.StringIO(), {}, answers_from=reader)
    display.start()
    for piece in (b"y\n", b"n", b"o\nwhat\n", b" A \n"):
        os.write(writer, piece)
    os.close(writer)
    end = time.monotonic() + 20
    while display.keys.qsize() < 3 and time.monotonic() < end:
        time.sleep(0.01)
    assert [display.keys.get() for _ in range(display.keys.qsize())] == ["yes", "no", "always"]
