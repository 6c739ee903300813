"""What the program does, line by line, in a file beside the store: `operator-demo -v`, or OPERATOR_LOG=debug.

Nothing imports this module while it is off. It holds the engine's calls (never what is sent or received), retries, the
starts and ends of threads and the errors, without what looks like a secret.
"""

import logging
import logging.handlers
import platform
import sys
import threading
import time
from typing import IO

from operator_demo.home import NAME_OF_LOG, file_errors, home, make_private_folder, private_opener
from operator_demo.own_variables import own_environment
from operator_demo.redaction import redact, secrets_of
from operator_demo.text import clean
from operator_demo.version import describe

_BYTES = 4_000_000  # after which the file becomes debug.log.1, and the one before it goes
_FORMAT = "%(asctime)s.%(msecs)03dZ %(process)d %(threadName)s: %(message)s"
_log = logging.getLogger("operator_demo")


def start() -> None:
    """Switches the log on for this process. Raises `OperatorError` where it cannot be written."""
    file = home() / NAME_OF_LOG
    with file_errors(file):
        make_private_folder(file.parent)
        handler = _PrivateFile(file, maxBytes=_BYTES, backupCount=1, encoding="utf-8", errors="backslashreplace")
    handler.setFormatter(_Harmless(_FORMAT, "%Y-%m-%dT%H:%M:%S"))
    logging.raiseExceptions = False  # a full disk must not spoil the screen
    _log.setLevel(logging.DEBUG)
    _log.propagate = False
    _log.addHandler(handler)
    _log.debug("%s; Python %s; %s; %s", describe(), platform.python_version(), platform.platform(), sys.argv)
    _follow_threads()


def error(raised: BaseException) -> None:
    """An error that the user is told of, with where it came from."""
    _log.debug("the command ends with an error", exc_info=raised)


class _PrivateFile(logging.handlers.RotatingFileHandler):
    def _open(self) -> IO[str]:  # type: ignore[override]
        return open(self.baseFilename, self.mode, encoding=self.encoding, errors=self.errors, opener=private_opener)


class _Harmless(logging.Formatter):
    converter = staticmethod(time.gmtime)

    def format(self, record: logging.LogRecord) -> str:
        return redact(clean(super().format(record)), secrets_of(own_environment()))


def _follow_threads() -> None:
    run = threading.Thread.run

    def logged(thread: threading.Thread) -> None:
        began = time.monotonic()
        _log.debug("thread starts")
        try:
            run(thread)
        except BaseException:
            _log.exception("thread fails")
            raise
        finally:
            _log.debug("thread ends after %.3f s", time.monotonic() - began)

    threading.Thread.run = logged  # type: ignore[method-assign, assignment]
