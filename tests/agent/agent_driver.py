"""Runs the agent's own `run` in a process, with the places that a container would have set to those of a test.

    python agent_driver.py KEY_FILE UID
"""

import sys
from pathlib import Path

from operator_demo import settings
from operator_demo.agent import main, shell
from operator_demo.errors import UsageError

settings.KEY_FILE = Path(sys.argv[1])
shell.Account.__init__.__defaults__ = (int(sys.argv[2]), int(sys.argv[2]), "/tmp")  # type: ignore[attr-defined]

try:
    sys.exit(main.run(settings.from_environment()))
except UsageError as e:
    print(e.message, file=sys.stderr)
    sys.exit(e.exit_status)
