"""Runs a campaign: each trial has its own process, project and home; finished trials are not repeated."""

import json
import os
import queue
import signal
import subprocess
import threading
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from operator_demo import trust
from operator_demo.errors import Exit
from operator_demo.evaluation import lifeline
from operator_demo.evaluation.campaign import NO_AGENT, Campaign, Trial
from operator_demo.events import Score
from operator_demo.outcomes import FAILED
from operator_demo.own_variables import own_environment
from operator_demo.store import Store, StoreError

Result = dict[str, Any]
RESULTS = "results.jsonl"
_GRACE = 120.0  # seconds that a run has to take itself down
_LEAST_TIME, _MOST_TIME = 60.0, 86400.0  # seconds; what `run --max-time` takes
_TAIL = 2000  # characters of the end of a failed run's output
_BEAT = 0.2  # seconds


def finished(folder: Path) -> dict[str, Result]:
    """The results so far, by the name of the trial; an incomplete last line does not count."""
    results = {}
    try:
        lines = (folder / RESULTS).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    for line in lines:
        try:
            result = json.loads(line)
            results[str(result["trial"])] = result
        except (ValueError, TypeError, KeyError):
            continue
    return results


def play(campaign: Campaign, folder: Path, program: Path, began: Callable[[Trial], None],
         ended: Callable[[Trial, Result], None]) -> None:
    """Runs what is not in `folder` yet, `campaign.parallel` at a time; each result is on the disk before `ended`.

    An exception meanwhile (KeyboardInterrupt, SystemExit) ends the runs under way, which take themselves down, and is
    raised again. Runs also end by themselves when this process is gone.
    """
    folder.mkdir(parents=True, exist_ok=True)
    done, waiting, stop = finished(folder), queue.SimpleQueue[Trial](), threading.Event()
    for trial in campaign.trials:
        if trial.name not in done:
            waiting.put(trial)
    news: queue.SimpleQueue[tuple[Trial, Result | None] | BaseException] = queue.SimpleQueue()

    def work() -> None:
        try:
            while not stop.is_set():
                trial = waiting.get_nowait()
                news.put((trial, None))
                result = run(trial, campaign, folder, program, stop)
                if not stop.is_set():
                    news.put((trial, result))
        except queue.Empty:
            pass
        except BaseException as e:
            news.put(e)

    workers = [threading.Thread(target=work, name=f"trial-{n}") for n in range(campaign.parallel)]
    for worker in workers:
        worker.start()
    try:
        while any(worker.is_alive() for worker in workers) or not news.empty():
            _take_next(news, folder, began, ended)
    finally:
        stop.set()
        for worker in workers:
            worker.join()


def _take_next(news: "queue.SimpleQueue[Any]", folder: Path, began: Callable[[Trial], None],
               ended: Callable[[Trial, Result], None]) -> None:
    try:
        item = news.get(timeout=_BEAT)
    except queue.Empty:
        return
    if isinstance(item, BaseException):
        raise item
    trial, result = item
    if result is None:
        began(trial)
        return
    with (folder / RESULTS).open("a", encoding="utf-8") as file:
        file.write(json.dumps(result) + "\n")
        file.flush()
        os.fsync(file.fileno())
    ended(trial, result)


def home_of(folder: Path, trial: Trial) -> Path:
    """The home folder of a run, with its record."""
    return folder / "homes" / trial.name.replace("/", "_")


def run(trial: Trial, campaign: Campaign, folder: Path, program: Path, stop: threading.Event) -> Result:
    """One trial: `{trial, subject, scenario, model, number, seed, exit_status, reached, outcome, score, words}`."""
    home = home_of(folder, trial)
    home.mkdir(parents=True, exist_ok=True)
    trust.share(home)
    brain = ["--no-agent"] if trial.model == NO_AGENT else ["--model", trial.model]
    host = ["--host", campaign.host] if campaign.host else []
    argv = [str(program), *host, "run", trial.subject, "--scenario", trial.scenario, *brain, "--auto", "--pace", "0",
            "--display", "plain", "--project", trial.project, "--seed", str(trial.seed), "--restart", lifeline.OPTION,
            "--max-time", str(_max_time(campaign.limit)), *campaign.options]
    with (home / "output.txt").open("w+", encoding="utf-8", errors="replace") as output:
        # In its own session, so that Ctrl-C reaches only this process, which then ends the runs.
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT,
                              env=own_environment() | {"OPERATOR_HOME": str(home)}, start_new_session=True) as process:
            status = _wait(process, campaign.limit, stop)
        output.seek(0)
        words = output.read()[-_TAIL:]
    outcome, score = _record(home)
    return {"trial": trial.name, "subject": trial.subject, "scenario": trial.scenario, "model": trial.model,
            "number": trial.number, "seed": trial.seed, "exit_status": status, "reached": status == Exit.OK,
            "outcome": outcome, "score": score, "words": "" if score else words}


def _max_time(limit: float) -> float:
    """The limit for the run's containers, in case nobody ends the run: longer by the time of a take-down."""
    return min(max(limit + _GRACE, _LEAST_TIME), _MOST_TIME)


def _wait(process: "subprocess.Popen[bytes]", limit: float, stop: threading.Event) -> int:
    waited = 0.0
    while process.poll() is None:
        if stop.wait(_BEAT) or waited >= limit:
            process.send_signal(signal.SIGTERM)
            try:
                return process.wait(_GRACE)
            except subprocess.TimeoutExpired:
                process.kill()
                return process.wait()
        waited += _BEAT
    return process.returncode


def _record(home: Path) -> tuple[str, Result | None]:
    """Outcome and score of the run, from its store."""
    try:
        with Store(home / "tickets.db", read_only=True) as store:
            row = store.row("SELECT run, outcome FROM runs ORDER BY started DESC LIMIT 1")
            if row is None:
                return FAILED, None
            scores = [e.data for e in store.events(row["run"], types=["score"]) if isinstance(e.data, Score)]
            return row["outcome"] or FAILED, asdict(scores[0]) if scores else None
    except StoreError:
        return FAILED, None
