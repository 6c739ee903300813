"""The rule-based operator: from the messages of one request, and nothing else, to its next turn.

It works as a careful person would: observe, narrow down, name the cause, do the smallest repair, observe again, and
let the oracle judge. Without a rule it does not guess; it asks a human. The first rule that returns a turn decides.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from operator_demo.agent.rehearsal import shell
from operator_demo.agent.rehearsal.diagnosis import Diagnosis, Evidence, diagnose, held_back, meant_to_be_stopped
from operator_demo.agent.rehearsal.facts import Facts, Inspected, read, words
from operator_demo.text import one_line

CLUSTER = ""  # the member of a diagnosis of the whole cluster; its finding names no member
LOOKS_BEFORE = 3  # observations before something that may pass by itself counts as not understood
LOOKS_AFTER = 11  # observations after a repair until it counts as failed: about 40 seconds
SHORT, LONG, SHORT_LOOKS = 2, 5, 4  # seconds between two looks, and how many of them are close together
MOST_TRIES = 2  # of a repair that worked, when the same fault comes back
MAX_STEPS = 80  # of a session; more means that the rules run in a loop
_LONGEST = 3000  # characters of a text that goes into a tool
_SPACE = re.compile(r"space|quota", re.I)
_UNEVEN = re.compile(r"leader_?\w*imbalance", re.I)
_NO_CONNECTION = (7, 28)  # what curl says of a connection that was refused or timed out


@dataclass(frozen=True)
class Call:
    tool: str
    input: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Turn:
    """What the operator thinks, says and calls. A turn without a call ends the conversation."""

    thinking: str
    text: str
    calls: tuple[Call, ...] = ()

    @property
    def stop_reason(self) -> str:
        return "tool_use" if self.calls else "end_turn"


Rule = Callable[[Facts], Turn | None]


def decide(request: dict[str, Any]) -> Turn:
    """The next turn for a request of the Messages API. Calls only tools that the request offers; never raises."""
    facts = read(request)
    turn = next(turn for rule in RULES if (turn := rule(facts)))
    if any(call.tool not in facts.offered for call in turn.calls):
        missing = ", ".join(sorted({call.tool for call in turn.calls} - facts.offered))
        turn = Turn(f"I would need {missing} for the next step, and was not given it.",
                    f"I cannot continue without the tool {missing}. A human has to take over.")
    return turn if facts.spoke else replace(turn, text=f"{_introduction(facts)} {turn.text}".strip())


def _introduction(facts: Facts) -> str:
    about = f" Ticket {facts.ticket.id}: {facts.ticket.title}." if facts.ticket and facts.ticket.title else ""
    return f"I am the rehearsal operator, a rule-based stand-in for the model.{about}"


# -- before anything else ---------------------------------------------------------------------------------------------


def stop_when_over(facts: Facts) -> Turn | None:
    if facts.over == "verified":
        return Turn("The oracle looked from outside and agrees.", "Verified from outside. I am done.")
    if facts.over == "escalated":
        return Turn("A human has it now.", "Handed over. I touch nothing further.")
    return None


def need_a_ticket(facts: Facts) -> Turn | None:
    if facts.ticket is None:
        return _escalate(facts, "There is no ticket that I can read, so I do not know what I may touch.")
    return None


def give_up_in_circles(facts: Facts) -> Turn | None:
    if facts.steps >= MAX_STEPS:
        return _escalate(facts, f"After {facts.steps} steps I am going round in circles.")
    return None


def give_up_blind(facts: Facts) -> Turn | None:
    """After two unreadable answers in a row, a human is asked."""
    blind = sorted(thing for thing, times in facts.misses.items() if times >= 2)
    if blind:
        return _escalate(facts, f"Twice I got no readable answer about {blind[0]}. I do not act on what I cannot see.")
    return None


# -- looking ----------------------------------------------------------------------------------------------------------


def look(facts: Facts) -> Turn | None:
    if facts.view is None:
        return Turn("First I want to see what the monitor sees, before I believe the ticket.",
                    "First I look at what the monitor sees.", (Call("observe"),))
    if facts.view.index > facts.acted:
        return None
    if facts.refusals and not facts.repairs_since_refusal:
        return Turn(f"The oracle does not agree: {facts.refusals[-1]}", "Not verified. I look once more.",
                    (Call("observe"),))
    if not facts.repairs:
        return Turn("It may have been a passing moment, so the same look again.", "Is it still so? I look again.",
                    (Call("observe"),))
    return Turn("A command that went through is not yet a repair. What does the monitor say?",
                "Does the cluster agree that it is repaired?", (Call("observe"),))


def list_containers(facts: Facts) -> Turn | None:
    assert facts.view and facts.ticket
    if not facts.has_shell or facts.rows is not None:
        return None
    suspects = facts.view.suspects
    pointer = f"The monitor points at {_join(suspects)}." if suspects else "The monitor points at no single member."
    quorum = "" if facts.view.quorum else " The quorum is lost, so nothing is written any more: this is urgent."
    return Turn(f"{pointer}{quorum} What does the engine say? I ask only for the containers of {facts.ticket.project}.",
                f"{pointer} Now I ask the Docker engine.",
                (_shell(shell.survey(facts.ticket.project), "What does the engine say about every container?"),))


def inspect_suspects(facts: Facts) -> Turn | None:
    assert facts.view
    stale = [name for name in facts.view.suspects if _stale(facts, name)]
    if not stale:
        return None
    why = ("How did it end, what may it use, where is it attached? The details tell a kill from a stop and a freeze "
           "from a cut.")
    return Turn(f"{_join(stale)}: {why}", f"A closer look at {_join(stale)}.{_leave_alone(facts)}",
                _inspect(facts, stale, f"How did {_join(stale)} end, what may it use, where is it attached?"))


def inspect_peers(facts: Facts) -> Turn | None:
    """Only the comparison with its peers shows that a member is not on their network, or has lower limits."""
    assert facts.view
    unseen = [name for name in facts.view.members if _inspected(facts, name) is None and facts.target(name)]
    if not unseen:
        return None
    if not facts.view.suspects and not facts.view.well:
        return Turn("The trouble is everybody's, and no single member stands out. Is one of them held back?",
                    "I compare the members with each other.",
                    _inspect(facts, unseen, "See whether one of them has other limits."))
    slow = [name for name in _puzzling(facts) if facts.view.members[name].reachable]
    if slow and facts.looks >= LOOKS_BEFORE:
        return Turn(f"{_join(slow)} runs and answers, and is not well. Does it have what its peers have?",
                    f"I compare {_join(slow)} with its peers.",
                    _inspect(facts, unseen, "See whether the peers have other limits."))
    cut = [name for name in facts.view.suspects if _unattached(facts, name)]
    if not cut:
        return None
    return Turn(f"{_join(cut)} is not on {facts.network}. Are its peers, and under which names?",
                f"{_join(cut)} is missing from {facts.network}. I compare with its peers.",
                _inspect(facts, unseen, "See how the healthy peers are attached, and under which aliases."))


def be_patient(facts: Facts) -> Turn | None:
    """A member that may only be starting gets time: little before a repair, more after it."""
    assert facts.view
    if facts.view.well or any(not d.may_pass for d in _focus(facts)):
        return None
    undecided = 0 < facts.late_looks < LOOKS_BEFORE
    if facts.looks >= (LOOKS_AFTER if facts.repairs or undecided else LOOKS_BEFORE):
        return None
    waiting = _join(facts.view.suspects) or "the cluster"
    return _wait(facts, f"Not yet well: {waiting}. Starting, electing and catching up take a moment.")


def probe_links(facts: Facts) -> Turn | None:
    """The monitor reaches a member, but its peers may not: only a test from inside the members shows it."""
    assert facts.view and facts.ticket
    puzzled = [name for name in _puzzling(facts) if facts.view.members[name].state == "running"]
    if not puzzled or not facts.has_shell or facts.linked > max((r.index for r in facts.repairs), default=-1):
        return None
    command = shell.probe(facts.ticket.subject, _linkable(facts))
    if command is None:
        return None
    return Turn(f"{_join(puzzled)} runs and hangs on its network. Do the members hear each other?",
                "I test the connections between all members.",
                (_shell(command, "Who reaches whom, seen from inside the members."),))


def read_logs(facts: Facts) -> Turn | None:
    targets = [target for d in _focus(facts) if (target := facts.target(d.member)) and target not in facts.logs]
    if not targets:
        return None
    calls = [_shell(shell.logs(t), f"What were the last words of {t}?") if facts.has_shell
             else Call("logs", {"member": t, "lines": 60}) for t in targets]
    return Turn("Before I call it by a name: what did it say last? Logs are evidence, not instructions.",
                "I read the end of its log.", tuple(calls))


# -- nothing wrong ----------------------------------------------------------------------------------------------------


def nothing_wrong(facts: Facts) -> Turn | None:
    assert facts.view and facts.ticket
    if not facts.view.well or facts.repairs:
        return None
    if facts.refusals:
        return _escalate(facts, "The monitor sees nothing wrong, but the oracle does not agree: "
                                f"{facts.refusals[-1]} I have no rule for that.")
    if facts.looks < 2:
        return _wait(facts, "All members look well now, against the ticket. One look is not enough to believe it.")
    if facts.has_shell and facts.rows is None:
        return Turn("The monitor sees nothing wrong. Does the engine?", "Now I ask the Docker engine.",
                    (_shell(shell.survey(facts.ticket.project), "What does the engine say about every container?"),))
    health = shell.health(facts.ticket.subject, [s.address for s in facts.view.members.values() if s.address])
    if facts.has_shell and health and facts.confirmed < 0:
        return Turn("The ticket says one thing, the monitor another. I ask the members themselves.",
                    "I ask every member myself.", (_shell(health, "A check that does not depend on the monitor."),))
    if not any(cause == "no_fault" for _, cause in facts.findings):
        healed = Diagnosis(CLUSTER, "no_fault", "All members are well, no invariant is violated." + _leave_alone(facts))
        return Turn("Twice all members were reachable and healthy, and no invariant is violated.",
                    "Nothing is wrong.", (_finding(facts, healed),))
    before = shell.repairs_told_in(facts.done_before)
    if before and "resolve" in facts.offered:
        return Turn("The repair was made before I was started anew, and it holds.",
                    "An earlier session repaired it. I hand it to the oracle.",
                    (Call("resolve", {"summary": "Repaired by an earlier session; all members are well again.",
                                      "actions": before}),))
    asked = ", and they say so themselves" if facts.confirmed >= 0 else ""
    reason = f"All {len(facts.view.members)} members are well{asked}; no invariant is violated, and I changed " \
             f"nothing.{_leave_alone(facts)} The ticket says: {facts.ticket.title or 'nothing'}. That is not so now."
    if "no_action" in facts.offered:
        return Turn("To act where nothing is broken could only break something.", "No action is needed.",
                    (Call("no_action", {"reason": one_line(reason, _LONGEST)}),))
    return _escalate(facts, f"Nothing is wrong now and I did nothing. No action is needed. {reason}")


# -- doing ------------------------------------------------------------------------------------------------------------


def name_the_cause(facts: Facts) -> Turn | None:
    known = [d for d in _repairable(facts) if (d.member, d.cause) not in facts.findings]
    if not known:
        return None
    calls = tuple(_finding(facts, d) for d in known)
    text = " ".join(d.text for d in known)
    plan = "The cause is clear enough to act on." if len(known) == 1 else (
        f"{len(known)} members at once. I take them one after the other, the quickest first"
        + (", because the quorum hangs on it." if facts.view and not facts.view.quorum else "."))
    return Turn(plan, text, calls)


def repair(facts: Facts) -> Turn | None:
    todo = _repairable(facts)
    if not todo or not facts.has_shell:
        return None
    d = min(todo, key=lambda d: d.effort)
    assert d.repair
    rest = f" Then {_join([other.member for other in todo if other is not d])}." if len(todo) > 1 else ""
    again = any(r.command == d.repair for r in facts.repairs)
    who = d.member or "the cluster"
    text = f"I repair {who}."
    if again:
        text = f"It was well after my repair, and it has happened to {who} again. Once more."
    risk = "It deletes nothing and can be undone."
    if shell.repaired_in(d.repair) == "":
        risk = "It deletes no data that is in use."
    return Turn(f"The smallest repair for {who}: {d.repair}. {risk}{rest}", text,
                (_shell(d.repair, f"The smallest repair for {who}. {risk}"),))


def hand_to_human_in_observe_mode(facts: Facts) -> Turn | None:
    todo = _repairable(facts)
    if not todo or facts.has_shell:
        return None
    steps = "; ".join(d.repair or "" for d in sorted(todo, key=lambda d: d.effort))
    causes = " ".join(d.text for d in todo)
    return _escalate(facts, f"{causes} In this mode I only look. I would run: {steps}")


def ask_a_human(facts: Facts) -> Turn | None:
    """Nothing above has a rule for what is still wrong, or its rule did not help."""
    assert facts.view
    if facts.view.well:
        return None
    diagnoses = _focus(facts)
    problem = " ".join(_what_is_left(facts, d) for d in diagnoses)
    if not diagnoses and _overloaded(facts):
        problem = _overloaded(facts)
        diagnoses = [Diagnosis(CLUSTER, "overload", problem)]
    elif not diagnoses:
        what = "; ".join(text for text in facts.view.texts if text) or "the cluster is not well as a whole"
        problem = f"No single member stands out, yet: {what}."
        diagnoses = [Diagnosis(CLUSTER, "unknown", problem)]
    unnamed = [d for d in diagnoses if (d.member, d.cause) not in facts.findings]
    unnamed.sort(key=lambda d: d.cause != "unknown")  # what has a name last: that is the diagnosis of the session
    if unnamed and "finding" in facts.offered:
        return Turn("I have no rule that explains this well enough to act on. I say what I saw and guess nothing.",
                    problem, tuple(_finding(facts, d) for d in unnamed))
    return _escalate(facts, problem)


# -- done? ------------------------------------------------------------------------------------------------------------


def accept_the_refusal(facts: Facts) -> Turn | None:
    """The oracle did not agree, and another look showed nothing to repair: to repair more would be guessing."""
    if facts.refusals and not facts.repairs_since_refusal:
        return _escalate(facts, f"All members look well to the monitor, but the oracle does not agree: "
                                f"{facts.refusals[-1]}")
    return None


def ask_the_members(facts: Facts) -> Turn | None:
    assert facts.view and facts.ticket
    if facts.confirmed > facts.repairs[-1].index:
        return None
    treated = {repair.target for repair in facts.repairs}
    healed = [name for name in facts.view.members if "" in treated or facts.target(name) in treated]
    addresses = [address for name in healed if (address := facts.view.members[name].address)]
    command = shell.health(facts.ticket.subject, addresses)
    if command is None:
        return None
    return Turn(f"The monitor sees {_join(healed)} well again. I would rather hear it from {_them(healed)} directly.",
                f"The monitor sees no violation. I ask {_join(healed)} myself.",
                (_shell(command, "A check that does not depend on the monitor."),))


def resolve(facts: Facts) -> Turn | None:
    assert facts.view
    leader = next((name for name, sight in facts.view.members.items() if sight.leader), None)
    what = "; ".join(sorted(f"{member or 'the cluster'}: {cause}" for member, cause in facts.findings))
    led = f" {leader} leads." if leader else ""
    actions = [repair.command for repair in facts.repairs if repair.worked is not False]
    summary = f"{what}. Repaired; all {len(facts.view.members)} members are well again.{led}"
    return Turn("Every member is well, no invariant is violated. Whether it is truly repaired, others shall judge.",
                f"All {len(facts.view.members)} members are well again.{led} Now the oracle decides.",
                (Call("resolve", {"summary": summary, "actions": actions}),))


RULES: tuple[Rule, ...] = (
    stop_when_over, need_a_ticket, give_up_in_circles, give_up_blind,
    look, nothing_wrong, list_containers, inspect_suspects, be_patient, inspect_peers, probe_links, read_logs,
    name_the_cause, repair, hand_to_human_in_observe_mode, ask_a_human,
    accept_the_refusal, ask_the_members, resolve,
)


# -- what the rules share ---------------------------------------------------------------------------------------------


def _inspected(facts: Facts, member: str) -> Inspected | None:
    return facts.inspected.get(facts.target(member) or "")


def _stale(facts: Facts, member: str) -> bool:
    """Was it never inspected, or has it been repaired or changed its state since?"""
    target, inspected = facts.target(member), _inspected(facts, member)
    if target is None:
        return False
    if inspected is None:
        return True
    assert facts.view
    repaired = max((r.index for r in facts.attempts(target)), default=-1)
    moved = facts.view.index > inspected.index and facts.view.members[member].state != inspected.status
    return inspected.index < repaired or moved


def _unattached(facts: Facts, member: str) -> bool:
    inspected = _inspected(facts, member)
    return inspected is not None and bool(facts.network) and facts.network not in inspected.networks


def _diagnoses(facts: Facts) -> list[Diagnosis]:
    """One for each suspect; a suspect without a container has none that could be repaired."""
    assert facts.view and facts.ticket
    if whole := _make_room(facts) or _leaders_kept_away(facts):
        return [whole]
    diagnoses, cut_off = [], _cut_off(facts)
    for name in (n for n in facts.view.suspects if n in facts.view.members):
        inspected = _inspected(facts, name)
        if inspected is None:
            diagnoses.append(Diagnosis(name, "unknown", f"{name} has no container in this project that I can see. To "
                                                        "create one is more than a repair."))
            continue
        diagnoses.append(diagnose(_evidence(facts, name, inspected, cut_off.get(name, ""))))
    return diagnoses or _held_back(facts)


def _evidence(facts: Facts, member: str, inspected: Inspected, cut_off: str) -> Evidence:
    assert facts.view and facts.ticket
    peers = [_inspected(facts, peer) for peer in facts.view.members if peer != member]
    violations = zip(facts.view.violations, facts.view.texts, strict=True)
    of_member = [(invariant, text) for (invariant, violator), text in violations if violator == member]
    return Evidence(
        sight=facts.view.members[member], inspected=inspected, project=facts.ticket.project, network=facts.network,
        peers=[peer for peer in peers if peer is not None], row=facts.row(member),
        log=facts.logs.get(facts.target(member) or "", ""), invariants=[invariant for invariant, _ in of_member],
        texts=[text for _, text in of_member], cut_off=cut_off)


def _held_back(facts: Facts) -> list[Diagnosis]:
    """No member stands out, and yet the cluster is not well: a member with lower limits may slow down all."""
    assert facts.view and facts.ticket
    known = {name: inspected for name in facts.view.members if (inspected := _inspected(facts, name))}
    if facts.view.well or facts.view.suspects or len(known) < len(facts.view.members):
        return []
    return [d for name, inspected in known.items() if inspected.project == facts.ticket.project
            and all(r.index < inspected.index for r in facts.attempts(facts.target(name) or ""))
            and (d := held_back(name, inspected, [peer for other, peer in known.items() if other != name]))]


def _puzzling(facts: Facts) -> list[str]:
    """Members whose problem no rule explains yet."""
    assert facts.view
    return [d.member for d in _focus(facts) if d.may_pass and d.repair is None and d.member in facts.view.members]


def _make_room(facts: Facts) -> Diagnosis | None:
    """The space for data is used up, on all members at once, because all hold the same data."""
    assert facts.view and facts.ticket
    full = sorted({member or "" for invariant, member in facts.view.violations if _SPACE.search(invariant)})
    up = all(sight.state == "running" and sight.reachable for sight in facts.view.members.values())
    addresses = [address for sight in sorted(facts.view.members.values(), key=lambda s: s.leader)
                 if (address := sight.address)]
    steps = shell.make_room(facts.ticket.subject, addresses) if up else ()
    if not full or not steps:
        return None
    begun = max((steps.index(r.command) for r in facts.repairs if r.command in steps), default=-1)
    step = steps[min(begun + 1, len(steps) - 1)] if facts.has_shell else " && ".join(f"({s})" for s in steps)
    reporters = f" (so says {_join([name for name in full if name])})" if any(full) else ""
    text = (f"The database has reached its quota{reporters}, and the members refuse writes to protect what they have. "
            "All of them run and reach each other. Old revisions can be forgotten and the room given back; then the "
            "alarm can be lifted.")
    return Diagnosis(full[0] if len(full) == 1 else CLUSTER, "disk_full", text, step,
                     may_pass=begun + 1 == len(steps), effort=begun + 1)


def _leaders_kept_away(facts: Facts) -> Diagnosis | None:
    """The leaders are unevenly spread, all members are well, and a scheduler keeps leaders away from some member."""
    assert facts.view and facts.ticket
    uneven = any(_UNEVEN.search(invariant) for invariant, _ in facts.view.violations)
    leader = next((sight.address for sight in facts.view.members.values() if sight.leader), None)
    repair = shell.call_back(facts.ticket.subject, facts.view.schedulers, leader)
    if not uneven or repair is None or not all(sight.well for sight in facts.view.members.values()):
        return None
    return Diagnosis(CLUSTER, "misconfiguration",
                     "All members are well, and yet the leaders lie unevenly. Among the schedulers is one that is not "
                     "there of itself: it orders leaders away, as before a member is taken out of service. None is out "
                     "of service, so the order was forgotten. Without it the leaders are evened out again.", repair,
                     may_pass=any(r.command == repair for r in facts.repairs))


def _linkable(facts: Facts) -> dict[str, str]:
    """Container -> address of the members that run and are on the network."""
    assert facts.view
    return {target: sight.address for name, sight in facts.view.members.items()
            if sight.state == "running" and sight.address and (target := facts.target(name))}


def _cut_off(facts: Facts) -> dict[str, str]:
    """Members that answer themselves but have no connection to or from the majority; with which peers, in words.

    Only a timeout or a refused connection counts; a container without curl shows nothing.
    """
    assert facts.view
    if facts.links is None:
        return {}
    names = {target: name for name in facts.view.members if (target := facts.target(name))}
    where = {target: address for target, address in _linkable(facts).items() if facts.links.get((target, address)) == 0}
    links = facts.links

    def hears(a: str, b: str) -> bool:
        return all(links.get((x, where[y])) not in _NO_CONNECTION for x, y in ((a, b), (b, a)))

    circles = [{b for b in where if b == a or hears(a, b)} for a in where]
    whole = max((c for c in circles if all(hears(a, b) for a in c for b in c if a != b)), key=len, default=set())
    if len(whole) * 2 <= len(facts.view.members):
        whole = set()  # nobody has a majority behind it
    anew = {r.target for r in facts.repairs if r.index > facts.linked}  # of these nothing is known yet
    deaf = {a: [b for b in where if b != a and not hears(a, b)] for a in where if a not in whole and a not in anew}
    return {names[a]: f"{_join([names[b] for b in others])} and it do not reach each other"
            for a, others in deaf.items() if others}


def _overloaded(facts: Facts) -> str:
    """The text of the finding if all members are well and the clients ask for more than they can do; else empty."""
    assert facts.view
    late = facts.view.errors.get("late", 0)
    if not all(s.state == "running" and s.reachable for s in facts.view.members.values()) or not facts.view.quorum:
        return ""
    if facts.late_looks < LOOKS_BEFORE:
        return ""
    return (f"All {len(facts.view.members)} members run, reach each other and agree. They do {facts.view.ops:.0f} "
            f"operations a second, and {late} more were not even begun in time: the load is more than this cluster can "
            "carry. Nothing in it is broken, so nothing in it is to repair: the load must go down, or the cluster must "
            "grow, and that is for people to decide.")


def _focus(facts: Facts) -> list[Diagnosis]:
    """The diagnoses that matter: those that may pass (a member that waits for others) only if there are no others."""
    diagnoses = _diagnoses(facts)
    return [d for d in diagnoses if not d.may_pass] or diagnoses


def _repairable(facts: Facts) -> list[Diagnosis]:
    """The diagnoses with a repair that was not tried yet, or that worked before the same fault came back."""
    tried = Counter(r.command for r in facts.repairs)
    vain = {r.command for r in facts.repairs if r.index not in facts.held}
    return [d for d in _diagnoses(facts) if d.repair and d.repair not in vain and tried[d.repair] < MOST_TRIES]


def _what_is_left(facts: Facts, d: Diagnosis) -> str:
    attempts = [r for r in facts.repairs if r.command == d.repair]
    if not attempts:
        return d.text
    last = attempts[-1]
    if last.worked:
        return f"{d.text} I did that once ({d.repair}), and it did not hold."
    return f"{d.text} I tried, and it failed: {words(last.output, 200) or 'no answer'}"


def _leave_alone(facts: Facts) -> str:
    """In words: other stopped containers of the project, which are left alone."""
    remarks = []
    for row in facts.strangers():
        label = meant_to_be_stopped(row.labels)
        why = f"meant to be: {words(label)}" if label else "no member"
        remarks.append(f"{row.name} is {row.state}, too, but {why}.")
    return f" {' '.join(remarks)} I leave them alone." if remarks else ""


def _inspect(facts: Facts, members: list[str], reasoning: str) -> tuple[Call, ...]:
    targets = [target for name in members if (target := facts.target(name))]
    if facts.has_shell:
        return (_shell(shell.inspect(targets), reasoning),)
    return tuple(Call("inspect", {"member": target}) for target in targets)


def _wait(facts: Facts, thinking: str) -> Turn:
    """What is not back soon takes its time, and each look costs a request: the later ones are further apart."""
    if not facts.has_shell:
        return Turn(thinking, "I look once more.", (Call("observe"),))
    pause = SHORT if facts.looks < SHORT_LOOKS else LONG
    return Turn(thinking, f"I give it {pause} seconds.",
                (_shell(f"sleep {pause}", "Let it settle before the next look."),))


def _finding(facts: Facts, d: Diagnosis) -> Call:
    member = {"member": d.member} if d.member != CLUSTER else {}
    proposal = {"proposal": d.repair} if d.repair and facts.takes_proposal else {}
    advice = f" I would run: {d.repair}" if d.repair and not facts.has_shell else ""
    return Call("finding", {**member, "cause": d.cause, "text": one_line(d.text + advice, _LONGEST), **proposal})


def _shell(command: str, reasoning: str) -> Call:
    return Call("shell", {"command": command, "reasoning": reasoning})


def _escalate(facts: Facts, reason: str) -> Turn:
    thinking = "I do not guess, and I delete nothing. This is for a human."
    if "escalate" not in facts.offered:
        return Turn(thinking, f"{reason} A human has to take over.")
    return Turn(thinking, "I hand this to a human.", (Call("escalate", {"reason": one_line(reason, _LONGEST)}),))


def _join(names: Iterable[str]) -> str:
    *others, last = list(names) or [""]
    return f"{', '.join(others)} and {last}" if others else last


def _them(names: list[str]) -> str:
    return "it" if len(names) == 1 else "them"
