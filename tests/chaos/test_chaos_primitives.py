"""Every primitive on a real cluster: it bites when it is injected, and everything is as it was when it is reverted."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from breaking import Broken

from operator_demo.chaos.faults import FAULTS
from operator_demo.chaos.primitive import FaultError, Ground
from operator_demo.subject import Member
from subjects.etcd.subject import SUBJECT

pytestmark = pytest.mark.engine


@pytest.mark.parametrize(("kind", "targets", "raw"), [
    ("kill", ["etcd0"], {}), ("stop", ["etcd1"], {}), ("pause", ["etcd0", "etcd2"], {}), ("disconnect", ["etcd2"], {}),
    ("restart", ["etcd1"], {}), ("none", [], {}), ("decoy", [], {"status": 3}),
    ("partition", ["etcd1"], {}), ("crash-loop", ["etcd0"], {}),
    ("cpu", ["etcd2"], {"cpus": 0.01}),
    pytest.param("wal-cut", ["etcd1"], {}, marks=pytest.mark.wide),
    pytest.param("lost-data", ["etcd1"], {}, marks=pytest.mark.wide),
    pytest.param("disk-full", ["etcd2"], {}, marks=pytest.mark.wide),
    pytest.param("partition", ["etcd0", "etcd2"], {}, marks=pytest.mark.wide),
    pytest.param("loss", ["etcd0"], {"loss": 50}, marks=pytest.mark.wide),
    pytest.param("bandwidth", ["etcd2"], {}, marks=pytest.mark.wide),
    pytest.param("memory", ["etcd0"], {}, marks=pytest.mark.wide),
    pytest.param("slow-disk", ["etcd1"], {}, marks=pytest.mark.wide)])
def test_there_and_back(broken: Broken, kind: str, targets: list[str], raw: dict[str, Any]) -> None:
    problem = FAULTS[kind].problem(broken.ground, targets)
    if problem and kind in ("bandwidth", "loss", "slow-disk", "memory"):
        pytest.skip(problem)  # not every kernel can
    broken.there_and_back(kind, targets, raw)


class Clients:
    """Stands in the place of load and monitor: holds a rate, and hears of helpers."""

    def __init__(self) -> None:
        self.ops = 200.0

    def __call__(self, op: str, ops: float | None = None, ids: Sequence[str] = ()) -> dict[str, Any]:
        if op == "announce":
            return {}
        assert op == "rate"
        self.ops = self.ops if ops is None else ops
        return {"ops": self.ops}


@pytest.mark.wide
def test_a_log_of_which_nothing_but_the_head_is_left_is_put_back(broken: Broken) -> None:
    """The cut goes through one large record, which the member then drops as torn, with hardly anything before it."""
    etcd1 = broken.ground.member("etcd1")
    client = SUBJECT.client(lambda: [Member("etcd1", "", etcd1.state, etcd1.address)], 10)
    client.put("large", "x" * 900_000)
    client.close()
    record = broken.there_and_back("wal-cut", ["etcd1"], {"keep": 500_000})
    assert record.before["etcd1"]["keep"] > 100_000


def test_the_load_surges_and_is_as_it_was(broken: Broken) -> None:
    clients = Clients()
    broken.ground = replace(broken.ground, ask=clients)
    broken.there_and_back("load-surge", [], {"rate": 900}, lambda _: clients.__dict__.update(seen=clients.ops))
    assert clients.__dict__ == {"ops": 200.0, "seen": 900.0}


def test_what_the_kernel_cannot_do_is_refused_with_the_reason(ground: Ground) -> None:
    problem = FAULTS["latency"].problem(ground, [])
    assert problem in (None, "the engine's kernel has no sch_netem")


@pytest.mark.parametrize(("kind", "targets", "words"), [
    ("partition", ["etcd0", "etcd1", "etcd2"], "other side"), ("kill", ["etcd9"], "no container"),
    ("evict-leaders", ["etcd0"], "etcd does not say how leaders are ordered away")])
def test_what_cannot_be_is_refused_before_anything_is_touched(broken: Broken, kind: str, targets: list[str],
                                                              words: str) -> None:
    with pytest.raises(FaultError, match=words):
        broken.plan(kind, targets)
    assert broken.journal.records() == []


@pytest.mark.parametrize("kind", ["partition", pytest.param("crash-loop", marks=pytest.mark.wide),
                                  pytest.param("disk-full", marks=pytest.mark.wide),
                                  pytest.param("slow-disk", marks=pytest.mark.wide)])
def test_the_engine_tells_nothing_of_what_is_done(broken: Broken, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who lists, inspects or hears of the helpers finds no script, no kind and no name of a fault."""
    engine, seen = broken.ground.engine, []
    since, start = engine.now(), engine.api.start

    def look(container: str, *arguments: Any, **more: Any) -> Any:
        seen.append(engine.api.inspect_container(container))
        return start(container, *arguments, **more)

    monkeypatch.setattr(engine.api, "start", look)
    record = broken.plan(kind, ["etcd1"])
    broken.injector().inject(record)
    broken.injector().holds(record)
    heard = [json.dumps(e) for e in engine.api.events(since=f"{since:.3f}", until=f"{engine.now():.3f}", decode=True)]
    of_this_test = [e for e in heard if broken.ground.project in e]  # (others have clusters beside this one)
    assert of_this_test
    told = json.dumps([seen, *of_this_test])
    assert {(d["Path"], *d["Args"]) for d in seen} == {("sh", "/aux")}
    for word in (kind, record.id, "iptables", "DROP", "echo", "NOSPACE", "dd", "fault", "chaos", "election"):
        assert not re.search(rf"\b{word}\b", told), word


def test_a_repair_is_not_undone(broken: Broken) -> None:
    """Who has repaired a member meanwhile finds it as he left it: the revert touches only what the fault left."""
    record = broken.plan("kill", ["etcd1"])
    broken.injector().inject(record)
    broken.ground.engine.api.start(broken.ground.member("etcd1").id)
    started = broken.ground.inspect("etcd1")["State"]["StartedAt"]
    assert not broken.injector().holds(record).bites
    broken.revert()
    assert broken.ground.inspect("etcd1")["State"]["StartedAt"] == started
