"""Scenarios are data: which fault hits which member, and what a good end is."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import yaml

from operator_demo.chaos.faults import FAULTS
from operator_demo.errors import UsageError

ROLES = ("random", "leader", "follower")
BY_HAND = "by-hand"  # nothing is injected: somebody breaks it
OUTCOMES = ("repaired", "escalated")
DEFAULT = "member-kill"


@dataclass(frozen=True)
class Scenario:
    """`detect` and `repair` are limits in seconds; `invariants` must be among the ticket's violations; `allow` is
    what a repair may change in the subject's fingerprint."""

    name: str
    title: str
    fault: str
    target: str
    cause: str
    invariants: tuple[str, ...]
    outcome: str = "repaired"
    allow: tuple[str, ...] = ()
    detect: float = 60.0
    repair: float = 300.0
    story: Mapping[str, str] = field(default_factory=dict)  # chapter -> narration

    def choose(self, roles: Mapping[str, str], chance: random.Random) -> str:
        """The member to hit. `roles` maps members to `leader` or `follower`; the same seed chooses the same one."""
        if self.target in roles:
            return self.target
        fitting = sorted(name for name, role in roles.items() if self.target in ("random", role))
        if not fitting:
            raise UsageError(f"Scenario {self.name}: no member is a {self.target} now.", "Wait for an election to end.")
        return chance.choice(fitting)


def names(folder: Traversable) -> list[str]:
    return sorted(f.name.removesuffix(".yaml") for f in folder.joinpath("scenarios").iterdir()
                  if f.name.endswith(".yaml"))


def load(folder: Traversable, name: str, members: tuple[str, ...]) -> Scenario:
    """A scenario of the subject by its name, or a file of the user's by its path. Raises `UsageError`."""
    if name.endswith((".yaml", ".yml")):
        path = Path(name)
        if not path.is_file():
            raise UsageError(f"There is no scenario file {name}.")
        return parse(path.stem, path.read_text(encoding="utf-8", errors="replace"), members, where=name)
    if name not in names(folder):
        raise UsageError(f"There is no scenario {name!r}.", f"Known scenarios: {', '.join(names(folder))}.")
    entry = folder.joinpath("scenarios", f"{name}.yaml")
    return parse(name, entry.read_text(encoding="utf-8"), members, where=f"{name}.yaml")


def parse(name: str, text: str, members: tuple[str, ...], where: str) -> Scenario:
    try:
        raw = yaml.load(text, yaml.SafeLoader)
    except yaml.YAMLError as e:
        raise UsageError(f"{where} is not valid YAML: {e}") from e
    if not isinstance(raw, dict):
        raise UsageError(f"{where} must be a mapping with title, fault, cause and invariants.")
    _known(where, raw, {"title", "fault", "cause", "invariants", "outcome", "allow", "limits", "story"})
    fault, limits = _mapping(where, raw, "fault"), _mapping(where, raw, "limits")
    _known(f"{where}: fault", fault, {"kind", "target"})
    _known(f"{where}: limits", limits, {"detect", "repair"})
    target = _text(where, fault, "target", "random")
    if target not in (*ROLES, *members):
        raise UsageError(f"{where}: target must be one of {', '.join((*ROLES, *members))}, not {target!r}.")
    return Scenario(
        name=name,
        title=_text(where, raw, "title"),
        fault=_one_of(where, "fault.kind", _text(where, fault, "kind"), (*FAULTS, BY_HAND)),
        target=target,
        cause=_text(where, raw, "cause"),
        invariants=_texts(where, raw, "invariants"),
        outcome=_one_of(where, "outcome", _text(where, raw, "outcome", "repaired"), OUTCOMES),
        allow=_texts(where, raw, "allow"),
        detect=_seconds(where, limits, "detect", 60.0),
        repair=_seconds(where, limits, "repair", 300.0),
        story={str(k): str(v).strip() for k, v in _mapping(where, raw, "story").items()},
    )


def _known(where: str, raw: Mapping[Any, Any], keys: set[str]) -> None:
    for key in raw:
        if key not in keys:
            raise UsageError(f"{where}: unknown key {key!r}.", f"Known keys: {', '.join(sorted(keys))}.")


def _mapping(where: str, raw: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = raw.get(key) or {}
    if not isinstance(value, dict):
        raise UsageError(f"{where}: {key} must be a mapping.")
    return value


def _text(where: str, raw: Mapping[str, Any], key: str, default: str | None = None) -> str:
    value = raw.get(key, default)
    if not isinstance(value, str) or not value:
        raise UsageError(f"{where}: {key} must be text.")
    return value


def _texts(where: str, raw: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = raw.get(key) or []
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise UsageError(f"{where}: {key} must be a list of texts.")
    return tuple(value)


def _one_of(where: str, key: str, value: str, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise UsageError(f"{where}: {key} must be one of {', '.join(choices)}, not {value!r}.")
    return value


def _seconds(where: str, raw: Mapping[str, Any], key: str, default: float) -> float:
    value = raw.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 86400:
        raise UsageError(f"{where}: limits.{key} must be a number of seconds.")
    return float(value)
