"""A cluster of stand-ins in this process: one PD and three stores, each at an address of its own on the loopback."""

import itertools
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pd_server
import pytest
import stand_in_raft
import tikv_server

from operator_demo.subject import Member

STORES = ("tikv0", "tikv1", "tikv2")
_NETWORKS = itertools.count()


def eventually(condition: Callable[[], Any], limit: float = 30.0) -> Any:
    end = time.monotonic() + limit
    while not (value := condition()):
        assert time.monotonic() < end
        time.sleep(0.02)
    return value


class Cluster:
    def __init__(self, folder: Path) -> None:
        network = f"127.{os.getpid() >> 8 & 0xFF}.{os.getpid() & 0xFF}."
        first = 1 + 4 * next(_NETWORKS)
        self.hosts = {name: f"{network}{first + n}" for n, name in enumerate(("pd0", *STORES))}
        flags = {"name": "pd0", "initial-cluster": "pd0=http://pd0:2380"}
        self.pd = pd_server.Member(flags, {"tolerant-size-ratio": 1.0}, self.hosts["pd0"])
        self.pd.begin()
        pd_server.threading.Thread(target=self.pd.run, daemon=True).start()
        self.stores = {name: self.store(folder, name) for name in STORES}
        self.members = [Member(name, "", "running", address) for name, address in self.hosts.items()]

    def store(self, folder: Path, name: str) -> tikv_server.Store:
        made = tikv_server.Store({
            "advertise-addr": f"{name}:20160", "advertise-status-addr": f"{name}:20180", "pd-endpoints": "pd0:2379",
            "data-dir": str(folder / name), "capacity": "8GB"}, self.hosts[name], self.hosts)
        made.begin()
        return made

    def leaders(self) -> dict[int, str]:
        """By region, the store that leads it and serves."""
        return {r.id: name for name, store in self.stores.items() for r in list(store.raft.regions.values())
                if store.raft.may_serve(r)}

    def until_well(self) -> None:
        eventually(lambda: len(self.leaders()) >= 5 and set(self.leaders().values()) == set(STORES))
        eventually(lambda: all(s["store"]["state_name"] == "Up" for s in self.pd.tell_stores()["stores"]))


@contextmanager
def fast_stand_ins() -> Iterator[None]:
    """Elections and heartbeats that a test can wait for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stand_in_raft, "ELECTION", 1.5)
        patch.setattr(stand_in_raft, "BEAT", 0.1)
        patch.setattr(tikv_server, "HEARTBEAT", 0.5)
        patch.setattr(tikv_server, "REPORT", 0.1)
        patch.setattr(pd_server, "STARTING", 0.2)
        patch.setattr(pd_server, "LEASE", 0.3)
        patch.setattr(pd_server, "FIRST", 0.3)
        yield
