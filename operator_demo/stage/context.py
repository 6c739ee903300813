"""What the parts of a run share."""

from dataclasses import dataclass

from operator_demo.chaos.injection import Injection
from operator_demo.chaos.scenario import Scenario
from operator_demo.stage.environment import Environment
from operator_demo.stage.journal import Journal
from operator_demo.stage.loop import Loop
from operator_demo.stage.options import Options
from operator_demo.stage.recording import Recording


@dataclass(frozen=True)
class Context:
    environment: Environment
    scenario: Scenario
    options: Options
    journal: Journal
    recording: Recording
    loop: Loop
    injection: Injection
