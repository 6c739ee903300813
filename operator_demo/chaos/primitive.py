"""What a fault primitive is: one way to break a subject, proved from outside and reverted to the state read before.

The order is always: `problem` (is it possible here?) and `before` (the present state), which only read; then, with
`before` in the journal, `inject`; `prove` until the verdict; `revert`, possibly by another process after a crash, and
more than once.
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
"""The state before the injection, as JSON."""


class FaultError(OperatorError):
    """The fault is not possible here, or does not show."""


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
    """A number as people write it, not as 1e+06."""
    return f"{value:.0f}" if value == round(value) else f"{value:g}"


@dataclass(frozen=True)
class Proof:
    """Is the fault in effect now, and what was seen (for people)?"""

    bites: bool
    saw: str


@dataclass
class Ground:
    """Where a fault happens. `image` is that of the helpers ("" if unknown); `ask` sends a request to our containers
    (the operation and its arguments), None if they do not run; `keep` writes `before` to the journal again, for what
    can only be read during the injection."""

    engine: Engine
    project: str
    network: str
    subject: Subject
    image: str = ""
    ask: Callable[..., Mapping[str, Any]] | None = None
    keep: Callable[[], None] = field(default=lambda: None)

    def containers(self) -> dict[str, Container]:
        """The subject's members that have a container, by name."""
        containers = {c.service: c for c in members(self.engine, self.project)}
        return {name: containers[name] for name in self.subject.members if name in containers}

    def member(self, name: str) -> Container:
        """Raises `FaultError` where the member has no container."""
        container = self.containers().get(name)
        if container is None:
            raise FaultError(f"{name} of project {self.project} has no container on the engine.",
                             "`operator-demo status` shows what is there.")
        return container

    def inspect(self, name: str) -> dict[str, Any]:
        """The engine's full description of a member's container."""
        return inspect(self.engine, self.member(name).id)


class Primitive(ABC):
    """One kind of fault. `targets` are names of members, [] where `targeted` is False.

    `lives_in` says whose removal ends the fault: `container`, `volume`, or `engine` (an object that only `revert`
    removes). A fault that is not `lasting` is over as soon as it has happened. `in_steps`: while it is injected the
    subject is broken in another way, for which no ticket must open.
    """

    kind: str
    what: str  # one sentence without a full stop
    proof: str  # how it is proved, for `chaos list`
    parameters: ClassVar[Mapping[str, Parameter]] = {}
    targeted: bool = True
    lasting: bool = True
    in_steps: bool = False
    lives_in: str = "container"
    every: float = 1.0  # seconds between two proofs until the verdict
    settle: float = 5.0  # seconds until it must be in effect

    def aims_at(self, subject: Subject) -> str:
        """The only kind of member (see `HasKinds`) that it works on; "" if it works on all."""
        return ""

    def problem(self, ground: Ground, targets: Sequence[str]) -> str | None:
        """Why it is not possible here (engine, kernel, subject, or the state of the targets); None if it is. Without
        targets only what does not depend on them is checked."""
        return None

    @abstractmethod
    def before(self, ground: Ground, targets: Sequence[str], values: Values) -> Before:
        """The state that `revert` restores. Changes nothing."""

    @abstractmethod
    def inject(self, ground: Ground, targets: Sequence[str], values: Values, before: Before) -> None: ...

    @abstractmethod
    def prove(self, ground: Ground, targets: Sequence[str], values: Values, before: Before) -> Proof:
        """Measures whether the fault is in effect."""

    def holds(self, ground: Ground, targets: Sequence[str], values: Values, before: Before) -> Proof:
        """As `prove`, but called every few seconds until the verdict: must disturb nothing."""
        return self.prove(ground, targets, values, before)

    @abstractmethod
    def revert(self, ground: Ground, targets: Sequence[str], values: Values, before: Before) -> None:
        """Restores `before` if the fault is still in effect, and leaves alone what somebody has repaired. Harmless if
        repeated, or if the containers are gone."""
