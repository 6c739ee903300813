"""The inbox of the loop: items in order, and no wait without an end."""

import os
import signal
import threading
import time
from queue import Empty

import pytest

from operator_demo.stage.inbox import Inbox


def test_items_of_many_threads_come_once_and_each_threads_in_order() -> None:
    inbox = Inbox()
    threads = [threading.Thread(target=lambda n=n: [inbox.put((n, k)) for k in range(2000)]) for n in range(4)]
    for thread in threads:
        thread.start()
    got = [inbox.get(5.0) for _ in range(8000)]
    assert [[k for n, k in got if n == number] for number in range(4)] == [list(range(2000))] * 4
    with pytest.raises(Empty):
        inbox.get(0.0)


def test_a_reader_that_waits_gets_what_comes() -> None:
    inbox = Inbox()
    threading.Timer(0.1, inbox.put, ["late"]).start()
    assert inbox.get(30.0) == "late"


def test_a_signal_whose_handler_takes_longer_than_the_wait_does_not_prolong_it() -> None:
    inbox = Inbox()
    before = signal.signal(signal.SIGUSR1, lambda *_: time.sleep(0.3))
    threading.Timer(0.05, os.kill, [os.getpid(), signal.SIGUSR1]).start()
    rescue = threading.Timer(10.0, inbox.put, ["rescue"])
    rescue.start()
    try:
        with pytest.raises(Empty):
            inbox.get(0.2)
    finally:
        rescue.cancel()
        signal.signal(signal.SIGUSR1, before)
