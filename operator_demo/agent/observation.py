"""What one look at the system tells a model: what is not as it should be, and what changed since the last look.

Every answer stays in the conversation and is paid for again with each later request, so a member that is well and as
before is only named. The record has each look in full.
"""

from typing import Any

Look = dict[str, Any]

SAME = "as_before"
"""Names the members that are well and as in the last look but for their measures."""


def shortened(now: Look, before: Look | None) -> Look:
    """`now` and `before` are answers of the monitor; without a look before, all members are told."""
    known = before["members"] if before else {}
    suspects = {violation.get("member") for violation in now["violations"]}
    same = [name for name, member in now["members"].items()
            if name in known and name not in suspects and _is_well(member) and _state(member) == _state(known[name])]
    members = {name: _told(member) for name, member in now["members"].items() if name not in same}
    rest = {key: value for key, value in now.items() if key not in ("ts", "duration", "members") and value}
    return {"members": members, **({SAME: same} if same else {}), **rounded(rest), "violations": now["violations"]}


def _is_well(member: Look) -> bool:
    return bool(member.get("reachable") and member.get("healthy"))


def _state(member: Look) -> Look:
    """All but the measures, which differ from look to look."""
    return {key: value for key, value in member.items()
            if isinstance(value, bool) or not isinstance(value, int | float)}


def _told(member: Look) -> Look:
    """Without what is empty: a member without an error has none to tell."""
    return {key: rounded(value) for key, value in member.items() if value not in (None, "", [], {})}


def rounded(value: Any) -> Any:
    """Three digits of a measure are enough to judge it by."""
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [rounded(inner) for inner in value]
    return float(f"{value:.3g}") if isinstance(value, float) else value
