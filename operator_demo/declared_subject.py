"""A subject of which `subject.yaml` says more than the Compose file does: who leads, what must hold, how the data is
checked."""

import secrets
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from operator_demo.declared import FILE, Declared, Probe, Rule, parse
from operator_demo.plain_subject import INVARIANTS, Description, PlainSubject
from operator_demo.subject import KEY, VALUE, Check, Deadline, Invariant, Member, Observation, Violation
from operator_demo.subject_kit import Connection, NoAnswer, ask_all

NO_LEADER = Invariant(
    "no_leader", "critical", None, "", 3.0, "One member leads, by the probe `leader` of subject.yaml.",
    "Own choice. Grace: longer than most systems need to elect a leader.")
_ONE = 1.5  # seconds that one question to a member may take during a look
_AGAIN = 0.3  # seconds between two tries to read what may still be on its way


def subject_of(description: Description) -> PlainSubject:
    """Raises `UsageError` for a mistake in subject.yaml."""
    if not description.declared:
        return PlainSubject(description)
    return DeclaredSubject(description, parse(description.declared, FILE, description.members))


class DeclaredSubject(PlainSubject):
    """Fulfils `subject.Subject`."""

    def __init__(self, description: Description, declared: Declared) -> None:
        super().__init__(description)
        self.declared = declared
        self.title = declared.title or description.title
        self.probes = declared.commands
        self.kinds = declared.layout
        self.invariants = [*INVARIANTS, *([NO_LEADER] if declared.leader else []), *map(_invariant, declared.rules)]

    @property
    def has_leader(self) -> bool:
        return self.declared.leader is not None

    # -- looking -----------------------------------------------------------------------------------------------------

    def observe(self, members: Sequence[Member], deadline: float) -> Observation:
        limit = Deadline(min(deadline, _ONE))
        observation = super().observe(members, deadline)
        running = [m for m in members if observation.members[m.name]["reachable"]]
        for name, leads in self._leads(running, limit).items():
            observation.members[name]["leader"] = leads
        rules = {rule.name: rule for rule in self.declared.rules}
        chosen = {name: [m for m in running if rule.probe.asks(m.name, observation.members[m.name]["leader"])]
                  for name, rule in rules.items()}
        with ThreadPoolExecutor(max(len(rules), 1), thread_name_prefix="probe") as pool:
            asked = {name: pool.submit(_asked, rules[name].probe, chosen[name], limit) for name in rules}
        for rule, future in asked.items():
            for name, why in future.result().items():
                if why:
                    observation.members[name].setdefault("failed", {})[rule] = why
                    observation.members[name] |= {"healthy": False, "error": f"{rule}: {why}"}
        leaders = [name for name, m in observation.members.items() if m["leader"]]
        observation.cluster["leader"] = leaders[0] if len(leaders) == 1 else None
        observation.duration = time.time() - observation.ts
        return observation

    def violations(self, observation: Observation) -> list[Violation]:
        violations = super().violations(observation)
        if self.has_leader and not any(m["leader"] for m in observation.members.values()):
            violations.append(Violation(NO_LEADER.name, None, NO_LEADER.severity, "No member leads."))
        return [*violations, *self._broken(observation)]

    def _broken(self, observation: Observation) -> Iterator[Violation]:
        rules = {rule.name: rule for rule in self.declared.rules}
        for name, m in observation.members.items():
            for rule, why in (m.get("failed") or {}).items():
                told = rules[rule].text or f"{rule.replace('_', ' ')}"
                yield Violation(rule, name, rules[rule].severity, f"{name}: {told} ({why}).")

    # -- the oracle ----------------------------------------------------------------------------------------------------

    def data_plane(self, members: Sequence[Member], deadline: float) -> Check:
        write, read = self.declared.write, self.declared.read
        if write is None or read is None:
            return super().data_plane(members, deadline)
        limit = Deadline(deadline)
        leads = self._leads(members, limit)
        writers = [m for m in members if write.asks(m.name, leads[m.name])]
        readers = [m for m in members if read.asks(m.name, leads[m.name])]
        if not writers:
            return Check("data_plane", "failed", "no member takes writes")
        faults = [fault for writer in writers for fault in _written_and_read(writer, write, readers, read, limit)]
        if faults:
            return Check("data_plane", "failed", "; ".join(faults))
        return Check("data_plane", "passed", f"what was written through {_names(writers)} was read back through "
                     f"{_names(readers)}")

    def agreement(self, members: Sequence[Member], keys: Sequence[str], deadline: float) -> Check:
        same = self.declared.same
        if same is None:
            return super().agreement(members, keys, deadline)
        limit = Deadline(deadline)
        leads = self._leads(members, limit)
        asked = [m for m in members if same.asks(m.name, leads[m.name])]
        while True:
            outputs = ask_all(asked, limit, lambda m: m.probe(same.command, limit.left()))
            silent = [f"{name}: {out}" for name, out in outputs.items()
                      if isinstance(out, Exception) or out.status != 0]
            different = {out.output for out in outputs.values() if not isinstance(out, Exception)}
            if not silent and len(different) == 1:
                return Check("agreement", "passed", f"the same answer from {len(outputs)} members")
            if limit.left() < _AGAIN:
                break
            time.sleep(_AGAIN)
        return Check("agreement", "failed", "; ".join(silent) or f"{len(different)} different answers from "
                     f"{len(outputs)} members")

    def _leads(self, members: Sequence[Member], limit: Deadline) -> Mapping[str, bool]:
        leads = dict.fromkeys([m.name for m in members], False)
        if self.declared.leader is not None:
            candidates = [m for m in members if self.declared.leader.asks(m.name, is_leader=False)]
            leads |= {name: why == "" for name, why in _asked(self.declared.leader, candidates, limit).items()}
        return leads


def _invariant(rule: Rule) -> Invariant:
    return Invariant(rule.name, rule.severity, None, "", rule.grace, rule.text or rule.name.replace("_", " "),
                     "subject.yaml")


def _written_and_read(writer: Member, write: Probe, readers: Sequence[Member], read: Probe,
                      limit: Deadline) -> list[str]:
    """What went wrong with one key, in words."""
    names = {KEY: f"operator-demo-{secrets.token_hex(6)}", VALUE: secrets.token_hex(8)}
    why = _ask(writer, write, limit, names)
    if why:
        return [f"write through {writer.name}: {why}"]
    answers = ask_all(readers, limit, lambda m: _ask_until(m, read, limit, names))
    return [f"{name} does not return what was written through {writer.name}: {answer}"
            for name, answer in answers.items() if answer != ""]


def _names(members: Sequence[Member]) -> str:
    return ", ".join(m.name for m in members)


# -- one question ----------------------------------------------------------------------------------------------------


def _asked(probe: Probe, members: Sequence[Member], limit: Deadline) -> dict[str, str]:
    """What each member answers: "" where all is well, else why not."""
    answers = ask_all(members, limit, lambda m: _ask(m, probe, limit, {}))
    return {name: str(answer) for name, answer in answers.items()}


def _ask(member: Member, probe: Probe, limit: Deadline, names: Mapping[str, str]) -> str:
    if probe.exec:
        done = member.probe([names.get(word, word) for word in probe.command], limit.left())
        if done.status == 0:
            return ""
        said = done.output.strip().splitlines()[-1:] or ["no output"]
        return f"exit status {done.status}: {said[0][:200]}" if done.status is not None else said[0][:200]
    if not member.address:
        return "no address"
    if probe.tcp:
        return _connects(member.address, probe.tcp, limit)
    return _fetches(member.address, probe, limit)


def _ask_until(member: Member, probe: Probe, limit: Deadline, names: Mapping[str, str]) -> str:
    """Asks again while it fails: a replica follows a little later."""
    while True:
        why = _ask(member, probe, limit, names)
        if not why or limit.left() < _AGAIN:
            return why
        time.sleep(_AGAIN)


def _connects(address: str, port: int, limit: Deadline) -> str:
    try:
        socket.create_connection((address, port), timeout=max(limit.left(), 0.01)).close()
    except OSError as e:
        return f"port {port}: {e.strerror or 'no connection in time'}"
    return ""


def _fetches(address: str, probe: Probe, limit: Deadline) -> str:
    connection = Connection(address, probe.http_port)
    try:
        status, body = connection.request("GET", probe.http_path, limit.left())
    except NoAnswer as e:
        return str(e)
    finally:
        connection.close()
    if not 200 <= status < 400:
        return f"{probe.http_path} answers with status {status}"
    if probe.expect and probe.expect.encode() not in body:
        return f"{probe.http_path} does not answer with {probe.expect!r}"
    return ""
