"""Runs the agent's own `run` in a process, with the places that a container would have set to those of a test.

    python agent_driver.py KEY_FILE WRAPPER_FOLDER UID
"""

import sys
from pathlib import Path

from operator_demo import settings
from operator_demo.agent import main, shell, tools
from operator_demo.errors import UsageError

settings.KEY_FILE = Path(sys.argv[1])
tools.WRAPPER_FOLDER = Path(sys.argv[2])
account = shell.Account(uid=int(sys.argv[3]), gid=int(sys.argv[3]), home="/tmp")
shell.Account.with_engine = classmethod(lambda cls, *_: account)  # type: ignore[assignment]

try:
    sys.exit(main.run(settings.from_environment()))
except UsageError as e:
    print(e.message, file=sys.stderr)
    sys.exit(e.exit_status)
