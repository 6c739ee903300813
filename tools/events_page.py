"""Prints docs/events.md from the catalogue: `python tools/events_page.py > docs/events.md`."""

from operator_demo.events import MAX_LINE, SCHEMA_VERSION, SOURCES, TYPES

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
| `type`, `data` | below; `data` may hold more than the fields named |

A line has at most {MAX_LINE} bytes. A longer event travels as lines `{{"v":1,"chunk":KEY,"n":0,"of":3,"part":"..."}}`:
the parts joined are the event's own line, `KEY` its CRC-32 in hexadecimal.

| type | said by | `data` | meaning |
| --- | --- | --- | --- |
"""


def page() -> str:
    rows = [f"| `{t.name}`{' (ephemeral)' if t.ephemeral else ''} | {', '.join(t.owners)} "
            f"| {', '.join(f'`{f}`' for f in t.fields)} | {t.doc} |\n" for t in TYPES.values()]
    return HEAD + "".join(rows)


if __name__ == "__main__":
    print(page(), end="")
