"""What the query of a request may say: each endpoint lists its keys, each with a check of its value."""

import json
import re
from collections.abc import Callable, Mapping

from operator_demo.guard.refused import UNKNOWN_KEY, WRONG_VALUE, Refused

Check = Callable[[str], bool]


def _matches(pattern: str) -> Check:
    compiled = re.compile(pattern)
    return lambda value: compiled.fullmatch(value) is not None


flag = _matches(r"0|1|[tT]rue|[fF]alse|")
number = _matches(r"-?\d{1,10}|")
moment = _matches(r"\d{0,12}(\.\d{1,9})?|\d{4}-\d\d-\d\dT[\d:.]{1,20}(Z|[+-]\d\d:\d\d)")
tail = _matches(r"all|-?\d{1,10}|")
signal = _matches(r"[A-Za-z0-9+]{0,16}")
condition = _matches(r"not-running|next-exit|removed|")
scope = _matches(r"local|swarm|global|")
keys = _matches(r"[A-Za-z0-9,@\[\]\\^_-]{0,64}")
# ps runs on the engine's machine: letters, and after an `o` the names of columns.
ps_arguments = _matches(r"(-?[A-Za-z]{1,8}|-?[A-Za-z]{0,7}o [a-z%,]{1,120})?")
path = _matches(r"[^\0]{1,4096}")
name = _matches(r"/?[a-zA-Z0-9][a-zA-Z0-9_.-]{0,200}")
json_text = _matches(r"(?s).{0,8192}")


def checked(query: Mapping[str, str], allowed: Mapping[str, Check]) -> dict[str, str]:
    for key, value in query.items():
        if key not in allowed:
            raise Refused(UNKNOWN_KEY, f"The guard does not know the parameter {key[:100]!r} here. Leave it out.")
        if not allowed[key](value):
            raise Refused(WRONG_VALUE, f"{value[:100]!r} is not allowed as {key}.")
    return dict(query)


def is_set(query: Mapping[str, str], key: str) -> bool:
    return query.get(key, "").lower() in ("1", "true")


def filters(text: str) -> dict[str, list[str]]:
    """The filters of a list or of the events, which clients write as {name: [value]} or {name: {value: true}}."""
    try:
        given = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise Refused(WRONG_VALUE, "The filters are no JSON object.")
    return {key: _values(key, values) for key, values in given.items()}


def filters_text(given: Mapping[str, list[str]]) -> str:
    return json.dumps(given, separators=(",", ":"))


def _values(key: str, values: object) -> list[str]:
    if isinstance(values, dict) and all(v is True for v in values.values()):
        return [str(v) for v in values]
    if isinstance(values, list) and all(isinstance(v, str) for v in values):
        return list(values)
    raise Refused(WRONG_VALUE, f"The filter {key[:100]!r} must list texts.")
