"""One or two short sentences that say what is true now, for the top of the screen. Pure: a fold's state in, words out.

The first is about the system, the second about what happens with it. Neither says what the state does not show: a
repair is called verified only after a verdict that passed, and a leader is named only while all is well.
"""

from operator_demo import events, orders, outcomes, phrases
from operator_demo.run_state import RunState
from operator_demo.screen.quantities import seconds
from operator_demo.ticket_state import Ticket

_MOST_NAMED = 3  # members
_LONGEST = 100  # characters of a text from outside
_ACTS = {
    "docker start": "starts {} again", "docker restart": "restarts {}", "docker unpause": "lets {} run again",
    "docker pause": "freezes {}", "docker stop": "stops {}", "docker kill": "kills {}",
    "docker update: limits alone": "changes the limits of {}",
    "docker cp into a member's volume": "writes into the volume of {}",
    "docker network connect: a member": "connects {}", "docker network disconnect: a member": "disconnects {}",
}
_WORDS = {"paused": ("is frozen", "are frozen"), "restarting": ("restarts", "restart"), "": ("was not seen yet",) * 2}


def headline(state: RunState) -> str:
    """What is true now, in words; never empty."""
    if state.outcome is not None:
        return _end(state, state.outcome.data)
    return " ".join(sentence for sentence in (_system(state), _story(state)) if sentence)


# -- the system ------------------------------------------------------------------------------------------------------


def _system(state: RunState) -> str:
    members = state.members
    if not members or not state.observed:
        return "The system starts."
    unwell = {name: m for name, m in members.items() if not m.healthy}
    if _starting(state) and unwell:
        return f"The system starts: {len(members) - len(unwell)} of {len(members)} members are healthy."
    if state.quorum is False:
        return f"{_list(unwell)}: the quorum is lost." if unwell else "The quorum is lost."
    if unwell:
        return f"{_list(unwell)}."
    if state.violated:
        return f"All {len(members)} members are up, but not all is well."
    leaders = [name for name, m in members.items() if m.leader]
    leads = f", and {leaders[0]} leads" if len(leaders) == 1 else ""
    return f"All {len(members)} members are healthy{leads}."


def _starting(state: RunState) -> bool:
    return state.armed is None and not state.tickets and not state.load


def _list(unwell: dict[str, events.MemberSeen]) -> str:
    """`etcd1 is down`, `etcd1 and etcd2 are down, etcd3 is frozen`"""
    if len(unwell) > _MOST_NAMED:
        return f"{len(unwell)} members are not well"
    by_words: dict[tuple[str, ...], list[str]] = {}
    for name, m in unwell.items():
        by_words.setdefault(_condition(m), []).append(name)
    return ", ".join(f"{phrases.listed(names)} {words[0] if len(names) == 1 else words[1]}"
                     for words, names in by_words.items())


def _condition(m: events.MemberSeen) -> tuple[str, ...]:
    """In the singular and in the plural."""
    if m.state in _WORDS:
        return _WORDS[m.state]
    if m.state != "running":
        return "is down", "are down"
    return ("does not answer", "do not answer") if m.reachable is False else ("is not well", "are not well")


# -- what happens ----------------------------------------------------------------------------------------------------


def _story(state: RunState) -> str:
    if state.waiting:
        return f"The agent waits for an answer: {_short(phrases.asked_for(state.waiting[0].data))}."
    ticket = state.ticket
    if ticket is not None and ticket.closed is None:
        return _open_ticket(state, ticket)
    if state.strikes and state.fault_ticket is None:
        again = " again" if len(state.strikes) > 1 else ""
        return f"The fault has struck{again}, and the monitor has not noticed it yet."
    if ticket is not None and (state.strikes or ticket.state != outcomes.CLEARED):
        return _closed_ticket(state, ticket)
    return _before(state)


def _before(state: RunState) -> str:
    if state.missing and _starting(state):
        return f"Not ready yet: {_short(state.missing[0])}"
    if state.sealed:
        return "The fault is chosen and sealed; it strikes in a moment."
    if state.by_hand and state.chapter.name == "detection":
        return "All is armed: somebody breaks it now, by hand."
    if state.chapter.name == "fault":
        return "A fault comes next, and nobody has told the agent which."
    if state.load and state.observed:
        return f"Clients read and write, {state.load[-1].data.ops:.0f} times a second."
    return ""


def _open_ticket(state: RunState, ticket: Ticket) -> str:
    what = "A fault was reported" if ticket.reported else "A ticket is open"
    agent = state.agent
    match ticket.state:
        case "verifying":
            claim = "nothing is to be done" if ticket.claim == outcomes.NO_ACTION else "it is repaired"
            return f"The agent says that {claim}; the oracle checks it from outside."
        case "acknowledged":
            return _work(state, ticket)
    if agent.brain == "none":
        return f"{what}. This run has no agent."
    if agent.order == orders.STOP:
        return f"{what}. The presenter has stopped the agent."
    if state.held:
        return f"{what}, and the agent waits for its go."
    return f"{what}, and the agent is about to take it."


def _work(state: RunState, ticket: Ticket) -> str:
    agent = state.agent
    if agent.session.ticket != ticket.id:
        return "The agent takes the ticket."
    if not agent.working:
        return "The agent's session has ended, and its ticket is still open."
    if agent.paused:
        return "The agent stands still until the presenter lets it go on."
    if agent.order == orders.PAUSE:
        return "The agent stands still after this step."
    if agent.order == orders.STOP:
        return "The agent stops after this step."
    return _progress(state, ticket)


def _progress(state: RunState, ticket: Ticket) -> str:
    """How far it came since it took the ticket, or got it back."""
    agent, since = state.agent, ticket.moved[0]
    finding, change = agent.finding, agent.change
    cause = ""
    if finding is not None and finding.at >= since and finding.data.cause:
        cause = _short(finding.data.cause.replace("_", " "))
    act = ""
    if change is not None and change.at >= since:
        act = _act(change.data)
    if ticket.returns:
        return f"The oracle did not accept the repair. The agent {act or 'looks again'}."
    if cause and act:
        return f"The agent has named the cause, {cause}, and {act}."
    if cause:
        next_ = ", and may change nothing" if agent.mode == "observe" else ""
        return f"The agent has named the cause, {cause}{next_}."
    return f"The agent {act or 'looks for the cause'}."


def _act(change: events.Guard) -> str:
    about = _short(change.member or change.object) or "the system"
    return _ACTS.get(change.rule, "changes {}").format(about)


def _closed_ticket(state: RunState, ticket: Ticket) -> str:
    match ticket.state:
        case "resolved" if ticket.verified is None or not _well(state):
            return "Its ticket was closed before."
        case "resolved" if ticket.outcome == outcomes.NO_ACTION:
            return "Nothing was to be done, and the oracle agrees."
        case "resolved":
            return "It is repaired, and the oracle has verified it from outside."
        case "cleared":
            return "It healed while nobody held the ticket."
    why = _why_escalated(state, ticket)
    return f"{why}, and the ticket is with a human." if why else "The ticket is with a human."


def _well(state: RunState) -> bool:
    return state.quorum is not False and all(m.healthy for m in state.members.values())


def _why_escalated(state: RunState, ticket: Ticket) -> str:
    match ticket.escalated_by:
        case orders.PRESENTER:
            return "The presenter stopped the agent"
        case events.STAGE:
            return "The agent is gone"
        case events.MONITOR if ticket.returns:
            return "The oracle did not accept the repair"
        case events.AGENT:
            ends = {"budget": "The agent's budget is used up", "error": "The agent failed"}
            return ends.get(state.agent.session.status, "The agent gave it up")
    return ""


def _end(state: RunState, end: events.RunFinished) -> str:
    match end.outcome:
        case outcomes.REPAIRED:
            after = f", {seconds(state.ttm)} after the fault" if state.ttm is not None else ""
            return f"The agent repaired it, and the oracle verified that from outside{after}."
        case outcomes.NO_ACTION:
            return "Nothing was to be done: the agent said so, and the oracle agreed."
        case outcomes.ESCALATED:
            return "It is not repaired: the ticket is with a human."
        case outcomes.CLEARED:
            return "It healed while nobody held the ticket; nobody repaired it."
        case outcomes.INTERRUPTED:
            return "The run was interrupted."
        case outcomes.FAILED:
            return "The run could not go on."
    if state.contradictions:
        return "The record is contradicted, so nothing is proved."
    return "The run is over, and no repair is proved."



def _short(text: str) -> str:
    text = phrases.one_line(text)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
