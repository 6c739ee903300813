"""A run that another program started ends with that program, however it ends.

The parent holds one end of a pipe for as long as it lives, and the run has the other as its standard input: the kernel
closes the pipe even for a parent that was killed.
"""

import os
import signal
import threading

OPTION = "--end-with-input"  # of `operator-demo run`


def end_with_input() -> None:
    """Sends this process a SIGTERM as soon as its standard input ends."""
    threading.Thread(target=_wait, name="standard input", daemon=True).start()


def _wait() -> None:
    try:
        while os.read(0, 1024):
            pass
    except OSError:
        pass  # closed from the beginning: nobody holds the other end
    os.kill(os.getpid(), signal.SIGTERM)
