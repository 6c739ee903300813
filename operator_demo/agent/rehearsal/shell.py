"""The commands that the operator of rules types, and how it recognises them in its own history.

The history is its only memory, so each command has one way to be written and one way to be read back.
"""

import ipaddress
import re
import shlex

NAME = r"[a-zA-Z0-9][a-zA-Z0-9_.-]*"
_JQ = (
    ".[] | {Id, Name, RestartCount, State: (.State | {Status, ExitCode, OOMKilled, Error, FinishedAt}), "
    "Labels: .Config.Labels, Networks: ((.NetworkSettings.Networks // {}) | map_values(.Aliases)), "
    "Volumes: [.Mounts[]?.Name // empty]}"
)
_INSPECT = re.compile(rf"docker inspect ((?:{NAME} )+)\| jq .*", re.DOTALL)
_LOGS = re.compile(rf"docker logs --tail \d+ ({NAME}) 2>&1")
_REPAIR = re.compile(
    rf"docker (?:start|unpause) (?P<one>{NAME})"
    rf"|docker network connect(?: --alias {NAME})+ {NAME} (?P<two>{NAME})"
)

# What anybody who runs such a system knows: where it answers whether it is well.
_HEALTH = {"etcd": "http://{address}:2379/health"}


def is_name(text: object) -> bool:
    """Is it safe and possible as the name of a container, network, project or alias?"""
    return isinstance(text, str) and re.fullmatch(NAME, text) is not None and len(text) <= 128


def survey(project: str) -> str:
    chosen = shlex.quote(f"label=com.docker.compose.project={project}")
    return (f"docker ps -a --no-trunc --filter {chosen} --format '{{{{json .}}}}'"
            " | jq -c '{ID, Names, State, Status, Labels}'")


def inspect(containers: list[str]) -> str:
    return f"docker inspect {' '.join(map(shlex.quote, containers))} | jq -c {shlex.quote(_JQ)}"


def logs(container: str, lines: int = 8) -> str:
    return f"docker logs --tail {lines} {shlex.quote(container)} 2>&1"


def start(container: str) -> str:
    return f"docker start {shlex.quote(container)}"


def unpause(container: str) -> str:
    return f"docker unpause {shlex.quote(container)}"


def connect(network: str, container: str, aliases: list[str]) -> str:
    names = " ".join(f"--alias {shlex.quote(alias)}" for alias in aliases)
    return f"docker network connect {names} {shlex.quote(network)} {shlex.quote(container)}"


def health(subject: str, addresses: list[str]) -> str | None:
    """A question to each address whether it is well; None where nobody knows how to ask."""
    pattern = _HEALTH.get(subject)
    if pattern is None or not addresses:
        return None
    urls = [pattern.format(address=a if ":" not in a else f"[{a}]") for a in addresses]
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


def repaired_in(command: str) -> str | None:
    """The container that this command repairs; None when it is no repair of ours."""
    match = _REPAIR.fullmatch(command)
    return match.group("one") or match.group("two") if match else None


def repairs_told_in(report: str) -> list[str]:
    """Repairs of ours in a report of earlier work, in its order. A line of it: `- shell: COMMAND -> how it went`."""
    told = re.findall(r"^- shell: (.+?) -> ", report, re.MULTILINE)
    return [command for command in told if repaired_in(command)]
