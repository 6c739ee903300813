"""A command of the operator of rules, run in bash with a curl that answers as etcd does and notes what it sends."""

import json
import os
import subprocess
from pathlib import Path

from operator_demo.agent.rehearsal import shell

ALARMS = {"alarms": [{"memberID": "161", "alarm": "NOSPACE"}, {"memberID": "161", "alarm": "CORRUPT"},
                     {"alarm": "CORRUPT"}, {"alarm": "NOSPACE"}]}
FAKE_CURL = """#!/bin/sh
while [ $# -gt 1 ]; do [ "$1" = -d ] && echo "$2" >>"$SENT"; shift; done
cat "$ANSWER"
"""


def test_the_alarm_nospace_alone_is_lifted(tmp_path: Path) -> None:
    curl, answer, sent = tmp_path / "curl", tmp_path / "answer", tmp_path / "sent"
    curl.write_text(FAKE_CURL)
    curl.chmod(0o700)
    answer.write_text(json.dumps(ALARMS))
    *_, lift = shell.make_room("etcd", ["10.0.0.2", "10.0.0.3"])
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "ANSWER": str(answer), "SENT": str(sent)}
    subprocess.run(["bash", "-c", lift], env=environment, check=True, timeout=30, capture_output=True)
    asked, *lifted = [json.loads(line) for line in sent.read_text().splitlines()]
    assert asked == {"action": "GET"}
    assert lifted == [{"action": "DEACTIVATE", "memberID": "161", "alarm": "NOSPACE"},
                      {"action": "DEACTIVATE", "memberID": None, "alarm": "NOSPACE"}]
