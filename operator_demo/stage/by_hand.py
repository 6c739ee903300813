"""Faults by hand (`operator-demo chaos`): the demo that is meant, its monitor, and the record of its run."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

from operator_demo import events, labels
from operator_demo import subject as subjects
from operator_demo.chaos import helper
from operator_demo.chaos.faults import FAULTS
from operator_demo.chaos.injector import Injector
from operator_demo.chaos.journal import FaultJournal, Record, projects_with_faults
from operator_demo.chaos.primitive import Ground
from operator_demo.engine import Engine, connect, members
from operator_demo.errors import OperatorError
from operator_demo.events import Fault
from operator_demo.home import home, store_path
from operator_demo.stage.environment import Environment, check_project_name, choose, demos
from operator_demo.stage.images import agent_image
from operator_demo.store import Store
from operator_demo.subject import Found
from operator_demo.trust import Agree

Ask = Callable[..., dict[str, Any]]


class Host:
    """See `chaos.injection.Host`. `show` prints a fault; it is also recorded if this machine has the run."""

    def __init__(self, environment: Environment, show: Callable[[Fault], None]) -> None:
        self.run = environment.leftover_run() or ""
        self.subject = environment.subject_reference
        self._environment, self._show = environment, show
        self._ask = monitor_of(environment)

    def ground(self, image: str = "", *, up: bool = True) -> Ground:
        return replace(self._environment.ground(image, up=up), ask=self._ask)

    def tell(self, fault: Fault) -> None:
        self._show(fault)
        record(self.run, fault)

    def roles(self) -> dict[str, str]:
        """The roles of the healthy members, as the monitor sees them."""
        observed = self._ask("observe")["members"] if self._ask is not None else {}
        return {name: "leader" if m.get("leader") else "follower" for name, m in observed.items() if m.get("healthy")}


@contextmanager
def demo(host: str | None, project: str | None, subject: str | None, agree: Agree) -> (
        Iterator[tuple[Environment, FaultJournal]]):
    """A running demo, with its subject. A container's label may name a subject of ours, but never a folder: whoever
    writes labels does not choose what runs on this machine."""
    engine = connect(host)
    try:
        names = [check_project_name(project)] if project else choose(demos(engine))
        if not names:
            raise OperatorError("No demo is on the engine.", "`operator-demo run --keep` leaves one running.")
        operators = Environment(engine, names[0]).operators()
        label = next((c.labels[labels.SUBJECT] for c in operators if labels.SUBJECT in c.labels), "")
        if not subject and subjects.is_path(label):
            raise OperatorError(f"The demo {names[0]} names its subject by a folder.", "Name it with --subject.")
        if not (subject or label):
            raise OperatorError(f"The demo {names[0]} does not run.", "`operator-demo status` shows what does.")
        yield (Environment(engine, names[0], subjects.load(subject or label, agree)),
               FaultJournal(home(), engine.id, names[0]))
    finally:
        engine.close()


@contextmanager
def journals(host: str | None, project: str | None) -> Iterator[tuple[Engine, dict[str, FaultJournal]]]:
    """The fault journals of this engine by project, or only that of `project`."""
    engine = connect(host)
    try:
        names = [check_project_name(project)] if project else projects_with_faults(home(), engine.id)
        yield engine, {name: FaultJournal(home(), engine.id, name) for name in names}
    finally:
        engine.close()


def obstacles(engine: Engine, found: Found) -> dict[str, str | None]:
    """Why each kind of fault is not possible with this engine and subject; None if it is."""
    ground = Ground(engine, f"chaos-{secrets.token_hex(4)}", "", found.subject,
                    helper.usable_image(engine, own_image()))
    return {kind: fault.problem(ground, []) for kind, fault in FAULTS.items()}


def in_effect(engine: Engine, project: str, record: Record) -> tuple[bool | None, str]:
    """Whether the fault is in effect (None: over, or not known), and what was seen, in words."""
    if not record.open:
        return None, ""
    try:
        ground = Ground(engine, project, record.network, subjects.load(record.subject).subject,
                        helper.usable_image(engine, record.image, own_image()),
                        monitor_of(Environment(engine, project)))
        proof = Injector(ground, FaultJournal(home(), engine.id, project)).holds(record)
    except OperatorError as e:
        return None, f"cannot be told: {e.message}"
    return proof.bites, f"{'holds' if proof.bites else 'holds no more'}: {proof.saw}"


def monitor_of(environment: Environment) -> Ask | None:
    """Sends requests to the demo's monitor; None if it does not run."""
    control = environment.control()
    return control.ask if control is not None else None


def announce(environment: Environment, records: list[Record], seconds: float) -> None:
    """Tells the monitor, if one runs, that what happens to the targets in the next seconds is the fault."""
    ask, names = monitor_of(environment), {name for record in records for name in record.targets}
    ids = [c.id for c in members(environment.engine, environment.project) if c.service in names]
    if ask is not None and ids:
        with suppress(OperatorError):  # a monitor that has just ended must not keep a fault from being reverted
            ask("fault", containers=ids, seconds=seconds)


def own_image() -> str:
    """The agent's image, from which helpers run; "" if this is not the built file."""
    try:
        return agent_image()
    except OperatorError:
        return ""


def record(run: str, fault: Fault) -> None:
    """Into the record of the run, if this machine has it."""
    if not run:
        return
    with Store(store_path()) as store:
        if store.row("SELECT run FROM runs WHERE run=?", run) is not None:
            store.record(events.event(run, events.STAGE, fault))
