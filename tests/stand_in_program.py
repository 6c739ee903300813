"""Stands in for the program: a run that writes a score into its store, and ends as its scenario's name says."""

import sys
import zipapp
from pathlib import Path

ROOT = Path(__file__).parents[1]

PROGRAM = """\
import os, pathlib, signal, sys, time
sys.path[:0] = {path!r}
from operator_demo.evaluation import lifeline
from operator_demo import events
from operator_demo.store import Store
arguments = sys.argv[1:]
scenario, home = arguments[arguments.index("--scenario") + 1], pathlib.Path(os.environ["OPERATOR_HOME"])
def end(number, frame):
    home.joinpath("ended").write_text(signal.Signals(number).name)
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
signal.signal(signal.SIGTERM, end)
if lifeline.OPTION in arguments:
    lifeline.end_with_input()
home.joinpath("arguments").write_text(" ".join(arguments))
home.joinpath("began").write_text(str(os.getpid()))
if scenario == "frozen-member":
    time.sleep(60)
good = "--no-agent" not in arguments
with Store(home / "tickets.db") as store:
    def say(kind, **data):
        store.record(events.event("run-x", "stage", events.TYPES[kind].of(data)))
    say("run_started", project="p", subject="etcd", mode="execute", model="m", brain="b", version="v", engine="e",
        seed=1)
    if good:
        finding = {{"member": "etcd1", "cause": "process_killed", "text": "it was killed"}}
        store.record(events.event("run-x", "agent", events.TYPES["finding"].of(finding)))
    say("score", outcome="repaired", expected="repaired", reached=good, clocks={{}}, ttd=1.0,
        ttm=20.0 if good else None, marks={{"cause": good}}, work={{"steps": 9, "tokens": 5, "cost_usd": None}},
        oracle={{}}, collateral=[], service={{"client_errors": 3, "lost_seconds": 1}})
    say("run_finished", outcome="repaired" if good else "unverified", exit_status=0 if good else 1, ttd=1.04,
        ttm=20.0 if good else None)
sys.exit(0 if good else 1)
"""


def make(folder: Path) -> Path:
    """An executable zip file, as the real one is."""
    made, source = folder / "operator-demo", folder / "program"
    source.mkdir()
    (source / "__main__.py").write_text(PROGRAM.format(path=[str(ROOT)]))
    zipapp.create_archive(source, made, interpreter=sys.executable)
    return made
