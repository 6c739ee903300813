"""How the stand-in stores replicate their regions: raft in small, with the whole state of a region as its snapshot.

What it promises is what raft promises. A change is acknowledged when a majority of the stores has it in its log, and
who has not all of it becomes no leader. A leader serves while a majority follows it, and only after a change of its own
term was acknowledged. A log is one file of lines, which outlives a kill of the process.

The messages are JSON over HTTP on a port of their own; the real ones are gRPC.
"""

import contextlib
import http.client
import json
import queue
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stand_in_web import Answer, Text, serve

RAFT_PORT = 20161
ELECTION = 10.0  # seconds without a leader, up to twice as long (raft-election-timeout-ticks 10, of 1 s)
LEASE = 0.7  # of ELECTION: so long a leader serves without hearing of its followers
BEAT = 0.5  # seconds between two messages to a follower
ACKNOWLEDGED = 3.0  # seconds that a change may take
PATIENCE = 1.0  # seconds that a message may take
REPLACED = 6  # changes of peers: a learner is added, two roles change into a joint state and out of it, one is removed
CHANCE = random.Random()  # not the global one, which Hypothesis watches in the tests

Json = dict[str, Any]
NOTHING = (OSError, ValueError, http.client.HTTPException)
"""What is raised where no answer comes."""


@dataclass
class Region:
    """A replica. Keys and values are text, a character for each byte."""

    id: int
    start: str
    end: str
    conf_ver: int
    version: int
    peers: dict[str, int]  # store -> id of its replica
    term: int = 0
    last: tuple[int, int] = (0, 0)  # term and index of the newest change
    data: dict[str, str] = field(default_factory=dict)
    size: int = 0
    leader: int = 0  # a store, 0 for none known
    serving: bool = False
    heard: float = 0.0  # from the leader
    patience: float = 0.0
    learners: set[str] = field(default_factory=set)  # stores whose replica does not vote yet
    turn: threading.Lock = field(default_factory=threading.Lock)  # of changes, and of reads, at the leader

    def holds(self, key: str) -> bool:
        return self.start <= key and (key < self.end or not self.end)

    @property
    def voters(self) -> set[str]:
        return self.peers.keys() - self.learners

    def whole(self) -> Json:
        return {"id": self.id, "start": self.start, "end": self.end, "conf_ver": self.conf_ver,
                "version": self.version, "peers": self.peers, "learners": sorted(self.learners), "term": self.term,
                "last": self.last, "data": self.data}

    def become(self, whole: Json) -> None:
        self.start, self.end, self.conf_ver, self.version = (whole[k] for k in ("start", "end", "conf_ver", "version"))
        self.peers, self.learners = dict(whole["peers"]), set(whole["learners"])
        self.term, self.last = whole["term"], tuple(whole["last"])
        self.data = dict(whole["data"])
        self.size = sum(len(k) + len(v) for k, v in self.data.items())


@dataclass
class Entry:
    """A change on its way to the followers. One of `voters` must have it: with the leader, that is a majority."""

    region: int
    line: Json
    voters: set[str] = field(default_factory=set)
    acknowledged: threading.Event = field(default_factory=threading.Event)


class Follower:
    """Sends one store what it lacks, in order, from a thread of its own."""

    def __init__(self, raft: "Raft", store: str, address: str) -> None:
        self.raft, self.store, self.address = raft, store, address
        self.waiting: queue.SimpleQueue[Entry] = queue.SimpleQueue()
        self.answered = 0.0  # when the newest message that was answered had been sent
        self.connection: http.client.HTTPConnection | None = None
        self.whole: set[int] = set()  # the regions of which it has all
        self.gone = False
        threading.Thread(target=self.run, daemon=True).start()

    def run(self) -> None:
        beat = 0.0
        while not self.gone:
            batch: list[Entry] = []
            with contextlib.suppress(queue.Empty):
                batch.append(self.waiting.get(timeout=max(0.0, beat - time.monotonic())))
            with self.raft.lock:
                while not self.waiting.empty():
                    batch.append(self.waiting.get())
                led = self.raft.led(self.store) if time.monotonic() >= beat else {}
            if led or time.monotonic() >= beat:
                beat = time.monotonic() + BEAT
            if batch or led:
                self.send(batch, led)

    def send(self, batch: list[Entry], led: Json) -> None:
        began = time.monotonic()
        try:
            answer = self.ask("append", {"from": self.raft.id, "led": led, "entries": [e.line for e in batch]})
        except NOTHING:
            return
        with self.raft.lock:
            for region, term in answer["newer"].items():
                self.raft.step_down(int(region), term)
            if led:
                self.answered = began
            for entry, ok in zip(batch, answer["ok"], strict=True):
                if ok and self.store in entry.voters:
                    entry.acknowledged.set()
            self.raft.has_whole(self, {int(region) for region in led} - set(answer["lacking"]))
            for region in answer["lacking"]:
                self.raft.send_whole(region, self)

    def ask(self, what: str, message: Json) -> Json:
        """By a connection that is kept. Raises one of `NOTHING`."""
        if self.raft.cut_off:
            raise ConnectionRefusedError
        if self.connection is None:
            self.connection = connection_to(self.address)
        try:
            self.connection.request("POST", f"/stand-in/{what}", json.dumps(message | {"to": int(self.store)}))
            return dict(json.loads(self.connection.getresponse().read()))
        except BaseException:
            self.connection.close()
            self.connection = None
            raise


def connection_to(address: str) -> http.client.HTTPConnection:
    host, _, port = address.partition(":")
    return http.client.HTTPConnection(host, int(port), timeout=PATIENCE)


def ask_once(address: str, what: str, message: Json) -> Json:
    """Raises one of `NOTHING`."""
    connection = connection_to(address)
    try:
        connection.request("POST", f"/stand-in/{what}", json.dumps(message))
        return dict(json.loads(connection.getresponse().read()))
    finally:
        connection.close()


class Raft:
    """All replicas of one store."""

    def __init__(self, folder: Path, locate: Callable[[str], str], host: str = "") -> None:
        """`locate` makes the address of a store's raft port from that of its service port."""
        self.id, self.locate = 0, locate
        self.lock = threading.RLock()
        self.regions: dict[int, Region] = {}
        self.followers: dict[str, Follower] = {}
        self.moved = threading.Event()  # who leads what has changed
        self.cut_off = False  # set by a test: nothing comes from the other stores, or reaches them
        self.log = self.restored(folder / "raft.log")
        serve(RAFT_PORT, self.on_raft_port, host)
        threading.Thread(target=self.watch, daemon=True).start()

    # -- the log -----------------------------------------------------------------------------------------------------

    def restored(self, path: Path) -> Any:
        """Reads the log, and begins a new one with the whole of what it led to."""
        if path.exists():
            for line in path.read_text().splitlines():
                with contextlib.suppress(ValueError):  # the last one, if the process was killed in it
                    self.apply(json.loads(line))
        log = path.with_suffix(".new").open("w", buffering=1)
        for region in self.regions.values():
            region.leader, region.heard = 0, time.monotonic()
            log.write(json.dumps({"region": region.id, "whole": region.whole()}) + "\n")
        path.with_suffix(".new").rename(path)
        return log

    def record(self, line: Json) -> None:
        self.apply(line)
        self.log.write(json.dumps(line) + "\n")

    def apply(self, line: Json) -> None:
        if "whole" in line:
            whole = line["whole"]
            region = self.regions.setdefault(whole["id"], Region(whole["id"], "", "", 0, 0, {}))
            region.become(whole)
            return
        region = self.regions[line["region"]]
        region.term = max(region.term, line["term"])
        if "at" not in line:  # a vote
            return
        region.last = tuple(line["at"])
        change = line["change"]
        if "key" in change:
            region.size += len(change["value"]) - len(region.data.get(change["key"], ""))
            region.data[change["key"]] = change["value"]
        elif "split" in change:
            self.split(region, change)
        else:
            self.change_peers(region, change)

    def change_peers(self, region: Region, change: Json) -> None:
        """As src/store/fsm/apply.rs of raftstore counts them in `conf_ver`."""
        if "add" in change:
            region.peers = region.peers | {change["add"]: change["peer"]}
            region.learners = region.learners | {change["add"]}
            region.conf_ver += 1
        elif "promote" in change:
            region.learners = region.learners - {change["promote"]}
            region.conf_ver += 1
        elif "replace" in change:
            kept = {store: peer for store, peer in region.peers.items() if store != change["replace"]}
            region.peers = kept | {change["by"]: change["peer"]}
            region.conf_ver += REPLACED

    def split(self, region: Region, change: Json) -> None:
        """The new region takes the keys from `split` on."""
        at, region.version = change["split"], region.version + 1
        new = Region(change["id"], at, region.end, region.conf_ver, region.version, dict(change["peers"]), region.term,
                     (region.term, 1), {k: v for k, v in region.data.items() if k >= at},
                     learners=set(region.learners))
        new.size = sum(len(k) + len(v) for k, v in new.data.items())
        new.leader, new.serving, new.heard, new.patience = region.leader, region.serving, region.heard, region.patience
        region.end, region.data = at, {k: v for k, v in region.data.items() if k < at}
        region.size -= new.size
        self.regions[new.id] = new
        self.moved.set()

    # -- as a leader -------------------------------------------------------------------------------------------------

    def meet(self, stores: dict[str, str]) -> None:
        """PD told of these stores, and of no others."""
        met = {store: self.followers.get(store) or Follower(self, store, self.locate(address))
               for store, address in stores.items() if int(store) != self.id}
        for store in self.followers.keys() - met.keys():
            self.followers[store].gone = True
        self.followers = met

    def create(self, regions: list[Json]) -> None:
        """The regions of an empty cluster, which has one store."""
        with self.lock:
            for whole in regions:
                if whole["id"] not in self.regions:
                    self.record({"region": whole["id"], "whole": whole})
            idle = [r for r in self.regions.values() if r.voters == {str(self.id)} and not r.leader]
        self.stand(idle)

    def led(self, store: str) -> Json:
        """The regions that this store leads, and of which `store` has a replica."""
        return {str(r.id): {"term": r.term, "last": r.last} for r in self.regions.values()
                if r.leader == self.id and store in r.peers}

    def other_voters(self, region: Region) -> set[str]:
        return region.voters - {str(self.id)}

    def may_serve(self, region: Region) -> bool:
        """Does a majority follow?"""
        others = self.other_voters(region)
        newest = max((f.answered for store, f in self.followers.items() if store in others), default=0.0)
        followed = not others or time.monotonic() - newest < LEASE * ELECTION
        return region.leader == self.id and region.serving and followed

    def has_whole(self, follower: Follower, regions: set[int]) -> None:
        news = regions - follower.whole
        follower.whole |= news
        if any(follower.store in self.regions[region].learners for region in news):
            self.moved.set()

    def pending(self, region: Region) -> list[str]:
        """Stores whose replica lacks something still."""
        return [store for store, f in self.followers.items() if store in region.learners and region.id not in f.whole]

    def propose(self, region: Region, change: Json) -> bool:
        """Was the change acknowledged by a majority? If not, it is not known what becomes of it. `region.turn` must be
        held."""
        with self.lock:
            if region.leader != self.id:
                return False
            line = {"region": region.id, "term": region.term, "before": region.last,
                    "at": (region.term, region.last[1] + 1), "change": change}
            self.record(line)
            entry = Entry(region.id, line, self.other_voters(region))
            for store, follower in self.followers.items():
                if store in region.peers:
                    follower.waiting.put(entry)
        if not entry.voters or entry.acknowledged.wait(ACKNOWLEDGED):
            return True
        self.step_down(region.id, region.term)
        return False

    def step_down(self, region: int, term: int) -> None:
        with self.lock:
            mine = self.regions.get(region)
            if mine is not None and mine.leader == self.id and term >= mine.term:
                mine.leader, mine.serving, mine.heard = 0, False, time.monotonic()
                self.moved.set()

    def send_whole(self, region: int, follower: Follower) -> None:
        mine = self.regions[region]
        if mine.leader == self.id:
            follower.waiting.put(Entry(region, {"region": region, "term": mine.term, "whole": mine.whole()}))

    def hand_over(self, region: Region, store: int) -> None:
        """Asks a follower to stand at once."""
        with region.turn, contextlib.suppress(*NOTHING, KeyError):
            if self.may_serve(region):
                self.ask(self.followers[str(store)], "stand", {"region": region.id})

    def change(self, region: Region, change: Json) -> None:
        """Adds a learner, makes a voter of one, or gives up the replica on a store that is gone for one on another. A
        new replica gets what it lacks."""
        with region.turn:
            if self.may_serve(region) and self.propose(region, change):
                self.moved.set()

    def ask(self, other: Follower, what: str, message: Json) -> Json:
        """Another store, once. Raises one of `NOTHING`."""
        if self.cut_off:
            raise ConnectionRefusedError
        return ask_once(other.address, what, message | {"to": int(other.store)})

    # -- elections ---------------------------------------------------------------------------------------------------

    def watch(self) -> None:
        while True:
            time.sleep(min(0.2, ELECTION / 10))
            now = time.monotonic()
            with self.lock:
                due = [r for r in self.regions.values()
                       if r.leader != self.id and now - r.heard > (r.patience or ELECTION)
                       and str(self.id) in r.voters]
                for region in due:
                    region.heard, region.patience = now, ELECTION * CHANCE.uniform(1.0, 2.0)
            if due:
                self.stand(due)

    def stand(self, regions: list[Region], force: bool = False) -> None:
        """Asks the other voters for their votes, all regions at once."""
        with self.lock:
            terms = {r.id: r.term + 1 for r in regions}
            votes = {r.id: {"term": terms[r.id], "last": r.last} for r in regions}
            alone = [r for r in regions if not self.other_voters(r)]
            for region in alone:
                self.win(region, terms[region.id])
            for store, follower in self.followers.items():
                asked = {str(r.id): votes[r.id] for r in regions if store in self.other_voters(r)}
                if asked:
                    threading.Thread(target=self.canvass, args=(follower, asked, force), daemon=True).start()

    def canvass(self, other: Follower, votes: Json, force: bool) -> None:
        """One vote is a majority, with that of this store."""
        try:
            granted = self.ask(other, "vote", {"force": force, "votes": votes})["granted"]
        except NOTHING:
            return
        with self.lock:
            for id_ in granted:
                self.win(self.regions[id_], votes[str(id_)]["term"])

    def win(self, region: Region, term: int) -> None:
        if region.term >= term:
            return
        self.record({"region": region.id, "term": term})
        region.leader, region.serving = self.id, False
        threading.Thread(target=self.begin, args=(region,), daemon=True).start()

    def begin(self, region: Region) -> None:
        """A leader serves once a change of its own term was acknowledged."""
        with region.turn:
            if self.propose(region, {}):
                region.serving = True
                print(f"[INFO] region {region.id}: leads in term {region.term}", flush=True)
                self.moved.set()

    # -- as a follower -----------------------------------------------------------------------------------------------

    def on_raft_port(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        message = json.loads(body)
        if self.cut_off or message["to"] != self.id:  # or it is for a store that had this address before
            return 503, Text("")
        match path:
            case "/stand-in/append":
                with self.lock:
                    return 200, self.append(message)
            case "/stand-in/vote":
                with self.lock:
                    return 200, {"granted": [int(r) for r, v in message["votes"].items()
                                             if self.grants(int(r), v, message["force"])]}
            case "/stand-in/stand":
                self.stand([self.regions[message["region"]]], force=True)
                return 200, {}
            case "/stand-in/read-index":
                return 200, self.read_index(message["region"])
        return 404, Text("")

    def grants(self, id_: int, vote: Json, force: bool) -> bool:
        region = self.regions.get(id_)
        if region is None or vote["term"] <= region.term or tuple(vote["last"]) < region.last:
            return False
        followed = self.may_serve(region) or (time.monotonic() - region.heard < ELECTION and region.leader != self.id)
        if followed and region.leader and not force:
            return False
        self.step_down(id_, vote["term"])
        self.record({"region": id_, "term": vote["term"]})
        region.leader, region.heard = 0, time.monotonic()
        return True

    def append(self, message: Json) -> Json:
        newer: dict[int, int] = {}
        lacking: set[int] = set()
        ok = [self.take(line, message["from"], newer, lacking) for line in message["entries"]]
        for id_, at in message["led"].items():
            region = self.regions.get(int(id_))
            if region is None:
                lacking.add(int(id_))
            elif self.follow(region, message["from"], at["term"], newer) and region.last != tuple(at["last"]):
                lacking.add(region.id)
        return {"ok": ok, "newer": newer, "lacking": sorted(lacking)}

    def take(self, line: Json, leader: int, newer: dict[int, int], lacking: set[int]) -> bool:
        region = self.regions.get(line["region"])
        if region is None and "whole" not in line:
            lacking.add(line["region"])
            return False
        if region is not None and not self.follow(region, leader, line["term"], newer):
            return False
        if "whole" in line:
            self.record(line)
            self.follow(self.regions[line["region"]], leader, line["term"], newer)
            return True
        assert region is not None
        if region.last == tuple(line["before"]):
            self.record(line)
        return region.last == tuple(line["at"])

    def follow(self, region: Region, leader: int, term: int, newer: dict[int, int]) -> bool:
        """False if it is no leader any more."""
        if term < region.term:
            newer[region.id] = region.term
            return False
        if region.leader != leader or term > region.term:
            if term > region.term:
                self.record({"region": region.id, "term": term})
            region.leader, region.serving, region.patience = leader, False, ELECTION * CHANCE.uniform(1.0, 2.0)
        region.heard = time.monotonic()
        return True

    # -- reads -------------------------------------------------------------------------------------------------------

    def read_index(self, id_: int) -> Json:
        """At the leader: how far a follower must be to read what was acknowledged; nothing if it does not lead."""
        region = self.regions[id_]
        with region.turn:
            return {"last": region.last} if self.may_serve(region) else {}

    def caught_up(self, region: Region) -> bool:
        """At a follower: waits until it has all that was acknowledged when this was asked."""
        leader = self.followers.get(str(region.leader))
        if leader is None:
            return False
        try:
            needed = tuple(self.ask(leader, "read-index", {"region": region.id})["last"])
        except (*NOTHING, KeyError):
            return False
        end = time.monotonic() + PATIENCE
        while region.last < needed and time.monotonic() < end:
            time.sleep(0.005)
        return region.last >= needed

