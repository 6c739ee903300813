"""The commands of the rule-based operator, and how it recognises them in its own history.

The history is its only memory. So each command is written in one way and recognised in one way.
"""

import ipaddress
import re
import shlex
from collections.abc import Collection

NAME = r"[a-zA-Z0-9][a-zA-Z0-9_.-]*"
_JQ = (
    ".[] | {Id, Name, RestartCount, State: (.State | {Status, ExitCode, OOMKilled, Error, FinishedAt}), "
    "Labels: .Config.Labels, Networks: ((.NetworkSettings.Networks // {}) | map_values(.Aliases)), "
    "Volumes: [.Mounts[]?.Name // empty], Limits: (.HostConfig | {NanoCpus, CpuQuota, Memory})}"
)
_INSPECT = re.compile(rf"docker inspect ((?:{NAME} )+)\| jq .*", re.DOTALL)
_LOGS = re.compile(rf"docker logs --tail \d+ ({NAME}) 2>&1")
_REPAIR = re.compile(
    rf"docker (?:start|unpause|restart) (?P<one>{NAME})"
    rf"|docker network connect(?: --alias {NAME})+ {NAME} (?P<two>{NAME})"
    rf"|docker update --cpu-quota (?:-1|\d+) (?P<three>{NAME})"
)
_CURL = "curl -fsS -m {limit} --noproxy '*'"
_PROBE = re.compile(rf"for from in (?:{NAME} ?)+; do for to in .*")

# General knowledge about a system, by its name: its health endpoint, the endpoint for peers, and the steps of its
# manual for a full database.
_HEALTH = {"etcd": "http://{address}:2379/health"}
_PEER = {"etcd": "http://{address}:2380/version"}
_MAKE_ROOM = {"etcd": (
    # forget old revisions, give the room back to the disk, lift the alarm NOSPACE (and no other: CORRUPT is no matter
    # of space)
    "set -o pipefail; revision=$({curl} -d '{{\"key\": \"AA==\", \"keys_only\": true}}' http://{any}:2379/v3/kv/range"
    " | jq -r .header.revision) && {curl} -d '{{\"revision\": \"'$revision'\", \"physical\": true}}' "
    "http://{any}:2379/v3/kv/compaction",
    "for member in {all}; do {curl} -d '{{}}' http://$member:2379/v3/maintenance/defragment || exit 1; done",
    "set -o pipefail; {curl} -d '{{\"action\": \"GET\"}}' http://{any}:2379/v3/maintenance/alarm | jq -c '.alarms[]? | "
    "select(.alarm == \"NOSPACE\") | {{action: \"DEACTIVATE\", memberID, alarm}}' | while read -r alarm; do "
    "{curl} -d \"$alarm\" http://{any}:2379/v3/maintenance/alarm || exit 1; done",
)}

# The scheduler that keeps leaders away from members, by its name in the manual, and how to remove it.
_EVICTION = {"tikv": ("evict-leader-scheduler",
                      "set -o pipefail; {curl} -X DELETE http://{any}:2379/pd/api/v1/schedulers/evict-leader-scheduler"
                      " | jq -r .")}
_WHOLE = (*(step for steps in _MAKE_ROOM.values() for step in steps), *(step for _, step in _EVICTION.values()))


def is_name(text: object) -> bool:
    """Is it safe and possible as the name of a container, network, project or alias?"""
    return isinstance(text, str) and re.fullmatch(NAME, text) is not None and len(text) <= 128


def survey(project: str) -> str:
    chosen = shlex.quote(f"label=com.docker.compose.project={project}")
    return (f"docker ps -a --no-trunc --filter {chosen} --format '{{{{json .}}}}'"
            " | jq -c '{ID, Names, State, Status, Labels}'")


def inspect(containers: list[str]) -> str:
    return f"docker inspect {' '.join(map(shlex.quote, containers))} | jq -c {shlex.quote(_JQ)}"


def logs(container: str, lines: int = 60) -> str:
    return f"docker logs --tail {lines} {shlex.quote(container)} 2>&1"


def start(container: str) -> str:
    return f"docker start {shlex.quote(container)}"


def unpause(container: str) -> str:
    return f"docker unpause {shlex.quote(container)}"


def restart(container: str) -> str:
    return f"docker restart {shlex.quote(container)}"


def unthrottle(container: str, quota: int) -> str:
    """`quota` in microseconds of processor time a period; -1 for none."""
    return f"docker update --cpu-quota {quota} {shlex.quote(container)}"


def _host(address: str) -> str:
    """For a URL."""
    return address if ":" not in address else f"[{address}]"


def make_room(subject: str, addresses: list[str]) -> tuple[str, ...]:
    """The steps that free space and allow writes again; () where none are known for the subject."""
    if not addresses:
        return ()
    hosts = [_host(a) for a in addresses]
    return tuple(step.format(curl=_CURL.format(limit=30), any=hosts[0], all=" ".join(map(shlex.quote, hosts)))
                 for step in _MAKE_ROOM.get(subject, ()))


def call_back(subject: str, schedulers: Collection[str], address: str | None) -> str | None:
    """The command that removes the scheduler which keeps leaders away from members; None where it is not among
    `schedulers`. `address` is the leader's."""
    name, step = _EVICTION.get(subject, ("", ""))
    if not address or name not in schedulers:
        return None
    return step.format(curl=_CURL.format(limit=30), any=_host(address))


def probe(subject: str, members: dict[str, str]) -> str | None:
    """Every container sends a request to every address (its own too); None where the endpoint is not known. `members`
    maps containers to addresses. A line of the answer: container, address, exit status of curl."""
    pattern = _PEER.get(subject)
    if pattern is None or len(members) < 2:
        return None
    url = pattern.format(address="$to")
    return (f"for from in {' '.join(map(shlex.quote, members))}; do for to in "
            f"{' '.join(shlex.quote(_host(a)) for a in members.values())}; do "
            f"(docker exec $from {_CURL.format(limit=2)} -o /dev/null {url} 2>/dev/null; "
            "echo $from $to $?) & done; done; wait")


def connect(network: str, container: str, aliases: list[str]) -> str:
    names = " ".join(f"--alias {shlex.quote(alias)}" for alias in aliases)
    return f"docker network connect {names} {shlex.quote(network)} {shlex.quote(container)}"


def health(subject: str, addresses: list[str]) -> str | None:
    """Asks each address for its health; None where the endpoint is not known."""
    pattern = _HEALTH.get(subject)
    if pattern is None or not addresses:
        return None
    urls = [pattern.format(address=_host(a)) for a in addresses]
    return " && ".join(f"curl -fsS -m 3 --noproxy '*' {shlex.quote(url)}" for url in urls)


def is_address(text: object) -> bool:
    try:
        ipaddress.ip_address(text if isinstance(text, str) else "")
    except ValueError:
        return False
    return True


def inspected_in(command: str) -> list[str]:
    """The containers that this command inspects; empty when it is no inspect of ours."""
    match = _INSPECT.fullmatch(command)
    return match.group(1).split() if match else []


def logged_in(command: str) -> str | None:
    match = _LOGS.fullmatch(command)
    return match.group(1) if match else None


def is_probe(command: str) -> bool:
    return _PROBE.fullmatch(command) is not None


def repaired_in(command: str) -> str | None:
    """The container that this command repairs, "" for all of them; None when it is no repair of ours."""
    if any(_shape(step).fullmatch(command) for step in _WHOLE):
        return ""
    match = _REPAIR.fullmatch(command)
    return match.group("one") or match.group("two") or match.group("three") if match else None


def _shape(step: str) -> re.Pattern[str]:
    """The commands that `make_room` or `call_back` can make of a step."""
    parts = re.split(r"\{curl\}|\{any\}|\{all\}", step)
    return re.compile(".+?".join(re.escape(part.replace("{{", "{").replace("}}", "}")) for part in parts))


def repairs_told_in(report: str) -> list[str]:
    """Our repairs in a report of earlier work, in order. A line of it: `- shell: COMMAND -> result`."""
    commands = re.findall(r"^- shell: (.+?) -> ", report, re.MULTILINE)
    return [command for command in commands if repaired_in(command) is not None]
