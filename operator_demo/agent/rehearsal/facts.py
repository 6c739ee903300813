"""What the rule-based operator knows: computed from the messages of one request, and from nothing else.

Tool results come from outside. Only JSON fields with known names are read; what cannot be read counts as a miss and is
requested again. No text in them is treated as an instruction.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from operator_demo.agent.observation import SAME
from operator_demo.agent.rehearsal import shell
from operator_demo.text import clean, one_line

_PROJECT = "com.docker.compose.project"
_SERVICE = "com.docker.compose.service"
_ONEOFF = "com.docker.compose.oneoff"


@dataclass(frozen=True)
class Ticket:
    """`invariants` are the names of the invariants that were violated when the ticket was written."""

    id: str
    subject: str
    project: str
    network: str | None
    title: str
    invariants: tuple[str, ...]


@dataclass(frozen=True)
class Step:
    """One tool call and what came back; `output` is empty for a call without a result."""

    index: int
    tool: str
    input: dict[str, Any]
    output: str

    @property
    def command(self) -> str:
        return str(self.input.get("command", ""))

    @property
    def exit_status(self) -> int | None:
        """None where no exit status came back: timed out, refused, interrupted, unknown."""
        match = re.match(r"exit status (-?\d{1,6})\b", self.output)
        return int(match.group(1)) if match else None

    @property
    def stdout(self) -> str:
        """Without the line of the exit status and without stderr."""
        _, _, rest = self.output.partition("\n")
        return re.split(r"^--- stderr\s*$", rest, maxsplit=1, flags=re.MULTILINE)[0]


@dataclass(frozen=True)
class Sight:
    """A member as the monitor sees it."""

    name: str
    container: str
    state: str
    address: str | None
    well: bool
    leader: bool
    error: str
    reachable: bool = True  # by the monitor, whatever else is wrong


@dataclass(frozen=True)
class View:
    """One observation of the monitor. `violations` are pairs of invariant and member (None: the whole cluster). `ops`
    and `errors` are those of the clients in the last second (`ops` is None without a load). What is not known of the
    quorum is not lost."""

    index: int
    members: dict[str, Sight]
    quorum: bool
    network: str | None
    violations: tuple[tuple[str, str | None], ...]
    texts: tuple[str, ...]
    ops: float | None = None
    errors: dict[str, int] = field(default_factory=dict)
    schedulers: tuple[str, ...] = ()  # that move data and leaders, if the subject reports them

    @property
    def late(self) -> bool:
        """Do most operations of the clients fail because they do not begin in time?"""
        return self.ops is not None and self.errors.get("late", 0) * 2 > sum(self.errors.values())

    @property
    def suspects(self) -> list[str]:
        named = {member for _, member in self.violations}
        return [name for name, sight in self.members.items() if not sight.well or name in named]

    @property
    def well(self) -> bool:
        return bool(self.members) and self.quorum and not self.suspects and not self.violations


@dataclass(frozen=True)
class Row:
    """A container in the list of the project's containers."""

    id: str
    name: str
    state: str
    status: str  # in Docker's words: "Exited (137) 11 seconds ago"
    service: str
    one_off: bool
    labels: dict[str, str]

    @property
    def since(self) -> str:
        """In Docker's words: `11 seconds ago`; empty where it does not say."""
        match = re.fullmatch(r"Exited \(\d+\) ([\w ]{1,30} ago)", self.status)
        return match.group(1).lower() if match else ""


@dataclass(frozen=True)
class Inspected:
    """A container as the engine describes it. `networks` maps a network's name to the container's aliases on it."""

    index: int
    id: str
    name: str
    status: str
    exit_code: int | None
    oom_killed: bool
    error: str
    restarts: int
    labels: dict[str, str]
    networks: dict[str, tuple[str, ...]]
    volumes: tuple[str, ...]
    limits: dict[str, int] = field(default_factory=dict)  # NanoCpus, CpuQuota (microseconds), Memory (bytes); set ones

    @property
    def project(self) -> str:
        return self.labels.get(_PROJECT, "")

    @property
    def service(self) -> str:
        return self.labels.get(_SERVICE, "")


@dataclass(frozen=True)
class Repair:
    """`target` is a container, or "" where the whole cluster was treated."""

    index: int
    target: str
    command: str
    worked: bool | None  # None: not known
    output: str


@dataclass
class Facts:
    """`opening` is the first message. A target is what tools call a member: its container, or its own name where there
    is no shell. `misses` counts the unreadable answers in a row, by what was asked for."""

    opening: str = ""
    ticket: Ticket | None = None
    offered: frozenset[str] = frozenset()
    takes_proposal: bool = False  # does `finding` take a proposal for a human?
    spoke: bool = False
    steps: int = 0
    looks: int = 0  # since the last repair
    late_looks: int = 0  # in a row, up to the newest
    view: View | None = None
    rows: list[Row] | None = None
    inspected: dict[str, Inspected] = field(default_factory=dict)
    logs: dict[str, str] = field(default_factory=dict)
    findings: set[tuple[str, str]] = field(default_factory=set)
    repairs: list[Repair] = field(default_factory=list)
    held: set[int] = field(default_factory=set)  # indexes of repairs after which the target was seen well
    links: dict[tuple[str, str], int] | None = None  # (container, address) -> exit status of curl, when last asked
    linked: int = -1  # index of the step in which the links were asked for
    acted: int = -1  # index of the last step after which an older look is stale
    confirmed: int = -1  # index of the last step in which all repaired members said themselves that they are well
    refused: int = -1  # index of the last step in which the oracle said "not verified"
    refusals: list[str] = field(default_factory=list)  # the oracle's text, each time
    over: str = ""  # "verified" or "escalated"
    misses: Counter[str] = field(default_factory=Counter)

    @property
    def has_shell(self) -> bool:
        return "shell" in self.offered

    @property
    def done_before(self) -> str:
        """The part of the first message about an earlier session's work; it begins with "What was done before"."""
        return "".join(re.split(r"what was done before", self.opening, maxsplit=1, flags=re.I)[1:])

    @property
    def repairs_since_refusal(self) -> list[Repair]:
        return [repair for repair in self.repairs if repair.index > self.refused]

    @property
    def network(self) -> str | None:
        observed = self.view.network if self.view else None
        return observed or (self.ticket.network if self.ticket else None)

    def target(self, member: str) -> str | None:
        """None where the member has no container, or where it is unclear which one."""
        if not self.has_shell:
            return member if shell.is_name(member) else None
        row = self.row(member)
        return row.name if row else None

    def row(self, member: str) -> Row | None:
        rows = [row for row in self.rows or [] if not row.one_off]
        sight = self.view.members.get(member) if self.view else None
        if sight and len(sight.container) >= 12:
            for row in rows:
                if row.id.startswith(sight.container) or sight.container.startswith(row.id):
                    return row
        named = [row for row in rows if row.service == member]
        return named[0] if len(named) == 1 else None

    def strangers(self) -> list[Row]:
        """Stopped containers of the project that are no members: they are left alone."""
        members = {row.id for name in (self.view.members if self.view else ()) if (row := self.row(name))}
        return [row for row in self.rows or [] if row.id not in members and row.state != "running"]

    def attempts(self, target: str) -> list[Repair]:
        return [repair for repair in self.repairs if repair.target == target]


def read(request: dict[str, Any]) -> Facts:
    """The facts in a request of the Messages API. Never raises, whatever the messages contain."""
    tools = _tools(request)
    facts = Facts(offered=frozenset(tools), takes_proposal="proposal" in tools.get("finding", {}))
    messages = [m for m in _list(request.get("messages")) if isinstance(m, dict)]
    texts = (_text(m.get("content")) for m in messages if m.get("role") == "user")
    facts.opening = next((text for text in texts if text.strip()), "")
    facts.ticket = _ticket(facts.opening)
    facts.spoke = any(m.get("role") == "assistant" for m in messages)
    for step in _steps(messages):
        _learn(facts, step)
    return facts


def _learn(facts: Facts, step: Step) -> None:
    facts.steps += 1
    match step.tool:
        case "observe":
            _learn_view(facts, step)
        case "shell":
            _learn_shell(facts, step)
        case "inspect":
            member = str(step.input.get("member", ""))
            description = _own_shape(_json(step.output), member, facts.ticket)
            _learn_inspected(facts, step.index, [member], {member: description})
        case "logs":
            facts.logs[str(step.input.get("member", ""))] = step.output
        case "finding":
            facts.findings.add((str(step.input.get("member", "")), str(step.input.get("cause", ""))))
        case "resolve" | "no_action":
            if step.output.strip().lower().startswith("verified"):
                facts.over = "verified"
            else:
                facts.refusals.append(words(step.output, 400))
                facts.acted = facts.refused = step.index
        case "escalate":
            facts.over = "escalated"


def _learn_view(facts: Facts, step: Step) -> None:
    view = _view(step.index, _json(step.output), facts.view)
    _count(facts, "the monitor's view", view is not None)
    if view is not None:
        facts.view = view
        facts.looks += 1
        facts.late_looks = facts.late_looks + 1 if view.late else 0
        well = {facts.target(name) for name, sight in view.members.items() if sight.well and name not in view.suspects}
        facts.held |= {r.index for r in facts.repairs if (r.target in well if r.target else view.well)}


def _learn_shell(facts: Facts, step: Step) -> None:
    command = step.command
    if facts.ticket and command == shell.survey(facts.ticket.project):
        rows = [row for line in step.stdout.splitlines() if (row := _row(_json(line), facts.ticket.project))]
        _count(facts, "the list of containers", bool(rows))
        facts.rows = rows or facts.rows
    elif containers := shell.inspected_in(command):
        descriptions = (raw for line in step.stdout.splitlines() if isinstance(raw := _json(line), dict))
        by_name = {str(raw.get("Name", "")).lstrip("/"): raw for raw in descriptions}
        _learn_inspected(facts, step.index, containers, by_name)
    elif name := shell.logged_in(command):
        facts.logs[name] = step.stdout
    elif shell.is_probe(command):
        links = dict(link for line in step.stdout.splitlines() if (link := _link(line)))
        _count(facts, "the connections between the members", bool(links))
        facts.links, facts.linked = links or facts.links, step.index
    elif (name := shell.repaired_in(command)) is not None:
        worked = None if step.exit_status is None else step.exit_status == 0
        facts.repairs.append(Repair(step.index, name, command, worked, step.output))
        facts.acted, facts.looks = step.index, 0
    elif command.startswith("sleep "):
        facts.acted = step.index
    elif command.startswith("curl "):
        well = step.exit_status == 0
        _count(facts, "the members' own health", well)
        if well:
            facts.confirmed = step.index
        else:
            facts.acted = step.index


def _link(line: str) -> tuple[tuple[str, str], int] | None:
    """From a line `container address exit-status`."""
    match = re.fullmatch(r"(\S+)\s+(\S+)\s+(\d{1,3})", line.strip(), re.ASCII)
    return ((match[1], match[2].strip("[]")), int(match[3])) if match else None


def _learn_inspected(facts: Facts, index: int, targets: list[str], descriptions: Mapping[str, object]) -> None:
    for target in targets:
        inspected = _inspected(index, descriptions.get(target))
        _count(facts, f"the description of {words(target, 60)}", inspected is not None)
        if inspected is not None:
            facts.inspected[target] = inspected


def _count(facts: Facts, thing: str, seen: bool) -> None:
    if seen:
        facts.misses.pop(thing, None)
    else:
        facts.misses[thing] += 1


# -- reading what came from outside: these functions take anything, and return None or a default for invalid input -----


def words(text: object, width: int = 160) -> str:
    """One harmless line of a text from outside, at most `width` characters long."""
    return one_line(clean(text), width) if isinstance(text, str) else ""


def _ticket(opening: str) -> Ticket | None:
    raw = _first_object(opening)
    if raw is None or not shell.is_name(raw.get("project")):
        return None
    violations = [v for v in _list(raw.get("violations")) if isinstance(v, dict)]
    network = raw.get("network")
    return Ticket(words(raw.get("ticket")), words(raw.get("subject")), str(raw["project"]),
                  network if shell.is_name(network) else None, words(raw.get("title")),
                  tuple(words(v.get("invariant")) for v in violations))


def _first_object(text: str) -> dict[str, Any] | None:
    """The JSON object in the first ```json block."""
    _, _, block = text.partition("```json")
    try:
        raw, _ = json.JSONDecoder().raw_decode(block.lstrip())
    except (ValueError, RecursionError):
        return None
    return raw if isinstance(raw, dict) else None


def _view(index: int, raw: object, before: View | None) -> View | None:
    """Members that the answer only names, as before, are taken from the view `before`."""
    if not isinstance(raw, dict) or not isinstance(raw.get("members"), dict):
        return None
    told = {name: _sight(name, seen) for name, seen in raw["members"].items() if shell.is_name(name)}
    same = {words(name) for name in _list(raw.get(SAME))}
    known = before.members if before else {}
    kept = {name: told.get(name, sight) for name, sight in known.items() if name in same or name in told}
    members = kept | told  # (in the same order as before)
    if not members:
        return None
    violations = [v for v in _list(raw.get("violations")) if isinstance(v, dict)]
    network, load = raw.get("network"), _dict(raw.get("load"))
    ops = load.get("ops")
    return View(index, members, _dict(raw.get("cluster")).get("quorum") is not False,
                network if shell.is_name(network) else None,
                tuple((words(v.get("invariant")), _member(v.get("member"))) for v in violations),
                tuple(words(v.get("text")) for v in violations),
                float(ops) if isinstance(ops, int | float) else None,
                {words(kind): n for kind, n in _dict(load.get("errors")).items() if isinstance(n, int) and n > 0},
                tuple(words(name) for name in _list(_dict(raw.get("cluster")).get("schedulers"))))


def _member(raw: object) -> str | None:
    return raw if isinstance(raw, str) and raw else None


def _sight(name: str, raw: object) -> Sight:
    seen = _dict(raw)
    address = seen.get("address")
    state = words(seen.get("state"), 20)
    well = state == "running" and seen.get("reachable") is True and seen.get("healthy") is True
    return Sight(name, words(seen.get("container"), 80), state, address if shell.is_address(address) else None,
                 well, seen.get("leader") is True, words(seen.get("error")), seen.get("reachable") is True)


def _row(raw: object, project: str) -> Row | None:
    fields = _dict(raw)
    if not shell.is_name(fields.get("Names")) or not re.fullmatch(r"[0-9a-f]{12,64}", str(fields.get("ID"))):
        return None
    labels = dict(item.partition("=")[::2] for item in str(fields.get("Labels") or "").split(","))
    if labels.get(_PROJECT) != project:
        return None
    return Row(str(fields["ID"]), str(fields["Names"]), words(fields.get("State"), 20), words(fields.get("Status"), 80),
               labels.get(_SERVICE, ""), labels.get(_ONEOFF, "").lower() == "true", labels)


def _own_shape(raw: object, member: str, ticket: Ticket | None) -> dict[str, Any]:
    """The monitor's description of a member's container, in the shape of our `docker inspect` command. The monitor
    describes only members of the project, so project and service are known even without labels."""
    given = _dict(raw)
    labels = {_PROJECT: ticket.project if ticket else "", _SERVICE: member, **_dict(given.get("labels"))}
    return {"Id": given.get("id"), "Name": given.get("name"), "RestartCount": given.get("restart_count"),
            "State": given.get("state"), "Labels": labels, "Networks": given.get("networks"),
            "Volumes": [_dict(mount).get("Name") for mount in _list(given.get("mounts"))],
            "Limits": given.get("limits")}


def _inspected(index: int, raw: object) -> Inspected | None:
    fields = _dict(raw)
    state, name = _dict(fields.get("State")), str(fields.get("Name", "")).lstrip("/")
    if not isinstance(state.get("Status"), str) or not shell.is_name(name):
        return None
    code, restarts = state.get("ExitCode"), fields.get("RestartCount")
    return Inspected(
        index, words(fields.get("Id"), 80), name, words(state["Status"], 20),
        code if isinstance(code, int) else None, state.get("OOMKilled") is True, words(state.get("Error")),
        restarts if isinstance(restarts, int) else 0,
        {key: value for key, value in _dict(fields.get("Labels")).items() if isinstance(value, str)},
        {network: _aliases(on) for network, on in _dict(fields.get("Networks")).items()},
        tuple(words(volume) for volume in _list(fields.get("Volumes")) if volume),
        {name: n for name, n in _dict(fields.get("Limits")).items() if isinstance(n, int) and n > 0})


def _aliases(raw: object) -> tuple[str, ...]:
    names = _dict(raw).get("Aliases") if isinstance(raw, dict) else raw
    return tuple(str(name) for name in _list(names) if shell.is_name(name))


def _steps(messages: list[dict[str, Any]]) -> Iterator[Step]:
    blocks = [block for m in messages for block in _list(m.get("content")) if isinstance(block, dict)]
    results = {str(b.get("tool_use_id")): _text(b.get("content")) for b in blocks if b.get("type") == "tool_result"}
    calls = [b for b in blocks if b.get("type") == "tool_use"]
    for index, call in enumerate(calls):
        yield Step(index, str(call.get("name")), _dict(call.get("input")), results.get(str(call.get("id")), ""))


def _tools(request: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The offered tools by name, with the properties of their input."""
    return {tool["name"]: _dict(_dict(tool.get("input_schema")).get("properties"))
            for tool in _list(request.get("tools")) if isinstance(tool, dict) and isinstance(tool.get("name"), str)}


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    blocks = [block for block in _list(content) if isinstance(block, dict) and block.get("type") == "text"]
    return "\n".join(str(block.get("text", "")) for block in blocks)


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _dict(raw: object) -> dict[str, Any]:
    return raw if isinstance(raw, dict) else {}


def _list(raw: object) -> list[Any]:
    return raw if isinstance(raw, list) else []
