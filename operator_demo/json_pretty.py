"""JSON for people: where a text, or a line of it, is JSON, it is laid out; the rest stays as it is."""

import json

_SHORT = 80  # characters of a line that one reads as it is


def pretty(text: str) -> str:
    """`text`, with the JSON in it on an indent of two."""
    whole = _laid_out(text)
    if whole is not None:
        return whole
    return "\n".join(line if len(line) <= _SHORT else _laid_out(line) or line for line in text.split("\n"))


def _laid_out(text: str) -> str | None:
    """None for what is no JSON object or array."""
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return None
