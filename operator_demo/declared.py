"""`subject.yaml`: what somebody says of a system of their own, without code.

A probe is one question to a member: a command with an exit status, run in it as a health check is, an HTTP request, or
a TCP connection. There is no expression language.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from operator_demo.document import Document, Entries, Value, read
from operator_demo.subject import KEY, VALUE

FILE = "subject.yaml"
LEADER = "leader"
SEVERITIES = ("critical", "warning")

_HINT = "docs/your-system.md lists the keys and what they take."
_PROBE = ("exec", "http", "tcp", "of", "only", "not")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")
_GRACE = 5.0  # seconds: a little longer than a slow answer
_SHELL = ("/bin/sh", "-c")


@dataclass(frozen=True)
class Probe:
    """Exactly one of `exec` (a command line for the member's /bin/sh), `http_port` and `tcp` says what is asked.

    `of`: the members that are asked; empty for all. `only` and `except_`: `leader` where of them only the leader is
    asked, or all but the leader; else "".
    """

    exec: str = ""
    http_port: int = 0
    http_path: str = "/"
    expect: str = ""  # a text that the body of the answer must contain; the status must be 200 to 399
    tcp: int = 0
    of: tuple[str, ...] = ()
    only: str = ""
    except_: str = ""

    def asks(self, member: str, is_leader: bool) -> bool:
        if self.of and member not in self.of:
            return False
        return not (self.only and not is_leader) and not (self.except_ and is_leader)

    @property
    def command(self) -> tuple[str, ...]:
        """The words that run in a member. Key and value are arguments, so that they are text to the shell."""
        if KEY not in self.exec and VALUE not in self.exec:
            return (*_SHELL, self.exec)
        return (*_SHELL, f"KEY=$1 VALUE=$2; {self.exec}", "probe", KEY, VALUE)


@dataclass(frozen=True)
class Rule:
    """An invariant: it holds where the probe is answered. `grace` is in seconds."""

    name: str
    probe: Probe
    severity: str = "critical"
    grace: float = _GRACE
    text: str = ""


@dataclass(frozen=True)
class Declared:
    """`write`, `read` and `same` are the oracle's: of one key through each member, of the same key at each, and a
    command whose output is equal on all members."""

    title: str = ""
    leader: Probe | None = None
    rules: Sequence[Rule] = ()
    write: Probe | None = None
    read: Probe | None = None
    same: Probe | None = None
    layout: Mapping[str, str] = field(default_factory=dict)  # the kind of a member, in a word

    @property
    def commands(self) -> list[tuple[str, ...]]:
        """Everything that is run in members, each once."""
        probes = [self.leader, *(rule.probe for rule in self.rules), self.write, self.read, self.same]
        return list(dict.fromkeys(p.command for p in probes if p is not None and p.exec))


def parse(text: str, where: str, members: Sequence[str]) -> Declared:
    """Raises `UsageError` with file, line and key of the first mistake."""
    keys = read(text, Document(where, {}, plain=True, hint=_HINT)).map(
        ("title", "leader", "invariants", "oracle", "layout"))
    oracle = keys.map("oracle", ("write", "read", "same"))
    if ("write" in oracle) != ("read" in oracle):
        oracle["write" if "write" in oracle else "read"].fail("write and read are given together, or neither is")
    invariants = keys.read("invariants", Value.map, Entries())
    leader = _probe(keys["leader"], members) if "leader" in keys else None
    declared = Declared(
        title=keys.text("title") or "",
        leader=leader,
        rules=tuple(_rule(name, value, members) for name, value in invariants.items()),
        write=_with_names(oracle.get("write"), members, KEY, VALUE),
        read=_with_names(oracle.get("read"), members, KEY),
        same=_command(oracle.get("same"), members),
        layout={name: value.text() for name, value in keys.map("layout", members).items()},
    )
    if leader is None:
        _refuse_leader(keys)
    return declared


def _refuse_leader(keys: Mapping[str, Value]) -> None:
    """`only: leader` and `not: leader` need to know who leads."""
    for section in ("invariants", "oracle"):
        for entry in (keys[section].map().values() if section in keys else ()):
            for key in ("only", "not"):
                if key in entry.map():
                    entry.map()[key].fail("it is not said how a leader is known: the key 'leader' is missing")


def _rule(name: str, value: Value, members: Sequence[str]) -> Rule:
    if not _NAME.fullmatch(name):
        value.fail(f"{name!r} is not the name of an invariant (small letters, digits and _)")
    keys = value.map((*_PROBE, "severity", "grace", "text"))
    return Rule(name, _probe(value, members, ("severity", "grace", "text")),
                keys["severity"].one_of(SEVERITIES) if "severity" in keys else "critical",
                keys["grace"].parsed(_seconds) if "grace" in keys else _GRACE, keys.text("text") or "")


def _probe(value: Value, members: Sequence[str], more: Sequence[str] = ()) -> Probe:
    keys = value.map((*_PROBE, *more))
    asked = [kind for kind in ("exec", "http", "tcp") if kind in keys]
    if len(asked) != 1:
        value.fail("exactly one of exec, http and tcp is expected")
    if "only" in keys and "not" in keys:
        value.fail("only and not exclude each other")
    http = keys.map("http", ("port", "path", "expect"))
    if "http" in keys and "port" not in http:
        keys["http"].fail("the port is missing")
    return Probe(
        exec=keys.text("exec") or "",
        http_port=http["port"].integer(least=1) if http else 0,
        http_path=http.text("path") or "/",
        expect=http.text("expect") or "",
        tcp=keys["tcp"].integer(least=1) if "tcp" in keys else 0,
        of=tuple(entry.one_of(members) for entry in keys["of"].one_or_more()) if "of" in keys else (),
        only=keys["only"].one_of((LEADER,)) if "only" in keys else "",
        except_=keys["not"].one_of((LEADER,)) if "not" in keys else "")


def _command(value: Value | None, members: Sequence[str]) -> Probe | None:
    """A probe that is a command: its output, or what it writes, matters."""
    if value is None:
        return None
    probe = _probe(value, members)
    if not probe.exec:
        value.fail("exec is expected here")
    return probe


def _with_names(value: Value | None, members: Sequence[str], *names: str) -> Probe | None:
    probe = _command(value, members)
    for name in names:
        if probe is not None and value is not None and name not in probe.exec:
            value.fail(f"{name} does not occur in the command")
    return probe


def _seconds(text: str) -> float:
    problem = "a number of seconds from 0 to 600 is expected here"
    try:
        seconds = float(text)
    except ValueError:
        raise ValueError(problem) from None
    if not 0 <= seconds <= 600:
        raise ValueError(problem)
    return seconds
