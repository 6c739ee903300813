"""Did a shell command cause an event of a container? Judged by the command's text.

On a shared engine, an event during a command proves nothing. So an event of a container that is neither the subject's
nor created by the session is attributed to a command only if the command contains this action, and either

- names the container: by name, by id or the beginning of one, by Compose project, or by a filter that its name passes;
- or leaves its targets open (`$(docker ps -q)`, `xargs`, `prune`) and names nothing of the subject.
"""

import re
from collections.abc import Iterable

from operator_demo.engine import EngineEvent

_STOPPING = {"kill", "stop", "die"}
_ACTIONS: dict[str, set[str]] = {
    "stop": _STOPPING, "kill": {"kill", "die"}, "restart": _STOPPING | {"restart", "start"}, "start": {"start"},
    "rm": _STOPPING | {"destroy"}, "remove": _STOPPING | {"destroy"}, "DELETE": _STOPPING | {"destroy"},
    "prune": {"destroy"}, "down": _STOPPING | {"destroy"}, "up": _STOPPING | {"start", "destroy"},
    "pause": {"pause"}, "unpause": {"unpause"}, "rename": {"rename"}, "update": {"update"}, "exec": {"exec_start"},
}
"""The engine's events that follow from these words of the docker command, Compose, the engine's API, its libraries."""

_WORDS = "|".join(_ACTIONS)
_COMMAND = re.compile(rf"\b(?:docker|podman)\b[^|;&\n]*?\s({_WORDS})\b|/containers/\S*?/({_WORDS})\b|\.({_WORDS})\("
                    r"|\b(DELETE)\b.*/containers/")
_BETWEEN = re.compile(r"[;\n]|&&|\|\|")  # (a pipe is one command: `docker ps -q | xargs docker rm`)
_OPEN = re.compile(r"[$`]|\bxargs\b|\bprune\b")
_FILTER = re.compile(r"\bname=[\^/]*([\w.-]+)")
_WORD = re.compile(r"[A-Za-z0-9][\w.-]*")
_ID = re.compile(r"[0-9a-f]{4,64}")  # (what is shorter is too often something else)


def causes(command: str, event: EngineEvent, subject: Iterable[str]) -> bool:
    """`subject`: names and ids of the subject (its project, members and containers)."""
    action = event.action.partition(":")[0]
    command = command.replace("\\\n", " ")
    matching = [part for part in _BETWEEN.split(command) if action in _actions(part)]
    if any(_names(_words(part), (event.name, event.project), event.container) for part in matching):
        return True
    if not any(_OPEN.search(part) for part in matching):
        return False
    filters = _FILTER.findall(command)
    if filters:
        return any(part in event.name for part in filters)
    return not any(_names(_words(command), (name,), name) for name in subject)


def _actions(part: str) -> set[str]:
    """The actions that follow from one command of the line."""
    actions: set[str] = set()
    for groups in _COMMAND.findall(part):
        for word in filter(None, groups):
            actions |= _ACTIONS[word]
    return actions


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text))


def _names(words: set[str], names: Iterable[str], id_: str) -> bool:
    return not words.isdisjoint(filter(None, names)) or any(id_.startswith(w) for w in words if _ID.fullmatch(w))
