"""Ctrl-C ends a program whose engine call hangs: no thread keeps the process alive."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = """
import time
from types import SimpleNamespace as Made
from operator_demo.compose import down
from operator_demo.engine import Container
from operator_demo.stage.environment import Environment

def hang(*_, **__):
    print("it hangs", flush=True)
    time.sleep(600)

api = Made(containers=lambda **_: [{"Id": "c1", "Names": ["/c1"]}], networks=lambda **_: [],
           volumes=lambda **_: {"Volumes": []}, remove_container=hang)
engine = Made(api=api)
environment = Environment(engine, "demo")
environment.operators = lambda: [Container("c1", "c1", "monitor", "running", None, None, None, {}, "image")]
environment._stop = hang
"""


@pytest.mark.parametrize("call", ["down(engine, 'demo', volumes=True)", "environment.stop_operators()"])
def test_it_ends(call: str) -> None:
    process = subprocess.Popen([sys.executable, "-c", PROGRAM + call], cwd=ROOT, stdout=subprocess.PIPE, text=True,
                               stderr=subprocess.DEVNULL)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "it hangs\n"
        process.send_signal(signal.SIGINT)
        process.wait(20)
    finally:
        process.kill()
        process.communicate()
