"""What remains of a run on the terminal once it is over."""

from collections.abc import Callable

from operator_demo import phrases
from operator_demo.run_state import RunState
from operator_demo.screen.quantities import amount, money, plural, seconds
from operator_demo.screen.scorecard import scorecard
from operator_demo.screen.terminal_text import Line, Symbols

_TONES = {"repaired": "good", "no_action": "good", "cleared": "warn", "escalated": "warn", "interrupted": "warn"}


def summary(state: RunState, symbols: Symbols, program: str = "./operator-demo") -> list[Line]:
    """Outcome, fault, times, ticket, agent, each check of the oracle, the head of the record, and where to read on
    (not without a `program`, for a record that is in no store)."""
    outcome = state.outcome
    name = outcome.data.outcome if outcome else "not finished"
    tone = _TONES.get(name, "bad")
    lines: list[Line] = [("", ""), (symbols.rule * 78, tone)]

    def say(title: str, text: str, tone: str = "") -> None:
        head, *rest = text.splitlines() or [""]
        lines.append((f"  {title:<10}{head}", tone))
        lines.extend((f"  {'':<10}{line}", tone) for line in rest)

    took = outcome.at - state.run.began if outcome and state.run.began is not None else None
    about = [name.upper(), state.run.subject, state.run.id, *([f"{seconds(took)} in all"] if took else [])]
    say("Outcome", f" {symbols.dot} ".join(part for part in about if part), tone)
    if state.fault.phase:
        of = f" of {', '.join(state.fault.targets)}" if state.fault.targets else ""
        say("Fault", f"{state.fault.kind}{of} ({state.fault.phase})")
    if state.truth:
        say("Truth", phrases.opened(state.truth, state.sealed))
    if state.fault.phase:
        say("TTD", f"{seconds(state.ttd)} from the fault to the ticket")
        say("TTM", f"{seconds(state.ttm)} {phrases.to_repair(state.ttm, state.waited)}")
    for ticket in sorted(state.tickets.values(), key=lambda t: t.opened or 0.0):
        reason = f"\n{ticket.reason}" if ticket.reason else ""
        say("Ticket", f"{ticket.id} {ticket.state}: {ticket.title}{reason}")
    _agent(state, say)
    if state.writes:
        w = state.writes
        say("Writes", f"{w.kept} acknowledged kept, {w.lost} lost, {w.unknown} unknown", "bad" if w.lost else "")
    final = state.ticket.final if state.ticket else None
    if final:
        passed = final.data.passed
        say("Oracle", "passed" if passed else "not passed", "good" if passed else "bad")
        for check in final.data.checks:
            say("", *phrases.check(check, symbols))
    elif state.tickets:
        say("Oracle", "no final verdict", "warn")
    for title, text, mark_tone in scorecard(state.score, symbols) if state.score is not None else ():
        say(title, text, mark_tone)
    if state.record:
        say("Record", f"{state.record.entries} entries; the head of their chain is\n{state.record.head}")
    if state.run.id and program:
        say("Audit", f"{program} audit show {state.run.id}", "strong")
        say("Report", f"{program} report {state.run.id} -o run.html")
    lines.append((symbols.rule * 78, tone))
    return [(text.replace("—", symbols.none), t) for text, t in lines]


def _agent(state: RunState, say: Callable[..., None]) -> None:
    agent = state.agent
    label = phrases.brain_label(agent.brain, agent.model)
    if not agent.sessions:
        say("Agent", f"{label}, claimed no ticket" if agent.brain not in ("", "none") else "no agent")
        return
    status = agent.session.status or "not finished"
    say("Agent", f"{label}, {agent.mode} mode, session {agent.session.id}: {status}")
    say("", f"{plural(agent.steps, 'step')}, {plural(agent.calls, 'tool call')}, "
            f"{amount(agent.tokens)} tokens, cost {money(agent.cost)}")

