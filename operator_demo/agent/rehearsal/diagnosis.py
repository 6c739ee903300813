"""From the engine's description of one container to a cause and, if a rule fits, to the smallest repair.

Without a rule there is no repair: a human is asked. Nothing here deletes, recreates or reconfigures anything.
"""

import re
from dataclasses import dataclass

from operator_demo.agent.rehearsal import shell
from operator_demo.agent.rehearsal.facts import Inspected, Row, Sight

_MEANT_TO_BE_STOPPED = re.compile(
    r"\b(stopped|(do not|dont|don t|never|no) (re)?start|on purpose|intentional(ly)?|deliberate(ly)?|maintenance"
    r"|(stay|keep|leave|meant to be) (it )?(down|off|alone)|decommissioned|retired|parked)\b"
)
_NO = {"false", "no", "0", "off", "none", ""}

# What a log shows about the cause. It only selects the cause of the finding, never a command.
_LOG_HINTS = (
    ("disk_full", re.compile(r"no space left on device|disk quota exceeded|database space exceeded", re.I)),
    ("data_corruption", re.compile(r"corrupt|checksum mismatch|crc mismatch|unexpected EOF.*(wal|snap)|"
                                   r"duplicated store address|has already been bootstrapped", re.I)),
    ("resource_exhausted", re.compile(r"out of memory|cannot allocate memory|too many open files", re.I)),
    ("misconfiguration", re.compile(r"unknown flag|invalid (value|configuration|argument)|error parsing|"
                                    r"cluster ID mismatch|permission denied|address already in use|"
                                    r"error (converting|unmarshaling)|cannot unmarshal|unknown field|"
                                    r"invalid [\w ]{0,30}configuration file|"
                                    r"flag provided but not defined|failed to (load config|verify flags)", re.I)),
)
_INVARIANT_HINTS = (
    ("disk_full", re.compile(r"space|disk|quota", re.I)),
    ("data_corruption", re.compile(r"corrupt|hash|diverge", re.I)),
)


@dataclass(frozen=True)
class Diagnosis:
    """`repair` is the command that removes the cause, None where no rule fits. `may_pass`: the member may only be
    starting or electing, so it is worth another look. Repairs with less `effort` come first."""

    member: str
    cause: str
    text: str
    repair: str | None = None
    may_pass: bool = False
    effort: int = 0


@dataclass(frozen=True)
class Evidence:
    """What is known of one member. `peers` are the other members; `invariants` those that this member violates, with
    the monitor's `texts`; `cut_off` names, if that was tested, the running peers that it does not reach."""

    sight: Sight
    inspected: Inspected
    project: str
    network: str | None
    peers: list[Inspected]
    row: Row | None
    log: str
    invariants: list[str]
    texts: list[str]
    cut_off: str

    @property
    def member(self) -> str:
        return self.sight.name

    def unknown(self, text: str, cause: str = "unknown", may_pass: bool = False) -> Diagnosis:
        """No rule fits; the log and the invariants may name the cause."""
        hint = hint_of(self.log, _LOG_HINTS) or hint_of(" ".join(self.invariants), _INVARIANT_HINTS)
        return Diagnosis(self.member, hint or cause, text, may_pass=may_pass)


def diagnose(e: Evidence) -> Diagnosis:
    member, inspected = e.member, e.inspected
    if inspected.project != e.project:
        return e.unknown(f"{inspected.name} does not belong to the project {e.project}. It is not mine to touch.")
    if label := meant_to_be_stopped(inspected.labels):
        return Diagnosis(member, "process_stopped", f"{member} is {inspected.status}, and its label says that this is "
                                                    f"meant: {label}. I leave it alone.")
    if inspected.oom_killed:
        return Diagnosis(member, "resource_exhausted",
                         f"{member} is {inspected.status} after the kernel killed a process in it: out of memory. "
                         "It would hit the same limit again; raising the limit is a human's decision.")
    match inspected.status:
        case "paused":
            return Diagnosis(member, "process_frozen",
                             f"{member} is paused: its processes are there, but get no processor time. Nothing is "
                             "lost; to let them run again is enough.", shell.unpause(inspected.name))
        case "exited":
            return _exited(e)
        case "restarting":
            return e.unknown(f"{member} ends by itself again and again (exit status {inspected.exit_code}, "
                             f"{inspected.restarts} restarts). One more start changes nothing.", "process_crashed",
                             may_pass=True)
        case "running":
            return _running(e)
    return e.unknown(f"{member} is in the state {inspected.status!r}, for which I have no rule.")


def _running(e: Evidence) -> Diagnosis:
    member, inspected = e.member, e.inspected
    if e.network and e.network not in inspected.networks and any(e.network in peer.networks for peer in e.peers):
        return _unattached(member, inspected, e.network, e.peers)
    if e.cut_off:
        return Diagnosis(member, "network_partition",
                         f"{member} runs and answers itself, yet {e.cut_off}: something on the way drops their "
                         "packets. It does no work as it is, so a restart costs nothing and gives it a network of its "
                         "own anew.", shell.restart(inspected.name), effort=3)
    if limited := held_back(member, inspected, e.peers):
        return limited
    report = e.sight.error or " ".join(e.texts).rstrip(".")
    error = f" The monitor says: {report}." if report else ""
    again = f" It has ended by itself and come back {inspected.restarts} times." if inspected.restarts else ""
    return e.unknown(f"{member} runs, is not paused and hangs on its network, yet it is not well.{again}{error}",
                     "process_crashed" if inspected.restarts else "unknown", may_pass=True)


def _usual_quota(peers: list[Inspected]) -> int | None:
    """The CPU quota that all the other members have (0: none); None where they differ."""
    quotas = {peer.limits.get("CpuQuota", 0) for peer in peers}
    return quotas.pop() if len(quotas) == 1 and len(peers) > 1 else None


def held_back(member: str, inspected: Inspected, peers: list[Inspected]) -> Diagnosis | None:
    """The diagnosis of a member with a lower CPU quota than all its peers; None for any other."""
    quota, usual = inspected.limits.get("CpuQuota", 0), _usual_quota(peers)
    if usual is None or not quota or (usual and quota >= usual):
        return None
    others = f"its peers have {usual} us" if usual else "none of its peers has such a limit"
    return Diagnosis(member, "resource_exhausted",
                     f"{member} may use {quota} us of processor time a period, and {others}. All members "
                     "are the same service, so I give it what the others have.",
                     shell.unthrottle(inspected.name, usual or -1), effort=1)


def _exited(e: Evidence) -> Diagnosis:
    member, inspected, code = e.member, e.inspected, e.inspected.exit_code
    when = f", {e.row.since}" if e.row and e.row.since else ""
    kept = f" Its volume {inspected.volumes[0]} is still attached" if inspected.volumes else " Its container is intact"
    smallest = f"{kept}, so starting it again is the smallest repair."
    if inspected.error:
        return e.unknown(f"{member} could not be started; the engine says: {inspected.error}", "misconfiguration")
    if code == 137:
        return Diagnosis(member, "process_killed",
                         f"{member} exited with status 137{when}. It did not run out of memory: somebody "
                         f"killed it (SIGKILL).{smallest}", shell.start(inspected.name), effort=2)
    if code in (0, 143):
        how = "in good order" if code == 0 else "on SIGTERM"
        return Diagnosis(member, "process_stopped",
                         f"{member} ended {how}, exit status {code}{when}: somebody stopped it, and no label says "
                         f"that it should stay so.{smallest}", shell.start(inspected.name), effort=2)
    return e.unknown(f"{member} ended by itself with exit status {code}{when}. Whatever made it end is still there.",
                     "process_crashed")


def _unattached(member: str, inspected: Inspected, network: str, peers: list[Inspected]) -> Diagnosis:
    aliases = aliases_like(inspected, [peer for peer in peers if network in peer.networks], network)
    names = " and ".join(aliases)
    return Diagnosis(member, "network_disconnected",
                     f"{member} runs, but it is not attached to {network}, the network where its peers are. "
                     f"I attach it again, known to its peers as {names}.",
                     shell.connect(network, inspected.name, aliases), effort=1)


def aliases_like(own: Inspected, peers: list[Inspected], network: str) -> list[str]:
    """The aliases that this container had on the network, derived from those of its peers.

    An alias that each peer has after its own service or container is built from this container's names; an alias that
    all peers share is copied. The short id, which the engine adds itself, is left out. The service's name is always
    included.
    """
    patterns = [{_pattern(alias, peer) for alias in peer.networks[network]} for peer in peers]
    common = set.intersection(*patterns) if patterns else set()
    named = {pattern.format(container=own.name, service=own.service) for pattern in common if pattern != "{id}"}
    return sorted(alias for alias in named | {own.service or own.name} if shell.is_name(alias))


def _pattern(alias: str, of: Inspected) -> str:
    if of.id.startswith(alias) and len(alias) >= 12:
        return "{id}"
    if alias == of.name:
        return "{container}"
    if of.service and alias.split(".")[0] == of.service:
        return "{service}" + alias[len(of.service):]
    return alias


def meant_to_be_stopped(labels: dict[str, str]) -> str | None:
    """The label, as `key=value`, that says that the container should not run; None without one."""
    for key, value in labels.items():
        if key.startswith(("com.docker.compose.", "org.opencontainers.")) or value.strip().lower() in _NO:
            continue
        if _MEANT_TO_BE_STOPPED.search(re.sub(r"[^a-z]+", " ", f"{key} {value}".lower())):
            return f"{key}={value}"
    return None


def hint_of(text: str, hints: tuple[tuple[str, re.Pattern[str]], ...]) -> str | None:
    return next((cause for cause, pattern in hints if pattern.search(text)), None)
