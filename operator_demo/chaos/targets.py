"""Which members a fault hits: by role, kind or name, or at random; the same seed chooses the same members."""

import random
from collections.abc import Mapping, Sequence

from operator_demo.subject import HasKinds, Subject

ROLES = ("random", "leader", "follower")


def kinds(subject: Subject) -> tuple[str, ...]:
    """The kinds of member that can be a target; () if all members are alike."""
    return tuple(dict.fromkeys(subject.kinds[name] for name in subject.members)) if isinstance(subject, HasKinds) \
        else ()


def check(target: str | Sequence[str], count: int, subject: Subject, kind: str = "") -> None:
    """Raises `ValueError` for a target or a count that can never be met by the members of this subject.

    `kind` is the only kind that the fault works on, "" for any.
    """
    members, by_chance = subject.members, (*ROLES, *kinds(subject))
    named = [target] if isinstance(target, str) else list(target)
    if not named:
        raise ValueError("target is an empty list")
    wrong = [name for name in named if name not in members and not (isinstance(target, str) and name in by_chance)]
    if wrong:
        words = (*by_chance, *members) if isinstance(target, str) else members
        raise ValueError(f"target must be one of {', '.join(words)}, not {wrong[0]!r}")
    if len(set(named)) != len(named):
        raise ValueError("target names a member twice")
    if kind and isinstance(subject, HasKinds):
        other = next((name for name in named if name not in (kind, *ROLES) and subject.kinds.get(name) != kind), None)
        if other:
            raise ValueError(f"target must be of the kind {kind}, not {other!r}")
    if isinstance(target, str) and target in by_chance:
        most = {"leader": 1, "follower": len(members) - 1}.get(target, len(among(_meant(target, kind), subject)))
        if not 1 <= count <= most:
            raise ValueError(f"count must be 1 to {most} for target {target}, not {count}")
    elif count not in (1, len(named)):
        raise ValueError(f"count is {count}, but target names {len(named)}")


def _meant(target: str, kind: str) -> str:
    return kind if kind and target == "random" else target


def among(target: str, subject: Subject) -> list[str]:
    """The members that a role or kind may mean, healthy or not."""
    if not isinstance(subject, HasKinds):
        return list(subject.members)
    if target in kinds(subject):
        return [name for name in subject.members if subject.kinds[name] == target]
    return [name for name in subject.members if subject.kinds[name] not in subject.spared]


def choose(target: str | Sequence[str], count: int, roles: Mapping[str, str], subject: Subject,
           chance: random.Random, kind: str = "") -> list[str]:
    """The members to hit, in the subject's order.

    `roles` maps the healthy ones to `leader` or `follower`; for `kind` see `check`: `random` chooses among that kind.
    Raises `ValueError` if too few fit now.
    """
    check(target, count, subject, kind)
    order = list(subject.members).index
    if not isinstance(target, str):
        return sorted(target, key=order)
    if target in subject.members:
        return [target]
    target = _meant(target, kind)
    fitting = [name for name in among(target, subject) if name in roles and target in (
        roles[name], "random", *kinds(subject))]
    if target == "follower" and isinstance(subject, HasKinds):  # only of a kind that has a leader now
        leading = {subject.kinds[name] for name, role in roles.items() if role == "leader"}
        fitting = [name for name in fitting if subject.kinds[name] in leading]
    if len(fitting) < count:
        what = {"random": "well", "leader": "a leader", "follower": "a follower"}.get(target, f"a {target} and well")
        raise ValueError(f"{len(fitting) or 'no'} member{'' if len(fitting) < 2 else 's'} "
                         f"{'is' if len(fitting) < 2 else 'are'} {what} now; {count} needed")
    return sorted(chance.sample(fitting, count), key=order)
