"""The one form of a run outside the store: an `.opdemo` file, gzip of JSON lines.

The first line is the header:
    {"format":"operator-demo record","version":1,"run":"run-...","unchained":0,"entries":412,"head":"<hex>"}
Each other line is an entry, in the order of the chain; `position` and `hash` are null in the first `unchained` ones:
    {"position":1,"hash":"<hex>","event":{...}}
`event` is the canonical JSON that the chain hashes. The same record is always the same bytes.
"""

import gzip
import io
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from operator_demo import wire
from operator_demo.chain import Chain, Entry
from operator_demo.errors import UsageError
from operator_demo.events import TYPES, BadEvent
from operator_demo.home import file_errors
from operator_demo.json_text import to_json
from operator_demo.text import clean, one_line

SUFFIX = ".opdemo"
FORMAT, VERSION = "operator-demo record", 1
MAX_FILE = 64 * 1024 * 1024  # bytes, compressed
MAX_CONTENT = 256 * 1024 * 1024  # bytes, uncompressed


def pack(chain: Chain, entries: list[Entry]) -> bytes:
    """The content of the file."""
    packed = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=packed, mtime=0) as file:
        file.writelines(line + b"\n" for line in _lines(chain, entries))
    return packed.getvalue()


def read(path: Path) -> tuple[Chain, list[Entry]]:
    """What a file claims; whether the chain holds is `operator_demo.verify`'s to say.

    Raises `UsageError` for what is no such file, is torn, too large, or holds what no store holds.
    """
    header, *lines = _unpack(path).split(b"\n")
    if not lines or lines.pop() != b"":
        raise _no_record(path, "its last line is torn")
    try:
        chain = _chain(header)
        return chain, [_entry(chain, line, n) for n, line in enumerate(lines, start=2)]
    except (BadEvent, RecursionError) as e:
        raise _no_record(path, str(e)) from e


def _lines(chain: Chain, entries: list[Entry]) -> Iterator[bytes]:
    yield _header(chain)
    for entry in entries:
        yield _line(entry)


def _header(chain: Chain) -> bytes:
    return to_json({"format": FORMAT, "version": VERSION, "run": chain.run, "unchained": chain.unchained,
                    "entries": chain.entries, "head": chain.head.hex()}).encode()


def _line(entry: Entry) -> bytes:
    position, hash = to_json(entry.position), to_json(entry.hash.hex() if entry.hash else None)
    return f'{{"position":{position},"hash":{hash},"event":'.encode() + entry.canonical() + b"}"


def _unpack(path: Path) -> bytes:
    with file_errors(path):
        if path.stat().st_size > MAX_FILE:
            raise _no_record(path, f"it is larger than {MAX_FILE} bytes")
        try:
            with gzip.open(path) as file:
                content = file.read(MAX_CONTENT + 1)
        except (gzip.BadGzipFile, EOFError, zlib.error) as e:
            raise _no_record(path, str(e)) from e
    if len(content) > MAX_CONTENT:
        raise _no_record(path, f"it holds more than {MAX_CONTENT} bytes")
    return content


def _chain(line: bytes) -> Chain:
    header = _object(line, 1)
    if header.get("format") != FORMAT:
        raise BadEvent("its first line is no header of one")
    if header.get("version") != VERSION:
        raise BadEvent(f"it has version {header.get('version')!r}, and this program reads {VERSION}")
    run, unchained, entries = header.get("run"), header.get("unchained"), header.get("entries")
    if not (isinstance(run, str) and type(unchained) is int and type(entries) is int):
        raise BadEvent("its header lacks the run or the number of entries")
    chain = Chain(run, unchained, entries, _hash(header.get("head"), 1))
    if _header(chain) != line:
        raise BadEvent("its header is not in the canonical form")
    return chain


def _entry(chain: Chain, line: bytes, number: int) -> Entry:
    raw = _object(line, number)
    position, hash, event = raw.get("position"), raw.get("hash"), raw.get("event")
    if not isinstance(event, dict):
        raise BadEvent(f"line {number} holds no event")
    decoded = wire.from_dict({**event, "v": wire.SCHEMA_VERSION})
    if decoded.run != chain.run:
        raise BadEvent(f"line {number} holds an event of another run")
    if decoded.seq is None or (decoded.type in TYPES and TYPES[decoded.type].ephemeral):
        raise BadEvent(f"line {number} holds an event that is never kept")
    if position is not None and type(position) is not int:
        raise BadEvent(f"line {number} has a position that is no number")
    entry = Entry(decoded, to_json(decoded.raw), position, None if hash is None else _hash(hash, number))
    if _line(entry) != line:
        raise BadEvent(f"line {number} is not in the canonical form")
    return entry


def _object(line: bytes, number: int) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except ValueError as e:
        raise BadEvent(f"line {number} is not JSON") from e
    if not isinstance(value, dict):
        raise BadEvent(f"line {number} is no JSON object")
    return value


def _hash(text: Any, number: int) -> bytes:
    try:
        hash = bytes.fromhex(text)
    except (TypeError, ValueError) as e:
        raise BadEvent(f"line {number} has a hash that is none") from e
    if len(hash) != 32:
        raise BadEvent(f"line {number} has a hash that is none")
    return hash


def _no_record(path: Path, why: str) -> UsageError:
    return UsageError(f"{path} is no record of operator-demo that can be read: {one_line(clean(why), 200)}.",
                      "`operator-demo audit export RUN` writes one.")
