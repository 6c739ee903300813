"""How a run ended, and whether that is what its scenario calls right."""

from operator_demo import events
from operator_demo.chaos.scenario import BY_HAND, Scenario
from operator_demo.orders import PRESENTER, STOPPED
from operator_demo.outcomes import CLEARED, ESCALATED, NO_ACTION, REPAIRED, UNVERIFIED
from operator_demo.stage.situation import Situation


def outcome(scenario: Scenario, s: Situation) -> str:
    """`repaired`, `no_action`, `escalated`, `cleared` or `unverified`. Repaired is only what was seen to be broken: the
    oracle said no when the ticket opened, and all that the scenario says must show was on the ticket. Where the record
    is contradicted, nothing is proved."""
    if s.run.contradictions:
        return UNVERIFIED
    ticket = s.incident
    if ticket is None:
        return UNVERIFIED
    if ticket.state == "resolved" and ticket.verified is not None:
        if ticket.outcome == NO_ACTION:
            return NO_ACTION
        opening = ticket.verdicts.get("opening")
        passed_at_once = opening is not None and opening.data.passed
        return UNVERIFIED if missing(scenario, s) or passed_at_once else REPAIRED
    if ticket.state == "escalated":
        return ESCALATED if ticket.escalated_by in (events.AGENT, PRESENTER) else UNVERIFIED
    return CLEARED if ticket.state == "cleared" else UNVERIFIED


def reached(scenario: Scenario, s: Situation) -> bool:
    """Is it the expected outcome, with all that belongs to it?"""
    return outcome(scenario, s) == scenario.outcome and not shortcomings(scenario, s)


def shortcomings(scenario: Scenario, s: Situation) -> list[str]:
    """What keeps an outcome of the right name from being the right one, in words."""
    found = []
    if s.run.contradictions:
        found.append(f"The record is contradicted ({len(s.run.contradictions)} times), so nothing is proved.")
    if missing(scenario, s):
        found.append(f"The monitor never saw what this scenario must show: {', '.join(missing(scenario, s))}.")
    if scenario.fault.again is not None and sum(strike.injected for strike in s.run.fault.strikes) < 2:
        found.append("The fault did not come back, as this scenario says it must.")
    if s.incident is not None and s.incident.escalated_by == PRESENTER:
        found.append(f"{STOPPED} It gave nothing up itself.")
    causes = s.incident.causes if s.incident is not None else set()
    if outcome(scenario, s) == scenario.outcome == ESCALATED and scenario.cause not in causes:
        named = ", ".join(sorted(causes)) or "no cause at all"
        found.append(f"It was handed to a human with {named}; the cause was {scenario.cause}.")
    return found


def missing(scenario: Scenario, s: Situation) -> list[str]:
    """The invariants that must have been violated, and were not. By hand, anything may have been broken."""
    if scenario.fault.kind == BY_HAND:
        return []
    return scenario.unseen(s.ticket_invariants)
