"""The score of a run.

Measured are separate clocks, the work, what the clients felt, and four marks as in AIOpsLab (detection, localisation,
root cause analysis, mitigation; arXiv 2501.06706) against the sealed truth of the fault.

Clocks are seconds after the fault; None is what did not happen or cannot be known. `operator_demo.run_state` defines
when the fault began, and which ticket belongs to it. Only the sessions that worked on that ticket are graded, not the
work on a false ticket before. A mark is None where the run has nothing to compare with.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from operator_demo import events
from operator_demo.events import Event
from operator_demo.findings import standing
from operator_demo.score import calls as commands
from operator_demo.score.incident import Incident, felt_by_clients, first_symptom, payloads, well_since


@dataclass(frozen=True)
class Expected:
    """What the scenario expects. `cause` and `targets` are the sealed truth; "" and () if there is none."""

    outcome: str
    invariants: Sequence[str] = ()
    cause: str = ""
    targets: Sequence[str] = ()


def grade(record: Sequence[Event], outcome: str, expected: Expected, reached: bool) -> events.Score:
    """`record` are all events of one run in the order of time; `outcome` is how it ended, `reached` whether that is
    what was expected."""
    incident = Incident.of(record)
    run, calls, felt = incident.run, commands.of(record, incident.sessions), felt_by_clients(incident)
    findings = [finding.at for finding in incident.of_sessions(events.Finding)]
    changes = [call.at for call in calls if call.changes]
    recovered = _latest(well_since(incident), felt.good_since if felt else None, felt is not None)
    clocks = events.Clocks(
        symptom=incident.since(first_symptom(incident)), ticket=_rounded(run.ttd),
        diagnosis=incident.since(min(findings, default=None)),
        repairing_call=incident.since(min(changes, default=None)), recovered=incident.since(recovered),
        verified=_rounded(run.ttm))
    lost = [check.data.lost for check in payloads(record, events.WriteCheck)]
    return events.Score(
        outcome=outcome, expected=expected.outcome, reached=reached, clocks=clocks, ttd=clocks.ticket,
        ttm=clocks.verified, waited=_rounded(run.waited) or None,
        marks=_marks(incident, outcome, expected, reached), work=_work(incident, calls),
        service=events.Service(felt.errors if felt else None, felt.lost if felt else None, lost[-1] if lost else None),
        oracle=_oracle(incident), collateral=tuple(commands.touched(calls, expected.targets)))


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)


def _latest(well: float | None, good: float | None, loaded: bool) -> float | None:
    """Recovered means: healthy for the monitor and, if there is a load, good for the clients."""
    if well is None or (loaded and good is None):
        return None
    return max(well, good or well)


def _marks(incident: Incident, outcome: str, expected: Expected, reached: bool) -> events.Marks:
    violated = {invariant for ticket in incident.tickets for invariant in ticket.invariants}
    claimed = standing([finding.data for finding in incident.of_sessions(events.Finding)])
    named = [finding.cause for finding in claimed]
    counted = expected.cause if expected.cause in named else named[-1] if named else None
    members = {finding.member for finding in claimed if finding.cause == counted and finding.member}
    known = bool(expected.cause) and expected.cause != "unknown"
    return events.Marks(
        detected=bool(violated) and all(set(entry.split(" or ")) & violated for entry in expected.invariants),
        localised=(bool(claimed) and members == set(expected.targets)) if known else None,
        cause=counted == expected.cause if known else None,
        repaired=reached if expected.outcome != "escalated" else outcome == "repaired")


def _work(incident: Incident, calls: Sequence[commands.Call]) -> events.Work:
    usages = [usage.data for usage in incident.of_sessions(events.Usage)]
    costs = [usage.cost_usd for usage in usages if usage.cost_usd is not None]
    findings = [finding.at for finding in incident.of_sessions(events.Finding)]
    first_finding = min(findings, default=None)
    early = [call for call in calls if call.changes and (first_finding is None or call.at < first_finding)]
    return events.Work(
        steps=len(usages), tokens=sum(usage.tokens for usage in usages),
        cost_usd=round(sum(costs), 6) if len(costs) == len(usages) else None, calls=commands.by_kind(calls),
        changes_before_finding=len(early), most_repeated=commands.most_repeated(calls))


def _oracle(incident: Incident) -> events.OracleWords:
    final = incident.tickets[-1].final if incident.tickets else None
    if final is None:
        return events.OracleWords()
    wrong = [check for check in final.data.checks if check.status in ("failed", "unknown")]
    return events.OracleWords(final.data.passed,
                              " ".join(f"{c.name} {c.status}: {c.saw.rstrip('.')}." for c in wrong))
