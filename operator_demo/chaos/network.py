"""Faults inside a member's own network namespace, set by one-shot helpers that share it.

They end when the member is restarted, because it then has a new namespace. Each rule or queue has a name of its own (a
chain, a handle), so that reverting removes nothing else.
"""

import re
import secrets
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

from operator_demo.chaos import helper
from operator_demo.chaos.container_state import KILL, same_container
from operator_demo.chaos.primitive import Before, FaultError, Ground, Parameter, Primitive, Proof, Values
from operator_demo.engine import Container

# The one that the kernel supports; the same choice every time.
_IPTABLES = "ipt=iptables-nft; $ipt -S >/dev/null 2>&1 || ipt=iptables-legacy\n"
_RIGHTS = ("NET_ADMIN", "NET_RAW")


class NamespaceFault(Primitive):
    """`setting` is the script that injects the fault, `present` succeeds while it is in effect, `taking` reverts it."""

    every = 6.0  # a look costs a helper container
    settle = 15.0
    needs: str  # a script that succeeds, in a namespace of its own, if the kernel supports the fault

    def problem(self, ground: Ground, targets: Sequence[str]) -> str | None:
        if missing := helper.missing(ground):
            return missing
        status, output = helper.probe(ground, self.needs, _RIGHTS)
        if status != 0:
            return f"the engine's kernel cannot do it ({output})"
        wrong = KILL.problem(ground, ground.subject.members if targets else [])
        if wrong or not targets:
            return wrong
        containers = ground.containers()
        if len(containers) < 2 or set(targets) == set(containers):
            return "a member must be left on the other side"
        alone = [name for name, container in containers.items() if container.address is None]
        return f"{', '.join(alone)} is not on the network" if alone else None

    def before(self, ground: Ground, targets: Sequence[str], values: Values) -> Before:
        containers = ground.containers()
        return {name: {"id": containers[name].id, "started": ground.inspect(name)["State"]["StartedAt"],
                       "name": f"N{secrets.token_hex(3)}", "peers": self.peers(containers, targets, name)}
                for name in targets}

    def peers(self, containers: Mapping[str, Container], targets: Sequence[str], name: str) -> dict[str, str]:
        """The other members that the fault concerns: name -> address."""
        return {other: str(c.address) for other, c in containers.items() if other != name and c.address}

    def inject(self, ground: Ground, targets: Sequence[str], values: Values, before: Before) -> None:
        for name in targets:
            status, output = self.inside(ground, before, name, self.setting(before[name], values))
            if status != 0:
                raise FaultError(f"The rules for {name} could not be set: {output}")

    def prove(self, ground: Ground, targets: Sequence[str], values: Values, before: Before) -> Proof:
        saw = []
        for name in targets:
            if not self.unchanged(ground, before, name):
                return Proof(False, f"{name} was restarted, or a peer has another address")
            proof = self.measure(ground, before, name, values)
            if not proof.bites:
                return proof
            saw.append(proof.saw)
        return Proof(True, ", ".join(saw))

    @abstractmethod
    def measure(self, ground: Ground, before: Before, name: str, values: Values) -> Proof:
        """Does it take effect on this target, whose namespace and peers are unchanged?"""

    def holds(self, ground: Ground, targets: Sequence[str], values: Values, before: Before) -> Proof:
        gone = [name for name in targets if not self.unchanged(ground, before, name)
                or self.inside(ground, before, name, self.present(before[name]))[0] != 0]
        return Proof(not gone, f"no more in the namespace of {', '.join(gone)}" if gone else "the rules are in place")

    def revert(self, ground: Ground, targets: Sequence[str], values: Values, before: Before) -> None:
        for name in targets:
            container = same_container(ground, before, name)
            if container is None or container.state not in ("running", "paused"):
                continue  # a namespace ends with its process
            status, output = self.inside(ground, before, name, self.taking(before[name]))
            if status != 0 and same_container(ground, before, name) == container:
                raise FaultError(f"The rules for {name} could not be removed: {output}")

    def inside(self, ground: Ground, before: Before, name: str, script: str) -> tuple[int, str]:
        return helper.run_for_line(ground, script, network_of=before[name]["id"], capabilities=_RIGHTS)

    def unchanged(self, ground: Ground, before: Before, name: str) -> bool:
        """Is it still the same namespace, and do the peers have the same addresses?"""
        containers = ground.containers()
        container = same_container(ground, before, name)
        if container is None or container.state not in ("running", "paused"):
            return False
        if ground.inspect(name)["State"]["StartedAt"] != before[name]["started"]:
            return False
        return all(containers[other].address in (None, address) for other, address in before[name]["peers"].items()
                   if other in containers)

    @abstractmethod
    def setting(self, was: Before, values: Values) -> str: ...

    @abstractmethod
    def present(self, was: Before) -> str: ...

    @abstractmethod
    def taking(self, was: Before) -> str: ...


class RulesFault(NamespaceFault):
    """Rules of iptables in a chain of their own."""

    chains: Sequence[str]
    needs = _IPTABLES + "$ipt -A INPUT -s 192.0.2.1 -j DROP"

    def present(self, was: Before) -> str:
        return _IPTABLES + "\n".join(f"$ipt -C {chain} -j {was['name']} || exit 1" for chain in self.chains)

    def taking(self, was: Before) -> str:
        jumps = "\n".join(f"$ipt -D {chain} -j {was['name']}" for chain in self.chains)
        return (f"{_IPTABLES}exec 2>/dev/null\n{jumps}\n$ipt -F {was['name']}\n$ipt -X {was['name']}\n"
                f"! $ipt -S | grep {was['name']}")

    def setting(self, was: Before, values: Values) -> str:
        rules = "\n".join(f"$ipt -A {was['name']} {rule}" for rule in self.rules(was, values))
        jumps = "\n".join(f"$ipt -I {chain} -j {was['name']}" for chain in self.chains)
        return f"{_IPTABLES}set -e\n$ipt -N {was['name']}\n{rules}\n{jumps}"

    @abstractmethod
    def rules(self, was: Before, values: Values) -> list[str]: ...


class Partition(RulesFault):
    kind, what = "partition", "the targets and the other members cannot reach each other; clients reach them all"
    proof = "no ping passes between the sides, and the rules are in place"
    chains = ("INPUT", "OUTPUT")

    def peers(self, containers: Mapping[str, Container], targets: Sequence[str], name: str) -> dict[str, str]:
        return {other: str(c.address) for other, c in containers.items() if other not in targets and c.address}

    def rules(self, was: Before, values: Values) -> list[str]:
        return [f"{side} {address} -j DROP" for address in was["peers"].values() for side in ("-s", "-d")]

    def prove(self, ground: Ground, targets: Sequence[str], values: Values, before: Before) -> Proof:
        proof = super().prove(ground, targets, values, before)
        cut = sorted({other for name in targets for other in before[name]["peers"]})
        return Proof(True, f"{', '.join(targets)} cannot reach {', '.join(cut)}") if proof.bites else proof

    def measure(self, ground: Ground, before: Before, name: str, values: Values) -> Proof:
        # All in the background: only an answer prints something.
        pings = "\n".join(f"ping -n -q -c 1 -W 1 {address} >/dev/null 2>&1 && echo reached {other} &"
                          for other, address in before[name]["peers"].items())
        status, output = self.inside(ground, before, name, f"{self.present(before[name])}\n{pings}\nwait")
        reached = re.findall(r"reached (\S+)", output)
        if status != 0 or reached:
            return Proof(False, f"{name} reaches {', '.join(reached)}" if reached else f"no rules in {name}")
        return Proof(True, f"{name} reaches nobody on the other side")


class Loss(RulesFault):
    kind, what = "loss", "a share of the packets that arrive at the member is lost"
    proof = "the share of packets that the rule dropped, under pings to a peer"
    parameters: ClassVar = {"loss": Parameter("share of the incoming packets", "%", 1, 100, 20)}
    chains = ("INPUT",)
    needs = _IPTABLES + "$ipt -A INPUT ! -i lo -m statistic --mode random --probability 0.5 -j DROP"

    def rules(self, was: Before, values: Values) -> list[str]:
        return [f"! -i lo -m statistic --mode random --probability {min(values['loss'] / 100, 1):.9f} -j DROP"]

    def measure(self, ground: Ground, before: Before, name: str, values: Values) -> Proof:
        was = before[name]
        status, output = self.inside(ground, before, name, (
            f"{self.present(was)}\nping -n -q -c 100 -i 0.005 -W 1 {a_peer(was)} >/dev/null\n"
            f"$ipt -L INPUT -v -x -n | awk '$3 == \"{was['name']}\" {{print \"seen\", $1}}'\n"
            f"$ipt -L {was['name']} -v -x -n | awk '$3 == \"DROP\" {{print \"lost\", $1}}'"))
        counts = dict(re.findall(r"(seen|lost) (\d+)", output))
        if status != 0 or int(counts.get("seen", 0)) == 0:
            return Proof(False, f"no rules in {name}")
        share = 100 * int(counts.get("lost", 0)) / int(counts["seen"])
        return Proof(share >= values["loss"] / 4, f"{share:.1f} % of the packets to {name} are lost")


# The interface towards a peer.
_DEVICE = "dev=$(ip -o route get {peer} | sed -n 's/.* dev \\([^ ]*\\).*/\\1/p')\n"


class QueueFault(NamespaceFault):
    """A queueing discipline (tc) on the interface towards the peers, under a handle of its own."""

    def before(self, ground: Ground, targets: Sequence[str], values: Values) -> Before:
        before = super().before(ground, targets, values)
        for name in targets:
            was = before[name]
            was["handle"] = f"{secrets.randbelow(0x7000) + 0x1000:x}:"
            status, output = self.inside(ground, before, name, f"{self.device(was)}tc qdisc show dev $dev root")
            if status != 0 or not re.match(r"qdisc noqueue|$", output):
                raise FaultError(f"The network interface of {name} has a queue already: {output}")
        return before

    def device(self, was: Before) -> str:
        return _DEVICE.format(peer=a_peer(was))

    def setting(self, was: Before, values: Values) -> str:
        return f"set -e\n{self.device(was)}tc qdisc add dev $dev root handle {was['handle']} {self.queue(values)}"

    def present(self, was: Before) -> str:
        return f"{self.device(was)}tc qdisc show dev $dev root | grep ' {was['handle']} '"

    def taking(self, was: Before) -> str:
        return (f"for dev in $(tc qdisc show | sed -n 's/.* {was['handle']} dev \\([^ ]*\\) .*/\\1/p'); do\n"
                f"tc qdisc del dev $dev root; done\n! tc qdisc show | grep ' {was['handle']} '")

    @abstractmethod
    def queue(self, values: Values) -> str: ...


class Latency(QueueFault):
    kind, what = "latency", "what the member sends is delayed"
    proof = "the mean round trip of pings to a peer"
    parameters: ClassVar = {"delay": Parameter("delay of each packet", "ms", 1, 10_000, 200),
                            "jitter": Parameter("how much the delay varies, up and down", "ms", 0, 5_000, 0)}
    needs = "tc qdisc add dev lo root netem delay 1ms"

    def problem(self, ground: Ground, targets: Sequence[str]) -> str | None:
        problem = super().problem(ground, targets)
        return "the engine's kernel has no sch_netem" if problem and "kind is unknown" in problem else problem

    def queue(self, values: Values) -> str:
        return f"netem limit 10000 delay {values['delay']:g}ms {values['jitter']:g}ms"

    def measure(self, ground: Ground, before: Before, name: str, values: Values) -> Proof:
        _, output = self.inside(ground, before, name, f"ping -n -q -c 5 -i 0.1 -W 30 {a_peer(before[name])}")
        mean = re.search(r"= [\d.]+/([\d.]+)/", output)
        trip = float(mean[1]) if mean else 0.0
        return Proof(trip >= 0.7 * max(values["delay"] - values["jitter"], 1.0),
                     f"a round trip from {name} takes {trip:.1f} ms")


class Bandwidth(QueueFault):
    kind, what = "bandwidth", "what the member sends is throttled"
    proof = "the rate that a flood of pings to a peer reaches"
    parameters: ClassVar = {"rate": Parameter("what the member may send", "kbit/s", 10, 1_000_000, 500)}
    needs = "tc qdisc add dev lo root tbf rate 1mbit burst 4k latency 50ms"

    def queue(self, values: Values) -> str:
        return f"tbf rate {values['rate']:g}kbit burst {self.burst(values):.0f} latency 400ms"

    @staticmethod
    def burst(values: Values) -> float:
        """Bytes that may pass at once: a packet or two, and 10 ms of the rate (a tick of the kernel's clock)."""
        return 3200 + values["rate"] * 1000 / 8 / 100

    def measure(self, ground: Ground, before: Before, name: str, values: Values) -> Proof:
        was, peer = before[name], a_peer(before[name])
        script = (f"{self.device(was)}sent() {{ cat /sys/class/net/$dev/statistics/tx_bytes; }}\n"
                  f"a=$(sent); timeout 1 ping -n -f -q -s 1300 {peer} >/dev/null 2>&1; echo rate $(($(sent)-a))\n"
                  + self.present(was))
        status, output = self.inside(ground, before, name, script)
        sent = re.search(r"rate (\d+)", output)
        rate = int(sent[1]) * 8 / 1000 if sent else 0.0  # kbit in one second
        bites = status == 0 and sent is not None and rate <= 1.3 * values["rate"] + self.burst(values) * 8 / 1000
        return Proof(bites, f"{name} sends {rate:.0f} kbit/s")


def a_peer(was: Before) -> str:
    """The address of one peer that the fault concerns."""
    return str(next(iter(was["peers"].values())))
