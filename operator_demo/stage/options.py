"""What the presenter chose for a run."""

from dataclasses import dataclass

from operator_demo.stage.fallback import Fallback


@dataclass(frozen=True)
class Options:
    """`pace` is the minimum time of a chapter, `talk` what the presenter has planned for all, both in seconds."""

    run: str
    scenario: str  # a name, or the path of a file
    mode: str
    brain: str  # claude, rehearsal or none
    model: str
    variables: dict[str, str]  # for agent.compose.yaml
    engine_socket: str | None  # on the engine's own side; None: to be found
    key: str
    manual: bool
    keep: bool
    pace: float
    seed: int
    version: str
    talk: float | None = None
    fallback: Fallback | None = None  # what is shown where the run cannot go on
