"""A fault as requested, before its targets are chosen."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from operator_demo.chaos.faults import FAULTS
from operator_demo.chaos.primitive import Parameter


@dataclass(frozen=True)
class FaultSpec:
    """`target` is a member, a list of members, or a role (see `targets`), of which `count` are hit. `again`: the
    same fault is injected a second time, so many seconds after the cluster is healthy again."""

    kind: str
    target: str | list[str] = "random"
    count: int = 1
    parameters: dict[str, float] = field(default_factory=dict)
    again: float | None = None


def parse_parameters(kind: str, raw: Mapping[str, Any]) -> dict[str, float]:
    """All parameters of a kind: those given, within their ranges, and the defaults of the others.

    A value is a number, or text with or without the unit ("300", "300 ms"). Raises `ValueError`, also for
    an unknown kind.
    """
    if kind not in FAULTS:
        raise ValueError(f"there is no fault {kind!r} (known: {', '.join(FAULTS)})")
    known = FAULTS[kind].parameters
    for name in raw:
        if name not in known:
            raise ValueError(f"{kind} has no parameter {name!r} "
                             + (f"(known: {', '.join(known)})" if known else "(it takes none)"))
    return {name: _value(name, parameter, raw[name]) if name in raw else parameter.default
            for name, parameter in known.items()}


def _value(name: str, parameter: Parameter, raw: Any) -> float:
    text = str(raw).strip()
    if isinstance(raw, str) and parameter.unit:
        text = text.removesuffix(parameter.unit).rstrip()
    try:
        value = math.nan if isinstance(raw, bool) else float(text)
    except ValueError:
        value = math.nan
    whole = not parameter.whole or value == round(value) if math.isfinite(value) else False
    if not (math.isfinite(value) and parameter.least <= value <= parameter.most and whole):
        kind = "a whole number from " if parameter.whole else ""
        raise ValueError(f"parameter `{name}` is {kind}{parameter.range}, not {raw}")
    return value
