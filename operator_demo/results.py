"""The result of a tool call in one short sentence for people. The record has the whole of it.

What a command was is told from its text: that decides only how its output is read, never whether it may run.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from operator_demo import output_shapes as shapes
from operator_demo.fields import JsonObject
from operator_demo.screen.quantities import plural
from operator_demo.text import clean, one_line

MOST = 160  # characters of a sentence
_HEAD = re.compile(r"exit status -?\d+ \([\d.]+ s\)(?:\n|$)|(?:timed out after|interrupted).*(?:\n|$)")
_STDERR = re.compile(r"^--- stderr$", re.MULTILINE)
_DOCKER = re.compile(r"\bdocker (?:container )?(network connect|network disconnect|[a-z]+)\b([^|;&\n]*)")
_STATUS = re.compile(r"Up\b[^\t|\"]*|Exited \(\d+\)[^\t|\"]*|Restarting[^\t|\"]*|Created|Dead|Removal In Progress")
_UNITS = ((r"\bAbout an? ", "1 "), (r"\bLess than a second", "0 s"), (r" seconds?\b", " s"), (r" minutes?\b", " min"),
          (r" hours?\b", " h"))
_DONE = {"start": "started", "stop": "stopped", "restart": "restarted", "kill": "killed", "pause": "paused",
         "unpause": "runs on", "update": "has new limits", "rm": "removed"}


@dataclass(frozen=True)
class Ran:
    """A tool call that is over. `status` and `exit_code` as in `events.ToolResult`; `project` is what the names of
    containers begin with, "" where that is not known."""

    tool: str
    input: JsonObject
    status: str
    output: str
    exit_code: int | None = None
    project: str = ""

    @property
    def command(self) -> str:
        command = self.input.get("command")
        return command if isinstance(command, str) else ""

    @property
    def worked(self) -> bool:
        return self.status == "ok" and self.exit_code in (None, 0)


def sentence(ran: Ran, most: int = MOST) -> str:
    """At most `most` characters, without line breaks and control characters. Raises nothing."""
    try:
        told = _about(ran)
    except Exception:  # whatever a tool printed: a sentence about it may be dull, never missing
        told = _last(ran.output)
    return one_line(clean(told), most) or "no output"


def _about(ran: Ran) -> str:
    match ran.status:
        case "refused":
            return one_line(ran.output, MOST) or "refused"
        case "unknown":
            return "nobody knows how it ended"
    if not ran.worked:
        return _failure(ran)
    match ran.tool:
        case "shell":
            return _about_command(ran)
        case "observe":
            return _about_look(shapes.objects(shapes.json_values(ran.output)))
        case "inspect":
            return _about_containers(shapes.objects(shapes.json_values(ran.output)), ran.project)
        case "logs":
            return shapes.about_log(_lines(ran.output))
    return next(iter(_lines(ran.output)), "no output")


def _failure(ran: Ran) -> str:
    """What it says of itself: the last line of stderr, else the last line."""
    out, err = parts(ran.output)
    last = _last(err.partition("--- ended with it")[0] or out)
    match ran.status:
        case "timeout":
            return f"timed out; {last}"
        case "interrupted":
            return f"interrupted; {last}"
    return f"exit {ran.exit_code}: {last}" if ran.exit_code else last


def parts(output: str) -> tuple[str, str]:
    """The stdout and the stderr in what the shell tool returned."""
    head = _HEAD.match(output)
    body = output[head.end():] if head else output
    found = list(_STDERR.finditer(body))
    return (body[:found[-1].start()], body[found[-1].end():]) if found else (body, "")


# -- commands ---------------------------------------------------------------------------------------------------------


def _about_command(ran: Ran) -> str:
    out, err = parts(ran.output)
    found = _DOCKER.findall(ran.command)
    verb, rest = found[-1] if found else ("", "")
    if verb in _DONE or verb.startswith("network "):
        return _done(verb, rest.split(), ran.project)
    reader: Callable[[str, str], str] | None = {"ps": _about_ps, "inspect": _about_inspect}.get(verb)
    if reader is not None and (told := reader(out, ran.project)):
        return told
    if verb == "logs":
        return shapes.about_log(_lines(out + err))
    if "$?" in ran.command and (told := shapes.about_statuses(_lines(out))):
        return told
    if pause := re.fullmatch(r"\s*sleep (\d+(?:\.\d+)?)\s*", ran.command):
        return f"waited {pause[1]} s"
    return _about_output(out, err)


def _about_output(out: str, err: str) -> str:
    lines = _lines(out) or _lines(err)
    if not lines:
        return "no output"
    about = shapes.about_json(shapes.json_values(out)) or shapes.about_table(shapes.rows(out))
    if about:
        return about
    return lines[-1] if len(lines) <= 2 else f"{plural(len(lines), 'line')}, last: {lines[-1]}"


def _done(verb: str, words: list[str], project: str) -> str:
    """`etcd1 started`, `etcd1 connected to demo-etcd_default`"""
    names = [word.strip("'\"") for word in words if not word.startswith("-")]
    last = short(names[-1], project) if names else "it"
    if verb == "network connect":
        return f"{last} connected to {names[-2]}" if len(names) > 1 else f"{last} connected"
    if verb == "network disconnect":
        return f"{last} disconnected from {names[-2]}" if len(names) > 1 else f"{last} disconnected"
    takes_a_value = any(word.startswith("-") and "=" not in word for word in words)
    shown = [last] if takes_a_value or not names else [short(name, project) for name in names]
    return f"{', '.join(shown)} {_DONE[verb]}"


def _about_ps(out: str, project: str) -> str:
    """`etcd1 exited (137) 4 s ago · etcd0, etcd2 up 35 s`"""
    states = list(_states(out))
    if not states:
        return ""
    return _told_apart([(short(name, project), _short_status(status)) for name, status in states], _is_up)


def _states(out: str) -> Iterable[tuple[str, str]]:
    """Names and statuses of containers, as JSON, as a table, or in lines of any form."""
    if listed := shapes.objects(shapes.json_values(out)):
        for item in listed:
            name, status = item.get("Names") or item.get("Name"), item.get("Status") or item.get("State")
            if isinstance(name, str) and isinstance(status, str):
                yield name, status
        return
    if table := [row for row in shapes.rows(out) if "NAMES" in row and "STATUS" in row]:
        yield from ((row["NAMES"], row["STATUS"]) for row in table)
        return
    for line in _lines(out):
        if (status := _STATUS.search(line)) and (others := (line[:status.start()] + line[status.end():]).split()):
            yield others[0], status.group()


def _short_status(status: str) -> str:
    status = status.strip().lower()
    for long, brief in _UNITS:
        status = re.sub(long, brief, status, flags=re.IGNORECASE)
    return status.replace(" (healthy)", "")


def _is_up(status: str) -> bool:
    return status.startswith(("up", "running")) and "unhealthy" not in status and "paused" not in status


def _told_apart(states: list[tuple[str, str]], well: Callable[[str], bool]) -> str:
    """What is not well each by itself, then the others together."""
    bad = [f"{name} {state}" for name, state in states if not well(state)]
    good = [(name, state) for name, state in states if well(state)]
    if not bad:
        return f"all {len(good)} {_common(good)}" if len(good) > 1 else f"{good[0][0]} {good[0][1]}"
    if not good:
        return " · ".join(bad)
    if len(good) > 3:
        return " · ".join([*bad, f"the other {len(good)} {_common(good)}"])
    return " · ".join([*bad, f"{', '.join(name for name, _ in good)} {_common(good)}"])


def _common(states: list[tuple[str, str]]) -> str:
    """The state of all, or its first word where they differ."""
    every = {state for _, state in states}
    return every.pop() if len(every) == 1 else states[0][1].partition(" ")[0]


def _about_inspect(out: str, project: str) -> str:
    return _about_containers(shapes.objects(shapes.json_values(out)), project)


def _about_containers(found: list[JsonObject], project: str) -> str:
    """`etcd1 exited (137), not out of memory`"""
    told = [" ".join(filter(None, (short(_name(item), project), state))) for item in found
            if (state := _container(item))]
    return " · ".join(told)


def _name(item: JsonObject) -> str:
    name = item.get("Name") or item.get("name") or item.get("container") or ""
    return name.lstrip("/") if isinstance(name, str) else ""


def _container(item: JsonObject) -> str:
    """What matters of what the engine says about a container; "" where `item` is no such thing."""
    state = _field(item, "State", "state")
    state = state if isinstance(state, dict) else item
    status = _field(state, "Status", "status", "state")
    if not isinstance(status, str):
        return ""
    told = [status.lower()]
    code, memory = _field(state, "ExitCode", "exit_code"), _field(state, "OOMKilled", "oom_killed")
    if status.lower() not in ("running", "paused") and isinstance(code, int):
        told = [f"{status.lower()} ({code})"]
        told += ["out of memory" if memory else "not out of memory"] if isinstance(memory, bool) else []
    if error := _field(state, "Error", "error"):
        told.append(shapes.scalar(error))
    health = state.get("Health")
    if isinstance(health, dict) and health.get("Status") not in (None, "healthy"):
        told.append(shapes.scalar(health["Status"]))
    if (restarts := _field(item, "RestartCount", "restart_count")) and isinstance(restarts, int):
        told.append(f"restarted {plural(restarts, 'time')}")
    networks = _field(item, "Networks", "networks")
    if networks in ({}, []) and status.lower() == "running":
        told.append("on no network")
    return ", ".join(told)


def _field(item: JsonObject, *names: str) -> Any:
    return next((item[name] for name in names if name in item), None)


# -- what the monitor answers -----------------------------------------------------------------------------------------


def _about_look(looks: list[JsonObject]) -> str:
    """`etcd1 exited (137) · etcd0, etcd2 healthy · etcd0 leads`"""
    look = looks[0] if looks else {}
    members, cluster, violations = look.get("members"), look.get("cluster"), look.get("violations")
    if not isinstance(members, dict):
        return _last(str(look))
    told = [_told_apart([(name, _seen(member)) for name, member in members.items()], lambda s: s == "healthy")]
    if isinstance(cluster, dict) and cluster.get("quorum") is False:
        told.append("no quorum")
    leader = cluster.get("leader") if isinstance(cluster, dict) else None
    if isinstance(leader, str) and leader:
        told.append(f"{leader} leads")
    told += [text for v in (violations if isinstance(violations, list) else [])
             if isinstance(v, dict) and not v.get("member") and (text := shapes.scalar(v.get("text")).rstrip("."))]
    return " · ".join(told)


def _seen(member: Any) -> str:
    """The state of one member."""
    if not isinstance(member, dict):
        return "unknown"
    if member.get("healthy"):
        return "healthy"
    state, code = shapes.scalar(member.get("state")) or "unknown", member.get("exit_code")
    if state != "running":
        return f"{state} ({code})" if code is not None else state
    return f"runs, not well: {error}" if (error := shapes.scalar(member.get("error"))) else "runs, not well"


# -- texts ------------------------------------------------------------------------------------------------------------


def short(container: str, project: str) -> str:
    """A container's name as people say it: `etcd1` for `demo-etcd-etcd1-1`."""
    name = container.lstrip("/")
    if not project or not name.startswith(f"{project}-"):
        return name
    return re.sub(r"-\d+$", "", name.removeprefix(f"{project}-"))


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _last(text: str) -> str:
    lines = _lines(parts(text)[0]) or _lines(text)
    return lines[-1] if lines else "no output"
