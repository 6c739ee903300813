"""Values out of an event's `data`, whatever is in there.

The contract says which fields an event has; what they hold was said by other programs. A value of another kind than
expected becomes an empty one, so that no event can break the screen.
"""

import json
import math
from datetime import datetime
from typing import Any

from operator_demo.text import clean

_LONGEST = 64 * 1024  # characters; more than any screen shows


def text(value: Any) -> str:
    """Harmless text; what is no text is shown as JSON."""
    if value is None:
        return ""
    if not isinstance(value, str):
        value = json.dumps(value, ensure_ascii=False, default=str)
    return clean(value[:_LONGEST])


def label(value: Any) -> str:
    """Text of one line."""
    return " ".join(text(value).split())


def fields(value: Any) -> str:
    """An object in a line: `kind kill; targets etcd1, etcd2`."""
    if not isinstance(value, dict):
        return label(value)
    parts = [(k, ", ".join(map(label, v)) if isinstance(v, list) else label(v)) for k, v in value.items()]
    return "; ".join(f"{label(k)} {v}" for k, v in parts)


def number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        as_float = float(value)
    except OverflowError:
        return None
    return as_float if math.isfinite(as_float) else None


def count(value: Any) -> int:
    return int(number(value) or 0)


def mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def sequence(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []


def total(value: Any) -> int:
    """The sum of counts by kind, or a plain count."""
    return sum(count(v) for v in value.values()) if isinstance(value, dict) else count(value)


def seconds_of(ts: str) -> float | None:
    """Seconds since the epoch of a time stamp, None if it is none."""
    try:
        return datetime.fromisoformat(ts).timestamp()
    except (ValueError, OverflowError, OSError):
        return None
