"""Output waits for a slow reader, and for none that stalls when the process shall end."""

import os
import threading
import time

import pytest

from operator_demo.outlet import Outlet, through

LINES = [f"{n} {'x' * 1000}" for n in range(500)]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    event = threading.Event()
    monkeypatch.setattr(Outlet, "asked_to_end", staticmethod(event.is_set))
    return event


def write_all(descriptor: int) -> None:
    stream = through(Outlet(descriptor), None)
    for line in LINES:
        stream.write(line + "\n")
        stream.flush()
    os.close(descriptor)


@pytest.mark.parametrize("at_the_end", [False, True])
def test_a_slow_reader_gets_all(asked: threading.Event, at_the_end: bool) -> None:
    reading, writing = os.pipe()
    if at_the_end:
        asked.set()
    writer = threading.Thread(target=write_all, args=(writing,), daemon=True)
    writer.start()
    time.sleep(0.2 if at_the_end else 1.0)
    received = b""
    while piece := os.read(reading, 16384):
        received += piece
        time.sleep(0.01)
    assert received.decode().splitlines() == LINES
    os.close(reading)


def test_a_reader_that_stalls_is_waited_for_until_the_end_is_asked_for(asked: threading.Event) -> None:
    reading, writing = os.pipe()
    writer = threading.Thread(target=write_all, args=(writing,), daemon=True)
    writer.start()
    writer.join(1.5)
    assert writer.is_alive()
    asked.set()
    writer.join(10)
    assert not writer.is_alive()
    os.close(reading)


def test_a_terminal_that_stalls(asked: threading.Event) -> None:
    asked.set()
    leader, follower = os.openpty()
    writer = threading.Thread(target=write_all, args=(follower,), daemon=True)
    writer.start()
    writer.join(10)
    assert not writer.is_alive()
    os.close(leader)


def test_a_reader_that_is_gone_is_no_failure() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    outlet = Outlet(writing)
    stream = through(outlet, None)
    stream.write("x")
    stream.flush()
    assert outlet.failure == ""


def test_a_full_disk_is_kept() -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    outlet = Outlet(full)
    stream = through(outlet, None)
    stream.write("x")
    stream.flush()
    assert outlet.failure == "No space left on device"
