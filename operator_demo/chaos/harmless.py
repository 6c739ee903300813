"""Faults that break nothing in the subject: none at all, an odd container beside it, more load than it can carry."""

from collections.abc import Sequence
from typing import ClassVar

from operator_demo.chaos.primitive import Before, Ground, Parameter, Primitive, Proof, Values
from operator_demo.engine import NotOnEngine, inspect, leave_exited, remove_container
from operator_demo.errors import OperatorError


class Nothing(Primitive):
    kind, what = "none", "nothing happens"
    proof = "nothing to prove"
    targeted = lasting = False

    def before(self, ground: Ground, targets: Sequence[str], values: Values) -> Before:
        return {}

    def inject(self, ground: Ground, targets: Sequence[str], values: Values, before: Before) -> None:
        return

    def prove(self, ground: Ground, targets: Sequence[str], values: Values, before: Before) -> Proof:
        return Proof(True, "nothing was done")

    def revert(self, ground: Ground, targets: Sequence[str], values: Values, before: Before) -> None:
        return


class Decoy(Primitive):
    kind, what = "decoy", "a container that has failed lies beside the subject: odd, and harmless"
    proof = "the container is there, and exited"
    parameters: ClassVar = {"status": Parameter("exit status of the container", "", 0, 255, 1, whole=True)}
    targeted = False
    lives_in = "engine"

    def problem(self, ground: Ground, targets: Sequence[str]) -> str | None:
        try:
            inspect(ground.engine, self._name(ground))
        except NotOnEngine:
            return None
        return f"there is a container {self._name(ground)} already"

    def before(self, ground: Ground, targets: Sequence[str], values: Values) -> Before:
        """It looks like a job of the subject: by its image and its name."""
        image = inspect(ground.engine, next(iter(ground.containers().values())).id)["Config"]["Image"]
        return {"name": self._name(ground), "image": image}

    def inject(self, ground: Ground, targets: Sequence[str], values: Values, before: Before) -> None:
        leave_exited(ground.engine, before["image"], ["sh", "-c", f"exit {values['status']:.0f}"],
                     name=before["name"], network=ground.network)

    def prove(self, ground: Ground, targets: Sequence[str], values: Values, before: Before) -> Proof:
        try:
            state = inspect(ground.engine, before["name"])["State"]
        except NotOnEngine:
            return Proof(False, f"{before['name']} is not there")
        return Proof(state["Status"] == "exited", f"{before['name']} is {state['Status']} ({state['ExitCode']})")

    def revert(self, ground: Ground, targets: Sequence[str], values: Values, before: Before) -> None:
        remove_container(ground.engine, before["name"])

    @staticmethod
    def _name(ground: Ground) -> str:
        return f"{ground.project}-backup-1"


class LoadSurge(Primitive):
    kind, what = "load-surge", "the clients ask for more: nothing in the subject is broken"
    proof = "the load's own rate"
    parameters: ClassVar = {"rate": Parameter("operations of all clients together", "ops/s", 1, 20_000, 3000)}
    targeted = False

    def problem(self, ground: Ground, targets: Sequence[str]) -> str | None:
        if ground.ask is None:
            return None  # the workload does not run yet
        try:
            self._rate(ground)
        except OperatorError as e:
            return f"the load's rate cannot be changed ({e.message})"
        return None

    def before(self, ground: Ground, targets: Sequence[str], values: Values) -> Before:
        return {"rate": self._rate(ground)}

    def inject(self, ground: Ground, targets: Sequence[str], values: Values, before: Before) -> None:
        self._set(ground, values["rate"])

    def prove(self, ground: Ground, targets: Sequence[str], values: Values, before: Before) -> Proof:
        rate = self._rate(ground)
        return Proof(rate == values["rate"] != before["rate"], f"the load aims at {rate:g} operations a second")

    def revert(self, ground: Ground, targets: Sequence[str], values: Values, before: Before) -> None:
        """A workload that does not run needs no revert."""
        try:
            if self._rate(ground) == values["rate"]:
                self._set(ground, before["rate"])
        except OperatorError:
            if ground.ask is not None:
                raise

    @staticmethod
    def _rate(ground: Ground) -> float:
        if ground.ask is None:
            raise OperatorError("the load does not run")
        return float(ground.ask("rate")["ops"])

    @staticmethod
    def _set(ground: Ground, rate: float) -> None:
        if ground.ask is not None:
            ground.ask("rate", ops=rate)
