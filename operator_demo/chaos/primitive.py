"""What a fault primitive is: one way of breaking a subject, proved from outside and undone from what was read before.

The order is always: `problem` (can this be done here?) and `before` (what is there now), both read only; then, with
`before` on the disk of this machine, `inject`; `prove` until the verdict; `revert`, which may come from another process
after a crash, and more than once.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from operator_demo.engine import Container, Engine, inspect, members
from operator_demo.errors import OperatorError
from operator_demo.subject import Subject

Values = Mapping[str, float]
"""Parameters of one injection, complete and within their ranges."""

Before = dict[str, Any]
"""What was read before, as JSON."""


class FaultError(OperatorError):
    """The fault cannot be brought about here, or the engine does not show it."""


@dataclass(frozen=True)
class Parameter:
    """A number that a primitive takes: from `least` to `most`, in `unit`. `whole`: without a fraction."""

    what: str
    unit: str
    least: float
    most: float
    default: float
    whole: bool = False

    @property
    def range(self) -> str:
        """For people: `1 to 100 %`."""
        return f"{plain(self.least)} to {plain(self.most)} {self.unit}".rstrip()


def plain(value: float) -> str:
    """A number as people write it, never as 1e+06."""
    return f"{value:.0f}" if value == round(value) else f"{value:g}"


@dataclass(frozen=True)
class Proof:
    """Does the fault bite now, and what was seen (for people)?"""

    bites: bool
    saw: str


@dataclass
class Ground:
    """Where a fault happens. `image` is that of our helpers ("" where none is known); `ask` puts a question to our own
    containers (the operation and its arguments), None where they do not run; `keep` writes `before` to the disk once
    more, for what can only be read while a fault is under way."""

    engine: Engine
    project: str
    network: str
    subject: Subject
    image: str = ""
    ask: Callable[..., Mapping[str, Any]] | None = None
    keep: Callable[[], None] = field(default=lambda: None)

    def containers(self) -> dict[str, Container]:
        """The subject's members that have a container, by name."""
        found = {c.service: c for c in members(self.engine, self.project)}
        return {name: found[name] for name in self.subject.members if name in found}

    def member(self, name: str) -> Container:
        """Raises `FaultError` where the member has no container."""
        found = self.containers().get(name)
        if found is None:
            raise FaultError(f"{name} of project {self.project} has no container on the engine.",
                             "`operator-demo status` shows what is there.")
        return found

    def inspect(self, name: str) -> dict[str, Any]:
        """The engine's full description of a member's container."""
        return inspect(self.engine, self.member(name).id)


class Primitive(ABC):
    """One kind of fault. `targets` are names of members, [] where `targeted` is False.

    `lives_in` says what must go for the fault to go with it: `container`, `volume`, or `engine` (something of its own,
    which `revert` alone removes). A fault that is not `lasting` is over as soon as it has happened. `in_steps`: on the
    way to it the subject is broken in another way, which nobody shall see or repair.
    """

    kind: str
    what: str  # one sentence without a full stop
    proof: str  # how it is proved, for `chaos list` and the docs
    parameters: ClassVar[Mapping[str, Parameter]] = {}
    targeted: bool = True
    lasting: bool = True
    in_steps: bool = False
    lives_in: str = "container"
    every: float = 1.0  # seconds between two proofs until the verdict
    settle: float = 5.0  # seconds that it may take to bite

    def aims_at(self, subject: Subject) -> str:
        """The one kind of member (see `HasKinds`) that it can be done to, and so what chance chooses among; "" where
        it can be any."""
        return ""

    def problem(self, ground: Ground, targets: Sequence[str]) -> str | None:
        """Why it cannot be done here (engine, kernel, subject, or the state of the targets); None: it can. Without
        targets only what does not depend on them is looked at."""
        return None

    @abstractmethod
    def before(self, ground: Ground, targets: Sequence[str], values: Values) -> Before:
        """What will be put back. Changes nothing."""

    @abstractmethod
    def inject(self, ground: Ground, targets: Sequence[str], values: Values, before: Before) -> None: ...

    @abstractmethod
    def prove(self, ground: Ground, targets: Sequence[str], values: Values, before: Before) -> Proof:
        """Measures whether the fault bites."""

    def holds(self, ground: Ground, targets: Sequence[str], values: Values, before: Before) -> Proof:
        """As `prove`, for every few seconds until the verdict: must disturb nothing."""
        return self.prove(ground, targets, values, before)

    @abstractmethod
    def revert(self, ground: Ground, targets: Sequence[str], values: Values, before: Before) -> None:
        """Puts back what `before` holds where the fault is still there, and leaves alone what somebody has repaired
        meanwhile. Harmless when done again, or when the containers are gone."""
