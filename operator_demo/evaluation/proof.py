"""Proves the scenarios of a subject: a campaign without an agent and with the rehearsal, one run after the other.

What each run did is noted in the subject's record of proofs (`operator_demo.proven`).
"""

from collections.abc import Sequence
from pathlib import Path

from operator_demo import home, proven
from operator_demo.chaos import scenario as scenarios
from operator_demo.chaos.scenario import BY_HAND, Scenario
from operator_demo.errors import UsageError
from operator_demo.evaluation import runner
from operator_demo.evaluation.campaign import NO_AGENT, Campaign, Trial
from operator_demo.evaluation.runner import Result
from operator_demo.events import Finding, Note
from operator_demo.findings import standing
from operator_demo.outcomes import FAILED, INTERRUPTED, REPAIRED
from operator_demo.settings import REHEARSAL
from operator_demo.store import Store
from operator_demo.subject import Found

LIMIT = 900.0  # seconds of a run, at most
SECTIONS = {NO_AGENT: proven.WITHOUT_AGENT, REHEARSAL: proven.REHEARSAL}


def plays(found: Found, chosen: Sequence[str]) -> list[Scenario]:
    """The chosen scenarios, or all of the subject that inject their fault themselves. Raises `UsageError`."""
    loaded = [scenarios.load(found, name) for name in scenarios.known(found)]
    provable = {play.name: play for play in loaded if play.fault.kind != BY_HAND}
    unknown = [name for name in chosen if name not in provable]
    if unknown or not provable:
        raise UsageError(f"{found.subject.name} has no scenario {', '.join(unknown)} that can be proved.",
                         f"Those that inject their fault themselves: {', '.join(provable) or 'none'}.")
    return [play for name, play in provable.items() if not chosen or name in chosen]


def campaign(found: Found, chosen: Sequence[Scenario], host: str | None) -> Campaign:
    """Without an agent where the right outcome is a repair (else nothing can be seen), and with the rehearsal."""
    subject = str(found.folder) if found.outside else found.subject.name
    trials = [Trial(subject, play.name, model, 1) for play in chosen
              for model in ((NO_AGENT, REHEARSAL) if play.outcome == REPAIRED else (REHEARSAL,))]
    return Campaign(trials, parallel=1, options=[], limit=LIMIT, host=host)


def folder(found: Found) -> Path:
    """For the results and the records of the runs."""
    return home.home() / "proving" / found.folder.name


def note_finished(found: Found, plan: Campaign, folder: Path) -> dict[str, str]:
    """Notes what the finished runs did; noting twice is harmless. Returns why the others prove nothing, by trial."""
    results, reasons = runner.finished(folder), {}
    for trial in plan.trials:
        if trial.name not in results:
            continue
        result = results[trial.name]
        if result["outcome"] in (FAILED, INTERRUPTED):
            reasons[trial.name] = f"{result['outcome']}. {result['words'].strip()}".strip()
            continue
        entry, stand_ins = _record(result, runner.home_of(folder, trial))
        if stand_ins:
            reasons[trial.name] = f"{result['outcome']}, but on stand-ins."
        else:
            proven.note(found, SECTIONS[trial.model], trial.scenario, entry)
    return reasons


def begin_anew(folder: Path) -> None:
    """Forgets the results, so that the next call runs all again; the records stay until then."""
    home.remove(folder / runner.RESULTS)


def _record(result: Result, home: Path) -> tuple[proven.Entry, bool]:
    """What is noted of a run, and whether stand-ins answered in the place of the real system."""
    with Store(home / "tickets.db", read_only=True) as store:
        (run,) = store.rows("SELECT * FROM runs ORDER BY started DESC LIMIT 1")
        data = [e.data for e in store.events(run["run"], types=["finding", "note"])]
    named = [finding.cause for finding in standing([one for one in data if isinstance(one, Finding)])]
    entry = {"outcome": result["outcome"], "reached": result["reached"],
             "cause": ", ".join(dict.fromkeys(named)) or None,
             "ttd": _rounded(run["ttd"]), "ttm": _rounded(run["ttm"]), "version": run["version"],
             "date": run["started"][:10]}
    return entry, any(note.stand_ins for note in data if isinstance(note, Note))


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)
