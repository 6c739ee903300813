"""Which members a fault hits: chosen by role, by name or by chance, the same ones for the same seed."""

import random
from collections.abc import Mapping, Sequence

ROLES = ("random", "leader", "follower")


def check(target: str | Sequence[str], count: int, members: Sequence[str]) -> None:
    """Raises `ValueError` for a target or a count that can never be met by these members."""
    named = [target] if isinstance(target, str) else list(target)
    if not named:
        raise ValueError("target is an empty list")
    wrong = [name for name in named if name not in members and not (isinstance(target, str) and name in ROLES)]
    if wrong:
        words = (*ROLES, *members) if isinstance(target, str) else members
        raise ValueError(f"target must be one of {', '.join(words)}, not {wrong[0]!r}")
    if len(set(named)) != len(named):
        raise ValueError("target names a member twice")
    if isinstance(target, str) and target in ROLES:
        most = {"leader": 1, "follower": len(members) - 1}.get(target, len(members))
        if not 1 <= count <= most:
            raise ValueError(f"count must be 1 to {most} for target {target}, not {count}")
    elif count not in (1, len(named)):
        raise ValueError(f"count is {count}, but target names {len(named)}")


def choose(target: str | Sequence[str], count: int, roles: Mapping[str, str], members: Sequence[str],
           chance: random.Random) -> list[str]:
    """The members to hit, in the subject's order.

    `roles` maps those that are well to `leader` or `follower`. Raises `ValueError` where too few fit now.
    """
    check(target, count, members)
    if not isinstance(target, str):
        return sorted(target, key=list(members).index)
    if target in members:
        return [target]
    fitting = [name for name in members if name in roles and target in ("random", roles[name])]
    if len(fitting) < count:
        what = "well" if target == "random" else f"a {target}"
        raise ValueError(f"{len(fitting) or 'no'} member{'' if len(fitting) < 2 else 's'} "
                         f"{'is' if len(fitting) < 2 else 'are'} {what} now; {count} needed")
    return sorted(chance.sample(fitting, count), key=list(members).index)
