"""Which of our projects are on an engine."""

from dataclasses import dataclass

from operator_demo import labels
from operator_demo.engine.connect import Engine
from operator_demo.engine.failures import engine_errors


@dataclass(frozen=True)
class ProjectState:
    """`state` is running, partly (some containers run), stopped, or leftover (networks or volumes alone)."""

    name: str
    run: str
    state: str
    running: int
    containers: int


def projects(engine: Engine) -> list[ProjectState]:
    """The projects that carry our run label, by name; `run` is that of the container made last."""
    chosen = {"label": [labels.RUN]}
    runs: dict[str, str] = {}
    states: dict[str, list[str]] = {}
    with engine_errors("looking for our projects"):
        api = engine.api
        for resource in [*api.networks(filters=chosen), *(api.volumes(filters=chosen)["Volumes"] or []),
                         *sorted(api.containers(all=True, filters=chosen), key=lambda c: int(c["Created"]))]:
            name = resource["Labels"].get(labels.PROJECT)
            if not name:
                continue
            runs[name] = resource["Labels"][labels.RUN]
            states.setdefault(name, [])
            if "State" in resource:
                states[name].append(str(resource["State"]))
    found = []
    for name, of_containers in sorted(states.items()):
        running = sum(s in ("running", "paused", "restarting") for s in of_containers)
        state = "leftover" if not of_containers else "stopped" if not running else \
            "running" if running == len(of_containers) else "partly"
        found.append(ProjectState(name, runs[name], state, running, len(of_containers)))
    return found
