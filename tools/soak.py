"""`./build.sh soak [N] [--seed NUMBER]`: N runs of etcd's scenarios, drawn at random, one after the other.

Each is judged: does it end as the last full test run of its scenario did, is nothing left on the engine, is its record
whole, does the memory of the host process stay bounded. A soak that was interrupted goes on where it was when the same
command is given again. Exit status 1 if any run failed.
"""

import argparse
import hashlib
import json
import os
import random
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import docker
from record_faults import record_faults

from operator_demo.evaluation import runner
from operator_demo.evaluation.campaign import Campaign, Trial
from operator_demo.store import Store, StoreError

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "operator-demo"
FOLDER = ROOT / ".build" / "soak"
JUDGED = "judged.jsonl"
LIMIT = 900.0  # seconds after which a run is ended
MEMORY = 300  # MB that a host process may need at its peak
LABEL = "com.docker.compose.project"

Scenarios = dict[str, dict[str, Any]]  # by name, as `scenarios list --json` tells them


def main() -> int:
    arguments = parsed()
    scenarios = proven_scenarios()
    build = hashlib.sha256(PROGRAM.read_bytes()).hexdigest()[:8]  # another build's results count for nothing
    folder = FOLDER / f"{build}-seed-{arguments.seed}-runs-{arguments.runs}"
    campaign = drawn(scenarios, arguments.runs, arguments.seed)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    client = docker.from_env()
    judge = Judge(folder, client, scenarios)
    try:
        for trial in campaign.trials:
            judge.catch_up(trial)
        runner.play(campaign, folder, PROGRAM, lambda trial: tell(f"{trial.name} begins"), judge.ended)
    except KeyboardInterrupt:
        take_down(client, folder, campaign)
        tell("Interrupted, and taken down. The same command goes on where it was.")
        return 130
    finally:
        client.close()
    return summary(campaign, folder, judge.judged)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./build.sh soak", description=(__doc__ or "").split("\n\n", 1)[1])
    parser.add_argument("runs", nargs="?", type=int, default=30, metavar="N", help="how many runs; default: 30")
    parser.add_argument("--seed", type=int, default=1, help="of the draw and of each run's fault; default: 1")
    return parser.parse_args()


def proven_scenarios() -> Scenarios:
    """Those of which the last full test run says how the rehearsal ends them."""
    listed = subprocess.run([PROGRAM, "scenarios", "list", "etcd", "--json"], capture_output=True, check=True).stdout
    return {scenario["name"]: scenario for scenario in json.loads(listed) if scenario["rehearsal"]}


def drawn(scenarios: Scenarios, runs: int, seed: int) -> Campaign:
    """Runs one at a time, each of a scenario drawn at random; the same seed gives the same runs and faults."""
    chance = random.Random(seed)
    names = sorted(scenarios)
    trials = [Trial("etcd", chance.choice(names), "rehearsal", seed * 1000 + number) for number in range(runs)]
    return Campaign(trials, parallel=1, options=[], limit=LIMIT)


class Judge:
    """`judged` holds what is wrong with each run that is over, by name of the trial; it is kept in a file."""

    def __init__(self, folder: Path, client: docker.DockerClient, scenarios: Scenarios) -> None:
        self._folder, self._client, self._scenarios = folder, client, scenarios
        self._file = folder / JUDGED
        self.judged: dict[str, dict[str, Any]] = {}
        if self._file.exists():
            for line in self._file.read_text().splitlines():
                judgement = json.loads(line)
                self.judged[judgement["trial"]] = judgement

    def catch_up(self, trial: Trial) -> None:
        """Judges a run that ended just before the soak was interrupted."""
        result = runner.finished(self._folder).get(trial.name)
        if result is not None and trial.name not in self.judged:
            self.ended(trial, result)

    def ended(self, trial: Trial, result: runner.Result) -> None:
        memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
        faults = self._outcome_faults(trial, result) + self._record_faults(trial)
        faults += [f"left on the engine: {name}" for name in left_on_engine(self._client, trial.project)]
        if memory > MEMORY:
            faults.append(f"a host process needed {memory} MB")
        judgement = {"trial": trial.name, "outcome": result["outcome"], "exit_status": result["exit_status"],
                     "memory": memory, "faults": faults}
        with self._file.open("a") as file:
            file.write(json.dumps(judgement) + "\n")
        self.judged[trial.name] = judgement
        tell(f"{trial.name}: {result['outcome']}{'' if not faults else ', FAILED: ' + '; '.join(faults)}")

    def _outcome_faults(self, trial: Trial, result: runner.Result) -> list[str]:
        scenario = self._scenarios[trial.scenario]
        outcome = scenario["rehearsal"]["outcome"]
        status = 0 if outcome == scenario["outcome"] else 1
        if (result["outcome"], result["exit_status"]) == (outcome, status):
            return []
        return [f"ended as {result['outcome']} with status {result['exit_status']}, not as {outcome} with {status}"]

    def _record_faults(self, trial: Trial) -> list[str]:
        home = runner.home_of(self._folder, trial)
        try:
            with Store(home / "tickets.db", read_only=True) as store:
                (check,) = store.rows("PRAGMA integrity_check")
                faults = [] if check["integrity_check"] == "ok" else [f"store: {check['integrity_check']}"]
                row = store.row("SELECT run FROM runs ORDER BY started DESC LIMIT 1")
        except StoreError as e:
            return [e.message]
        return faults + (record_faults(home, row["run"], set()) if row else ["no run in the store"])


def left_on_engine(client: docker.DockerClient, project: str) -> list[str]:
    names = []
    for name in (project, f"{project}-operator"):
        filters = {"label": f"{LABEL}={name}"}
        names += [container.name for container in client.containers.list(all=True, filters=filters)]
        names += [network.name for network in client.networks.list(filters=filters)]
        names += [volume.name for volume in client.volumes.list(filters=filters)]
    return names


def take_down(client: docker.DockerClient, folder: Path, campaign: Campaign) -> None:
    """What a run that was interrupted has not taken down itself."""
    for trial in campaign.trials:
        if left_on_engine(client, trial.project):
            home = runner.home_of(folder, trial)
            subprocess.run([PROGRAM, "down", "--project", trial.project, "--volumes"],
                           env=os.environ | {"OPERATOR_HOME": str(home)}, check=False)


def summary(campaign: Campaign, folder: Path, judged: dict[str, dict[str, Any]]) -> int:
    print(f"{'run':<40}{'outcome':<14}{'status':<8}{'peak MB so far':<16}judgement")
    failed = 0
    for trial in campaign.trials:
        judgement = judged[trial.name]
        failed += bool(judgement["faults"])
        told = "; ".join(judgement["faults"]) or "good"
        print(f"{trial.name:<40}{judgement['outcome']:<14}{judgement['exit_status']:<8}{judgement['memory']:<16}{told}")
    print(f"{len(campaign.trials) - failed} of {len(campaign.trials)} good. Records: {folder}")
    return 1 if failed else 0


def tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
