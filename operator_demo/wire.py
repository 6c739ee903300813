"""How events travel: one JSON object on one line of a container's log.

Engines tear longer log lines, so a line is at most `MAX_LINE` bytes; a longer event travels as numbered chunks.
`Decoder` puts them together again, and is where everything that comes in is checked and bounded.
"""

import functools
import json
import re
import zlib
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from operator_demo.events import TYPES, BadEvent, Event, checked
from operator_demo.fields import MAX_INT

SCHEMA_VERSION = 1
MAX_LINE = 12 * 1024  # bytes; Docker tears a log line at 16 KiB
MAX_EVENT = 4 * 1024 * 1024  # characters of JSON of one event; the longest output that is kept is 256 KiB
_CHUNK = 5 * 1024  # characters of JSON a chunk; it is quoted once more, which at worst doubles it
_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{6}Z")
_DATE = re.compile(r"2[01]\d\d-\d\d-\d\d")  # a year that has a successor
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")

_read_json = json.JSONDecoder().raw_decode  # (json.loads looks for white space around it, which costs a third)


def to_json(e: Event) -> str:
    return json.dumps({"v": SCHEMA_VERSION, "run": e.run, "source": e.source, "type": e.type, "data": e.raw,
                       "seq": e.seq, "ts": e.ts, "ticket": e.ticket, "session": e.session},
                      ensure_ascii=True, separators=(",", ":"))


def encode(e: Event) -> Iterator[str]:
    """The lines of one event, without newline, each at most `MAX_LINE` bytes of ASCII."""
    text = to_json(e)
    if len(text) <= MAX_LINE:
        yield text
        return
    parts = [text[i:i + _CHUNK] for i in range(0, len(text), _CHUNK)]
    key = f"{zlib.crc32(text.encode()):08x}"
    for n, part in enumerate(parts):
        yield json.dumps({"v": SCHEMA_VERSION, "chunk": key, "n": n, "of": len(parts), "part": part},
                         ensure_ascii=True, separators=(",", ":"))


def is_ours(line: str) -> bool:
    """Does the line claim to be an event, or a chunk of one?"""
    return line.startswith('{"v":')


class Decoder:
    """Turns the lines of one source back into events; for other lines, and chunks but the last, None comes back.

    Chunks of an event that never completes are dropped when the next one starts: the durable ones are then a gap in
    `seq`, which the reader fills.
    """

    def __init__(self) -> None:
        self._key = ""
        self._parts: list[str] = []

    def feed(self, line: str) -> Event | None:
        """Raises `BadEvent` for a JSON object of ours that does not keep the contract."""
        if not is_ours(line):
            return None
        raw = _parse(line)
        if "chunk" not in raw:
            return from_dict(raw)
        whole = self._join(raw)
        return from_dict(_parse(whole)) if whole is not None else None

    def _join(self, raw: dict[str, Any]) -> str | None:
        key, n, of, part = raw["chunk"], raw.get("n"), raw.get("of"), raw.get("part")
        if not (isinstance(key, str) and isinstance(n, int) and isinstance(of, int) and isinstance(part, str)):
            raise BadEvent("malformed chunk")
        if n == 0:
            self._key, self._parts = key, []
        if key != self._key or n != len(self._parts) or of * _CHUNK > MAX_EVENT or len(part) > _CHUNK:
            self._key, self._parts = "", []
            raise BadEvent(f"chunk {n} of {of} out of order or too long")
        self._parts.append(part)
        if len(self._parts) < of:
            return None
        whole, self._key, self._parts = "".join(self._parts), "", []
        if not is_ours(whole) or f"{zlib.crc32(whole.encode('utf-8', 'replace')):08x}" != key:
            raise BadEvent("chunks do not add up")
        return whole


def _parse(line: str) -> dict[str, Any]:
    try:
        raw, end = _read_json(line)
    except (ValueError, RecursionError) as e:
        raise BadEvent(f"torn line: {e}") from e
    if end != len(line):
        raise BadEvent("something follows the event on its line")
    if "\\u" in line and _SURROGATE.search(line):  # half a character cannot be stored or shown
        try:
            json.dumps(raw, ensure_ascii=False).encode()
        except (UnicodeEncodeError, RecursionError) as e:
            raise BadEvent("its text cannot be encoded") from e
    assert isinstance(raw, dict)
    return raw


def from_dict(raw: dict[str, Any]) -> Event:
    """Raises `BadEvent` where a field is missing, of the wrong type, out of bounds, or of another schema version."""
    get = raw.get
    if get("v") != SCHEMA_VERSION:
        raise BadEvent(f"schema version {get('v')!r}, expected {SCHEMA_VERSION}")
    data, seq, ts = get("data"), get("seq"), get("ts")
    if not isinstance(data, dict):
        raise BadEvent("data must be an object")
    if seq is not None and (type(seq) is not int or not 1 <= seq <= MAX_INT):
        raise BadEvent("seq must be null or a whole number from 1, of at most 64 bits")
    if not (isinstance(ts, str) and _is_date(ts[:10]) and ts[10:11] == "T" and _TIME.fullmatch(ts, 11)):
        raise BadEvent("ts must be a time such as 2026-01-31T12:00:00.000000Z")
    run, source, type_, ticket, session = get("run"), get("source"), get("type"), get("ticket"), get("session")
    try:
        _check_names(run, source, type_, ticket, session)
    except TypeError as e:  # an object or a list, which is never kept
        raise BadEvent("run, source, type, ticket and session must be short names") from e
    event = Event(raw["run"], raw["source"], raw["type"], data, seq, ts, ticket, session)
    return checked(event) if event.type in TYPES else event  # (a newer version's: kept, and understood by nobody here)


@functools.lru_cache(maxsize=16)  # of many events on one day
def _is_date(date: str) -> bool:
    """Not so the 31st of February."""
    try:
        return _DATE.fullmatch(date) is not None and bool(datetime.fromisoformat(date))
    except ValueError:
        return False


@functools.lru_cache(maxsize=256)  # the same few again and again
def _check_names(run: Any, source: Any, type: Any, ticket: Any, session: Any) -> None:
    """Raises `BadEvent`. `ticket` and `session` may be None."""
    for name, value in {"run": run, "source": source, "type": type, "ticket": ticket, "session": session}.items():
        if value is None and name in ("ticket", "session"):
            continue
        if not isinstance(value, str) or not _ID.fullmatch(value):
            raise BadEvent(f"{name} must be a short name such as run-7k3mq2px")
