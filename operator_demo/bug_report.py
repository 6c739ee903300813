"""One text file with what a maintainer asks for first, without secrets: `operator-demo doctor --report`."""

import os
import platform
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from operator_demo.engine.contexts import config_file, current
from operator_demo.errors import OperatorError, UsageError
from operator_demo.home import NAME_OF_LOG, home, store_path
from operator_demo.own_variables import api_key, own_environment
from operator_demo.redaction import redact, secrets_of
from operator_demo.store import Store
from operator_demo.text import clean
from operator_demo.version import describe

_LOG = 64 * 1024  # bytes of the log's end
_TABLES = ("events", "runs", "tickets", "agent_sessions")
_PREFIXES = ("OPERATOR_", "DOCKER_", "COMPOSE_", "LC_")
_NAMES = ("LANG", "TERM", "COLORTERM", "NO_COLOR", "SHIV_ROOT", "XDG_RUNTIME_DIR", "HTTP_PROXY", "HTTPS_PROXY",
          "NO_PROXY", "ANTHROPIC_BASE_URL")


def write(file: Path, checks: Iterable[str]) -> None:
    """Replaces `file`, which this user alone may read; `checks` are the lines that `doctor` printed. Raises
    `UsageError` where it cannot be written."""
    text = redact(clean("\n".join(_lines(checks))), secrets_of(own_environment())) + "\n"
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "w", encoding="utf-8", errors="backslashreplace") as out:
            out.write(text)
    except OSError as e:
        raise UsageError(f"The report {file} cannot be written: {e.strerror}.", "Name another file.") from e


def _lines(checks: Iterable[str]) -> Iterator[str]:
    yield f"{describe()}, Python {platform.python_version()}, {platform.platform()}"
    yield f"written {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    for title, lines in (("doctor", checks), ("configuration", _configuration()), ("store", _store()),
                         ("log", _log())):
        yield f"\n== {title}"
        yield from lines


def _configuration() -> Iterator[str]:
    for name in sorted(os.environ):
        if name.startswith(_PREFIXES) or name in _NAMES:
            yield f"{name}={os.environ[name]}"
    yield "ANTHROPIC_API_KEY is " + ("set" if api_key() else "not set")
    yield f"{config_file()} is " + ("there" if os.path.exists(config_file()) else "not there")
    try:
        context = current()
        yield f"Docker context: {context.source} at {context.url}" if context else "Docker context: the default one"
    except OperatorError as e:
        yield e.message


def _store() -> Iterator[str]:
    try:
        path = store_path()
        yield str(path)
        with Store(path, read_only=True) as store:
            yield f"{path.stat().st_size} bytes, schema {store.rows('PRAGMA user_version')[0]['user_version']}"
            for table in _TABLES:
                yield f"{table}: {store.rows(f'SELECT count(*) AS many FROM {table}')[0]['many']}"
            for row in store.rows("SELECT run, subject, mode, brain, version, started, finished, outcome, exit_status "
                                  "FROM runs ORDER BY started DESC LIMIT 5"):
                yield ", ".join(f"{name} {value}" for name, value in row.items())
    except OperatorError as e:
        yield e.message


def _log() -> Iterator[str]:
    try:
        path = home() / NAME_OF_LOG
        yield str(path)
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _LOG))
            text = file.read().decode("utf-8", "replace")
        lines = text.splitlines()
        yield from lines if size <= _LOG else lines[1:]  # the first may lack its beginning
    except OperatorError as e:
        yield e.message
    except OSError as e:
        yield f"{e.strerror}; `operator-demo -v COMMAND` writes one"
