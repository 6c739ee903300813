"""A brain that knows the answer: it names the scenario's cause and runs the scenario's own repair, line by line."""

import shlex
from typing import Any

from presenter import LABEL, Demo
from scripted import shell, turn

from operator_demo.agent.rehearsal.operator import Turn
from operator_demo.chaos.scenario import ESCALATED, NO_ACTION, Scenario


class KnownRepair:
    def __init__(self, demo: Demo, play: Scenario) -> None:
        self._demo, self._play = demo, play

    def __call__(self, number: int, first: str, results: list[str]) -> Turn:
        """Says what it is, does what is known to help, claims it; and once more where the oracle was not content."""
        targets = self._targets()
        named = {"member": targets[0]} if targets else {}
        finding = turn("finding", **named, cause=self._play.cause, text="The scenario says so.")
        if self._play.outcome == NO_ACTION:
            steps = [finding, turn("no_action", reason="Nothing is wrong.")]
        elif self._play.outcome == ESCALATED:
            steps = [finding, turn("escalate", reason="Nothing in the subject can be repaired.")]
        else:
            variables = self._variables(targets)
            once = [*(shell(f"{variables}\n{line}") for line in self._play.repair),
                    turn("resolve", summary="The known repair.", actions=list(self._play.repair))]
            steps = [finding, *once, *once]
        return steps[number]

    def _targets(self) -> list[str]:
        injected = next(e for e in self._demo.events if e["type"] == "fault" and e["data"]["phase"] == "injecting")
        return list(injected["data"]["targets"])

    def _variables(self, targets: list[str]) -> str:
        """What a line of a repair may use (docs/scenarios.md)."""
        network = self._demo.engine.networks.list(filters={"label": f"{LABEL}={self._demo.project}"})[0].name
        containers = [self._demo.container(name) for name in targets]
        addresses = [_address(c, network) for c in containers]
        values = {"PROJECT": self._demo.project, "NETWORK": network,
                  "MEMBERS": " ".join(targets), "MEMBER": next(iter(targets), ""),
                  "CONTAINERS": " ".join(c.name for c in containers),
                  "CONTAINER": next((c.name for c in containers), ""),
                  "ADDRESSES": " ".join(addresses), "ADDRESS": next(iter(addresses), "")}
        return "; ".join(f"{name}={shlex.quote(value)}" for name, value in values.items())


def _address(container: Any, network: str) -> str:
    return str((container.attrs["NetworkSettings"]["Networks"].get(network) or {}).get("IPAddress") or "")
