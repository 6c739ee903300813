"""What a command orders of containers by its text: evidence of who did something to a container that is nobody's.

On an engine that others use too, that something happened while a command ran proves nothing. So a container which is
neither the subject's nor made by the session is laid at a command's door only where the command orders just what
happened, and either names the container (its name, its id or the beginning of one, its Compose project, or a filter
that its name passes) or leaves open whom it means (`$(docker ps -q)`, `xargs`, `prune`) without a word of the subject.
"""

import re
from collections.abc import Iterable

from operator_demo.engine import EngineEvent

_STOPPING = {"kill", "stop", "die"}
_ORDERS: dict[str, set[str]] = {
    "stop": _STOPPING, "kill": {"kill", "die"}, "restart": _STOPPING | {"restart", "start"}, "start": {"start"},
    "rm": _STOPPING | {"destroy"}, "remove": _STOPPING | {"destroy"}, "DELETE": _STOPPING | {"destroy"},
    "prune": {"destroy"}, "down": _STOPPING | {"destroy"}, "up": _STOPPING | {"start", "destroy"},
    "pause": {"pause"}, "unpause": {"unpause"}, "rename": {"rename"}, "update": {"update"}, "exec": {"exec_start"},
}
"""What the engine tells of these words of the docker command, of Compose, of the engine's API and of its libraries."""

_WORDS = "|".join(_ORDERS)
_ORDER = re.compile(rf"\b(?:docker|podman)\b[^|;&\n]*?\s({_WORDS})\b|/containers/\S*?/({_WORDS})\b|\.({_WORDS})\("
                    r"|\b(DELETE)\b.*/containers/")
_BETWEEN = re.compile(r"[;\n]|&&|\|\|")  # (a pipe is one command: `docker ps -q | xargs docker rm`)
_OPEN = re.compile(r"[$`]|\bxargs\b|\bprune\b")
_FILTER = re.compile(r"\bname=[\^/]*([\w.-]+)")
_WORD = re.compile(r"[A-Za-z0-9][\w.-]*")
_ID = re.compile(r"[0-9a-f]{4,64}")  # (what is shorter is too often something else)


def orders(command: str, h: EngineEvent, subject: Iterable[str]) -> bool:
    """Does this command order what happened to that container? `subject` are the names and ids by which one speaks of
    the subject: its project, its members, their containers."""
    action = h.action.partition(":")[0]
    command = command.replace("\\\n", " ")
    ordering = [part for part in _BETWEEN.split(command) if action in _ordered(part)]
    if any(_names(_words(part), (h.name, h.project), h.container) for part in ordering):
        return True
    if not any(_OPEN.search(part) for part in ordering):
        return False
    filters = _FILTER.findall(command)
    if filters:
        return any(part in h.name for part in filters)
    return not any(_names(_words(command), (name,), name) for name in subject)


def _ordered(part: str) -> set[str]:
    """The actions that follow from one command of the line."""
    found = (word for words in _ORDER.findall(part) for word in words if word)
    return set().union(*(_ORDERS[word] for word in found))


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text))


def _names(words: set[str], names: Iterable[str], id_: str) -> bool:
    return not words.isdisjoint(filter(None, names)) or any(id_.startswith(w) for w in words if _ID.fullmatch(w))
