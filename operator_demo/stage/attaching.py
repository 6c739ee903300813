"""May this process go on with a run that another one began?"""

from dataclasses import replace

from operator_demo import labels
from operator_demo.engine import Container
from operator_demo.errors import OperatorError
from operator_demo.stage.environment import Environment
from operator_demo.stage.journal import Entry
from operator_demo.stage.options import Options
from operator_demo.store import Store
from operator_demo.version import describe
from operator_demo.wire import SCHEMA_VERSION

RUNNING = ("running", "paused", "restarting")


def check_can_attach(environment: Environment, run: str) -> None:
    """Raises `OperatorError` where the run's monitor does not run, or says what this version does not understand."""
    down = f"`operator-demo down --project {environment.project}` takes over what it recorded, and removes it."
    monitor = environment.monitor()
    if monitor is None:
        raise OperatorError(f"{run} cannot go on: its monitor is not there.", down)
    if monitor.state not in RUNNING:
        raise OperatorError(f"{run} cannot go on: {monitor.name} is {monitor.state} (exit code {monitor.exit_code}).",
                            down)
    if _schema(monitor) != str(SCHEMA_VERSION):
        begun_by = monitor.labels[labels.OPERATOR_VERSION]
        raise OperatorError(f"{run} was begun by {begun_by}; this is {describe()}, which does not understand its "
                            "events.", f"Attach with that version. {down}")


def _schema(monitor: Container) -> str:
    """The schema version of what it says; the first versions had no such label, and the first schema."""
    return monitor.labels.get(labels.SCHEMA, "1")


def as_it_was(options: Options, store: Store, entry: Entry | None) -> Options:
    """An attached run keeps the mode, the brain and the seed that it was started with. Raises `OperatorError` where
    the store does not know it, or it is over."""
    row = store.row("SELECT * FROM runs WHERE run=?", options.run)
    if row is None:
        raise OperatorError(f"{options.run} was not started from here: the store does not know it.",
                            "Attach on the machine that started it, or use --restart.")
    if row["finished"]:
        raise OperatorError(f"{options.run} is over ({row['outcome']}); its containers were kept.",
                            "`operator-demo down` removes them, and --restart begins anew.")
    return replace(options, mode=row["mode"], brain=row["brain"], model=row["model"],
                   seed=entry.seed if entry else options.seed)
