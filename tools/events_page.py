"""Prints docs/events.md from the catalogue: `python tools/events_page.py > docs/events.md`."""

from dataclasses import MISSING, fields

from operator_demo.events import SOURCES, TYPES, Payload
from operator_demo.wire import MAX_LINE, SCHEMA_VERSION

HEAD = f"""# Events

Everything that happens in a run is an event: one JSON object on one line. The screen, the audit and the verdict are
folds over the same events. This page is made from the catalogue in `operator_demo/events.py`.

| field | content |
| --- | --- |
| `v` | schema version, {SCHEMA_VERSION} |
| `run`, `ticket`, `session` | ids such as `run-7k3mq2px`; the last two may be null |
| `source` | who says it: {", ".join(f"`{s}`" for s in SOURCES)} |
| `seq` | rises by one per (run, source); null where the event is ephemeral (live text, not kept) |
| `ts` | UTC, ISO-8601 with microseconds |
| `type`, `data` | below; a field marked `?` may be missing, and `data` may hold more than the fields named |

A line has at most {MAX_LINE} bytes. A longer event travels as lines `{{"v":1,"chunk":KEY,"n":0,"of":3,"part":"..."}}`:
the parts joined are the event's own line, `KEY` its CRC-32 in hexadecimal.

| type | said by | `data` | meaning |
| --- | --- | --- | --- |
"""


def page() -> str:
    return HEAD + "".join(map(row, TYPES.values()))


def row(kind: type[Payload]) -> str:
    """A line of the table; a field with `?` may be missing."""
    names = []
    for f in fields(kind):
        optional = f.default is not MISSING or f.default_factory is not MISSING
        names.append(f"`{f.name}`" + ("?" if optional else ""))
    doc = " ".join((kind.__doc__ or "").split())
    name = f"`{kind.type}`" + (" (ephemeral)" if kind.ephemeral else "")
    return f"| {name} | {', '.join(kind.owners)} | {', '.join(names)} | {doc} |\n"


if __name__ == "__main__":
    print(page(), end="")
