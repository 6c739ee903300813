"""Durations and sizes as Compose files write them."""

import re

_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s|us|µs|ns)", re.ASCII)
_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([kmgt]?)(?:i?b)?", re.ASCII | re.IGNORECASE)


def seconds(text: str) -> float:
    """`1m30s`, `500ms`: seconds. Raises ValueError."""
    at, total = 0, 0.0
    for found in _DURATION.finditer(text):
        if found.start() != at:
            break
        at, total = found.end(), total + float(found[1]) * _SECONDS[found[2]]
    if not text or at != len(text):
        raise ValueError(f"{text!r} is not a duration such as 10s or 1m30s")
    return total


def size(text: str) -> int:
    """`64m`, `1.5gb`, `1024`: bytes, in powers of 1024. Raises ValueError."""
    found = _SIZE.fullmatch(text.strip())
    if not found:
        raise ValueError(f"{text!r} is not a size such as 512m or 2gb")
    return int(float(found[1]) * 1024 ** " kmgt".index(found[2].lower() or " "))
