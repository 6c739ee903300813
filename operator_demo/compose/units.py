"""Durations, sizes and file modes as Compose files write them."""

import re

_SECONDS = {"w": 604800.0, "d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6,
            "ns": 1e-9}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(w|d|h|ms|m|s|us|µs|ns)", re.ASCII)
_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([kmgtp]?)(?:i?b)?", re.ASCII | re.IGNORECASE)
_MOST = 2**63 - 1  # the engine counts in 64 bits


def seconds(text: str) -> float:
    """`1m30s`, `500ms`: seconds. Raises ValueError."""
    at, total = 0, 0.0
    for part in _DURATION.finditer(text):
        if part.start() != at:
            break
        at, total = part.end(), total + float(part[1]) * _SECONDS[part[2]]
    if not text or at != len(text) or total * 1e9 > _MOST:
        raise ValueError(f"{text!r} is not a duration such as 10s or 1m30s")
    return total


def size(text: str) -> int:
    """`64m`, `1.5gb`, `1024`: bytes, in powers of 1024. Raises ValueError."""
    parts = _SIZE.fullmatch(text.strip())
    if parts:
        number = float(parts[1]) * 1024 ** " kmgtp".index(parts[2].lower() or " ")
        if number <= _MOST:
            return int(number)
    raise ValueError(f"{text!r} is not a size such as 512m or 2gb")


def size_or_unlimited(text: str) -> int:
    """As `size`, or -1. Raises ValueError."""
    return -1 if text == "-1" else size(text)


def whole(text: str) -> int:
    """A number such as a uid. Raises ValueError."""
    if not re.fullmatch(r"\d{1,15}", text, re.ASCII):
        raise ValueError("a whole number is expected here")
    return int(text)


def file_mode(text: str) -> int:
    """`0440`, `0o440` or the decimal 288: a mode. Raises ValueError."""
    octal = re.fullmatch(r"0o?([0-7]{1,5})|0", text, re.ASCII)
    mode = int(octal[1] or "0", 8) if octal else int(text) if re.fullmatch(r"[1-9]\d{0,4}", text, re.ASCII) else -1
    if not 0 <= mode <= 0o7777:
        raise ValueError(f"{text!r} is not a file's mode such as 0440")
    return mode
