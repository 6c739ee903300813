"""All that a report tells of a run, as one JSON object: the fold of its events, put into words.

Its texts are harmless: cleaned, and freed of `secrets` and of what looks like a secret.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from operator_demo import events, outcomes, phrases
from operator_demo.events import Event, timestamp
from operator_demo.redaction import Scrubber
from operator_demo.report.axis import axis
from operator_demo.report.source import Recorded
from operator_demo.report.steps import story
from operator_demo.run_state import RunState
from operator_demo.screen.quantities import amount, milliseconds, money, plural, seconds
from operator_demo.screen.scorecard import comparison, scorecard
from operator_demo.screen.terminal_text import UNICODE
from operator_demo.settings import REHEARSAL
from operator_demo.stage.truth import Truth
from operator_demo.ticket_state import Ticket

Json = dict[str, Any]

HEADLINES = {
    outcomes.REPAIRED: ("Repaired, and verified", "good"),
    outcomes.NO_ACTION: ("Nothing was to be done, and that is verified", "good"),
    outcomes.ESCALATED: ("Handed to a human", "warn"),
    outcomes.CLEARED: ("It healed by itself", "warn"),
    outcomes.UNVERIFIED: ("Not verified", "bad"),
    outcomes.INTERRUPTED: ("Interrupted", "warn"),
    outcomes.FAILED: ("The run could not go on", "bad"),
}


def digest(run: Recorded, secrets: Sequence[str], other: Recorded | None = None) -> Json:
    """Of `run`; `other` is a run to compare it with."""
    told = _whole(run)
    if other is not None:
        told["compare"] = _comparison(run, other)
    harmless: Json = _harmless(told, Scrubber(secrets))
    return harmless


def fold(record: Iterable[Event]) -> RunState:
    state = RunState()
    for e in record:
        state.apply(e)
    return state


def verdict_of(run: RunState) -> tuple[str, str]:
    """How it ended, in words, and the tone."""
    if run.outcome is None:
        return "No end is recorded", "warn"
    name = run.outcome.data.outcome
    return HEADLINES.get(name, (name, "warn"))


def promise(run: RunState) -> str:
    """What was checked, and by whom."""
    ticket = _judged(run)
    if ticket is None or ticket.final is None:
        return "No final verdict of the oracle is recorded, so nothing is proved."
    checks = ticket.final.data.checks
    statuses = Counter(check.status for check in checks)
    passed = statuses.pop("passed", 0)
    others = ", ".join(f"{count} {status.replace('_', ' ')}" for status, count in statuses.items())
    said = "The oracle judged this from outside; the agent's word did not count."
    writes = run.writes
    kept = f", {writes.kept} acknowledged writes were kept, {writes.lost} lost" if writes is not None else ""
    return f"{said} {passed} of {len(checks)} checks passed{f' ({others})' if others else ''}{kept}."


def start_of(run: RunState, record: Sequence[Event]) -> float:
    """When it began, in seconds since the epoch."""
    if run.run.began is not None:
        return run.run.began
    return record[0].at if record else 0.0


def scenario_of(run: RunState) -> str:
    """Its name, once the sealed truth was opened; else empty."""
    return phrases.as_text(run.truth.get("scenario"))


def _expected(score: events.Score | None) -> list[str] | None:
    if score is None:
        return None
    if score.reached:
        return ["This is the outcome that the scenario calls right.", "good"]
    return [f"The outcome is {score.outcome}; right would have been: {score.expected}.", "bad"]


def _judged(run: RunState) -> Ticket | None:
    return run.fault_ticket or run.ticket


def _whole(recorded: Recorded) -> Json:
    record, run = recorded.events, fold(recorded.events)
    start = start_of(run, record)
    words, tone = verdict_of(run)
    score = run.score
    return {
        "kind": "run",
        "run": {
            "id": recorded.chain.run, "subject": run.run.subject, "scenario": scenario_of(run),
            "project": run.run.project, "version": run.run.version,
            "started": timestamp(datetime.fromtimestamp(start, UTC)), "duration": round(run.latest - start, 3),
            "agent": phrases.brain_label(run.agent.brain, run.agent.model), "mode": run.agent.mode,
            "stand_ins": run.run.stand_ins},
        "verdict": {"words": words, "tone": tone, "promise": promise(run),
                    "expected": _expected(score)},
        "facts": _facts(run),
        "axis": axis(record, run, start),
        "story": story(record, start),
        "oracle": _oracle(run),
        "envelope": _envelope(record, run),
        "score": [list(row) for row in scorecard(score, UNICODE)] if score is not None else [],
        "contradictions": [c.text for c in run.contradictions],
        "chain": _chain(recorded),
    }


def _facts(run: RunState) -> list[Json]:
    """The few numbers that count: name, value, what it is."""
    facts = [{"name": "Time to detect", "value": _duration(run.ttd), "text": "from the fault to the ticket"},
             {"name": "Time to mitigate", "value": _duration(run.ttm), "text": phrases.to_repair(run.ttm, run.waited)}]
    if run.writes is not None:
        all_writes = run.writes.kept + run.writes.lost + run.writes.unknown
        tone = "bad" if run.writes.lost else "good"
        facts.append({"name": "Writes lost", "value": str(run.writes.lost), "tone": tone,
                      "text": f"of {all_writes} acknowledged; {run.writes.unknown} unknown"})
    service = run.score.service if run.score is not None else events.Service()
    if service.client_errors is not None:
        facts.append({"name": "Clients", "value": plural(service.client_errors, "error"),
                      "text": f"{service.lost_seconds or 0} s without service"})
    agent = run.agent
    if agent.sessions:
        facts.append({"name": "Agent", "value": plural(agent.steps, "step"),
                      "text": f"{plural(agent.calls, 'tool call')}, {amount(agent.tokens)} tokens"})
        payer = "no model was asked" if agent.brain == REHEARSAL else phrases.brain_label(agent.brain, agent.model)
        facts.append({"name": "Cost", "value": money(agent.cost), "text": payer})
    return facts


def _duration(value: float | None) -> str:
    """A time to detect may be a few milliseconds."""
    return milliseconds(value) if value is not None and value < 0.1 else seconds(value)


def _oracle(run: RunState) -> Json:
    """Each check, as it was when the ticket opened and as it is in the final verdict."""
    ticket = _judged(run)
    if ticket is None:
        return {"opening": None, "final": None, "checks": []}
    before = {check.name: check for check in _checks(ticket, "opening")}
    after = {check.name: check for check in _checks(ticket, "final")}
    names = list(dict.fromkeys([*before, *after]))
    return {"opening": _passed(ticket, "opening"), "final": _passed(ticket, "final"),
            "checks": [{"name": name.replace("_", " "), "before": _check(before.get(name)),
                        "after": _check(after.get(name))} for name in names]}


def _checks(ticket: Ticket, phase: str) -> tuple[events.Check, ...]:
    return ticket.verdicts[phase].data.checks if phase in ticket.verdicts else ()


def _passed(ticket: Ticket, phase: str) -> bool | None:
    return ticket.verdicts[phase].data.passed if phase in ticket.verdicts else None


def _check(check: events.Check | None) -> Json | None:
    if check is None:
        return None
    mark, tone = phrases.check_mark(check.status, UNICODE)
    return {"mark": mark, "tone": tone, "status": check.status.replace("_", " "), "saw": check.saw}


def _envelope(record: Sequence[Event], run: RunState) -> Json | None:
    """The sealed root cause, and whether what was opened is what had been sealed."""
    sealed = next((e for e in record if isinstance(e.data, events.TruthSealed)), None)
    if sealed is None:
        return None
    opened = next((e.data for e in reversed(record) if isinstance(e.data, events.TruthOpened)), None)
    before = "" if run.fault_began is None else f", {seconds(run.fault_began - sealed.at)} before the fault"
    sentence = f"The root cause was written down and sealed{before}."
    if opened is None:
        return {"sha256": run.sealed, "sentence": f"{sentence} It was never opened.", "holds": None, "truth": []}
    holds = Truth(opened.truth, opened.nonce).sha256 == run.sealed
    proof = "What was opened at the end has the same SHA-256, so it was not changed in between." if holds else \
        "What was opened at the end has ANOTHER SHA-256: it is not what had been sealed."
    truth = [[name, phrases.json_fields({name: value}).removeprefix(f"{name} ")] for name, value in opened.truth.items()
             if value not in (None, "", [], {})]
    return {"sha256": run.sealed, "sentence": f"{sentence} {proof}", "holds": holds, "truth": truth,
            "nonce": opened.nonce}


def _chain(recorded: Recorded) -> Json:
    chain = recorded.chain
    head = chain.head.hex()
    verify = f"operator-demo audit verify {chain.run} --head {head}" if chain.entries else ""
    return {"entries": chain.entries, "unchained": chain.unchained, "head": head if chain.entries else "",
            "verify": verify}


def _comparison(run: Recorded, other: Recorded) -> Json:
    """The other run's axis, and both scores side by side."""
    mine, theirs = fold(run.events), fold(other.events)
    rows = comparison(mine.score, theirs.score, UNICODE) if mine.score is not None and theirs.score is not None else []
    words, tone = verdict_of(theirs)
    return {"id": other.chain.run, "agent": phrases.brain_label(theirs.agent.brain, theirs.agent.model),
            "words": words, "tone": tone, "axis": axis(other.events, theirs, start_of(theirs, other.events)),
            "rows": [list(row) for row in rows]}


def _harmless(value: Any, scrub: Scrubber) -> Any:
    """Of what ran, only plain words are redacted, never what a shell expands or runs."""
    match value:
        case dict():
            return {key: scrub.shown_command(item) if key == "command" else _harmless(item, scrub)
                    for key, item in value.items()}
        case list():
            return [_harmless(item, scrub) for item in value]
    return scrub.deep(value)
