"""What every primitive must do on a real cluster: bite when it is injected, and leave nothing behind."""

import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.resources import files
from typing import Any

from operator_demo.chaos import helper
from operator_demo.chaos.faults import FAULTS
from operator_demo.chaos.injector import Injector, revert_all
from operator_demo.chaos.journal import FaultJournal, Record
from operator_demo.chaos.primitive import Ground
from operator_demo.chaos.spec import parse_parameters
from operator_demo.compose import wait_healthy
from operator_demo.engine import Engine, build_image, fingerprint, inspect, project_volumes

RULES = "ipt=iptables-nft; $ipt -S >/dev/null 2>&1 || ipt=iptables-legacy; $ipt -S; tc qdisc show"


@contextmanager
def helpers_image(engine: Engine) -> Iterator[str]:
    """The agent's image without the program, which the helpers do not use; its layers are the same."""
    text = files("compose_templates").joinpath("agent.Dockerfile").read_text().split("# Last, ")[0]
    tag = f"operator-demo-test/aux:{secrets.token_hex(4)}"
    build_image(engine, tag, {"Dockerfile": text.encode()})
    try:
        yield tag
    finally:
        engine.api.remove_image(tag)


class Broken:
    """One fault on a cluster. `state` is all that a primitive may change, as far as the engine can tell it."""

    def __init__(self, ground: Ground, journal: FaultJournal) -> None:
        self.ground, self.journal = ground, journal

    def injector(self) -> Injector:
        return Injector(self.ground, self.journal)

    def plan(self, kind: str, targets: Sequence[str], raw: Mapping[str, Any] | None = None) -> Record:
        return self.injector().plan("run-1", self.ground.subject.name, kind, targets, parse_parameters(kind, raw or {}))

    def there_and_back(self, kind: str, targets: Sequence[str], raw: Mapping[str, Any] | None = None,
                       meanwhile: Callable[[Record], None] = lambda _: None) -> Record:
        """Injects and reverts, twice, and compares with before."""
        fault, before = FAULTS[kind], self.state(targets)
        record = self.plan(kind, targets, raw)
        proof = fault.prove(self.ground, record.targets, record.parameters, record.before)
        assert not (proof.bites and fault.lasting), f"before: {proof.saw}"
        proof = self.injector().inject(record)
        assert proof.bites
        assert self.injector().holds(record).bites
        meanwhile(record)
        self.revert()
        proof = fault.prove(self.ground, record.targets, record.parameters, record.before)
        assert not (proof.bites and fault.lasting), f"afterwards: {proof.saw}"
        self.well()
        self.expect_unchanged(before, targets)
        self.injector().revert(record)
        self.expect_unchanged(before, targets)
        assert self.helpers() == []
        assert self.kept_volumes() == []
        return record

    def revert(self) -> None:
        done, problems = revert_all(self.ground.engine, self.ground.project, self.journal, self.ground.image,
                                    ask=self.ground.ask)
        assert problems == [], problems
        assert done
        assert self.journal.open() == []

    def well(self) -> None:
        wait_healthy(self.ground.engine, self.ground.project, self.ground.subject.members, 60, threading.Event())

    def state(self, targets: Sequence[str]) -> dict[str, Any]:
        found: dict[str, Any] = {"fingerprint": fingerprint(self.ground.engine, self.ground.project)}
        for name, container in self.ground.containers().items():
            host = inspect(self.ground.engine, container.id)["HostConfig"]
            for limit in ("CpuQuota", "Memory", "MemorySwap"):  # what lifts one is not what never was one
                host[limit] = host[limit] if 0 < host[limit] < 1 << 62 else 0
            found[name] = (container.id, container.state, container.address is None, host)
        for name in targets:
            if self.ground.member(name).state == "running":
                _, said = helper.run(self.ground, RULES, network_of=self.ground.member(name).id,
                                     capabilities=("NET_ADMIN", "NET_RAW"))
                found[f"{name} rules"] = re.sub(r" dev eth\d+", " dev eth", said)  # a new connection is eth1
        return found

    def expect_unchanged(self, before: Mapping[str, Any], targets: Sequence[str]) -> None:
        now = self.state(targets)
        changed = {key: (before.get(key), now.get(key)) for key in {*before, *now} if before.get(key) != now.get(key)}
        assert changed == {}, changed

    def helpers(self) -> list[str]:
        return [c["Names"][0] for c in self.ground.engine.api.containers(
            all=True, filters={"label": [f"com.docker.compose.project={self.ground.project}-operator"]})]

    def kept_volumes(self) -> list[str]:
        """Those of ours in which a fault keeps what it took away."""
        return project_volumes(self.ground.engine, f"{self.ground.project}-operator")

    def clean(self) -> None:
        revert_all(self.ground.engine, self.ground.project, self.journal, self.ground.image, ask=self.ground.ask)


def wait_until(true: Callable[[], object], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.1)
