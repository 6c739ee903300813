"""What must not hold up the loop: a slow engine, an engine that hangs, a held store, time in which it was stopped."""

import os
import select
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from fakes import RUN, SCENARIO, Run

from operator_demo import events
from operator_demo.chaos.scenario import BY_HAND
from operator_demo.chaos.spec import FaultSpec
from operator_demo.errors import Exit, OperatorError
from operator_demo.events import Event
from operator_demo.stage.loop import Loop

MakeRun = Callable[..., Run]
HERE = Path(__file__).parent


def test_a_slow_engine_does_not_hold_up_the_frames(make_run: MakeRun) -> None:
    """It answers when the screen was drawn meanwhile; to a call in the loop it would not."""
    run = make_run()
    held_up: list[str] = []

    def await_frames(call: str) -> None:
        end, drawn = time.monotonic() + 10, len(run.display.frames)
        while len(run.display.frames) < drawn + 3 and not run.display.stopped:
            if time.monotonic() > end:
                held_up.append(call)
                return
            time.sleep(0.01)

    run.cluster.before_answer = await_frames
    assert run.stage.perform() == Exit.OK
    assert held_up == []


PROGRAM = """
import sys
from pathlib import Path
sys.path[:0] = {paths!r}
from fakes import FakeFault, Run
from operator_demo.chaos.faults import FAULTS
from operator_demo.errors import OperatorError
from operator_demo.outlet import Outlet, through
from operator_demo.screen.display import make_display
run = Run(Path({folder!r}), pace=600)
FAULTS["fake"] = FakeFault(run.cluster)
run.cluster.hanging.update({hanging!r})
run.display.on_event = lambda e: print(e.type, e.raw.get("item", ""), e.raw.get("status", ""), flush=True)
if {display!r}:
    run.display = make_display({display!r}, out=through(Outlet(1), sys.stdout), env={{}})
    run.stage = run.another_stage()
print("ready", file=sys.stderr, flush=True)
try:
    status = run.stage.perform()
except OperatorError as e:
    print(e.message, e.hint, file=sys.stderr)
    status = e.exit_status
sys.exit(status)
"""


def start_program(folder: Path, hanging: tuple[str, ...] = (), display: str = "",
                  out: int = subprocess.PIPE) -> subprocess.Popen[str]:
    """A process that plays a run on fakes, which stays in its first chapter."""
    program = PROGRAM.format(paths=[str(HERE), str(HERE.parents[1])], folder=str(folder), hanging=hanging,
                             display=display)
    return subprocess.Popen([sys.executable, "-c", program], stdout=out, stderr=subprocess.PIPE, text=True)


def read_until(process: subprocess.Popen[str], words: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if words in line:
            return
    pytest.fail(f"it ended without {words!r}")


def test_a_second_ctrl_c_leaves_a_hanging_take_down(tmp_path: Path) -> None:
    process = start_program(tmp_path, hanging=("down",))
    read_until(process, "chapter")
    process.send_signal(signal.SIGINT)
    read_until(process, "Ctrl-C once more")
    time.sleep(0.5)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=10)
    assert time.monotonic() - began < 5
    assert process.returncode == Exit.INTERRUPTED
    assert "operator-demo down --project demo-fake" in err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("hanging", ["prepare", "up_subject", "check_fault"])
def test_a_take_down_does_not_wait_for_an_engine_call_that_hangs(tmp_path: Path, hanging: str,
                                                                 number: signal.Signals) -> None:
    process = start_program(tmp_path, hanging=(hanging,))
    read_until(process, "chapter")
    time.sleep(0.5)
    began = time.monotonic()
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    assert time.monotonic() - began < 10
    assert "run_finished" in out
    assert "has not answered a call" in err
    assert process.returncode == 128 + number


@pytest.mark.parametrize("display", ["plain", "json"])
def test_a_reader_that_stalls_does_not_keep_the_process_alive(tmp_path: Path, display: str) -> None:
    reading, writing = os.pipe()
    fill(writing)
    process = start_program(tmp_path, display=display, out=writing)
    assert process.stderr is not None
    assert process.stderr.readline() == "ready\n"
    time.sleep(1.0)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=15) == 128 + signal.SIGTERM
    os.close(reading)
    os.close(writing)


def fill(pipe: int) -> None:
    os.set_blocking(pipe, False)
    try:
        while True:
            os.write(pipe, b"x" * select.PIPE_BUF)
    except BlockingIOError:
        os.set_blocking(pipe, True)


def test_a_host_that_was_stopped_hears_first_and_judges_then(make_run: MakeRun) -> None:
    """The clock jumps by an hour while the events wait in the queue."""
    run = make_run()
    times = [0.0]
    loop = Loop(run.stage.recording, run.display, clock=lambda: times[0])
    loop.turn()
    times[0] += 3600
    observation = {"members": {"etcd1": {"healthy": True}}, "violations": [], "cluster": {}, "duration": 0.1}
    for seq in range(1, 2001):
        event = events.event(RUN, events.MONITOR, events.TYPES["observation"].of(observation))
        run.stage.recording.incoming.put(replace(event, seq=seq))
    assert loop.wait_for(lambda s: s.healthy_looks >= 2000, limit=90)


def test_only_time_in_which_it_turned_counts(make_run: MakeRun) -> None:
    run = make_run()
    times = iter(range(0, 10**6, 60))  # a minute from turn to turn
    loop = Loop(run.stage.recording, run.display, clock=lambda: float(next(times)))
    turns: list[None] = []
    loop.each_turn.append(lambda: turns.append(None))
    assert not loop.wait_for(lambda _: False, limit=5)
    assert len(turns) > 5


def test_a_reader_of_the_store_does_not_end_the_run(make_run: MakeRun) -> None:
    run = make_run()
    reader = sqlite3.connect(run.store.path, isolation_level=None, check_same_thread=False)

    def hold(e: Event) -> None:
        if e.type == "chapter" and e.raw["name"] == "load":
            threading.Thread(target=held, daemon=True).start()

    def held() -> None:
        reader.execute("PRAGMA busy_timeout=5000")
        reader.execute("BEGIN EXCLUSIVE")
        time.sleep(4.0)
        reader.execute("ROLLBACK")

    run.display.on_event = hold
    assert run.stage.perform() == Exit.OK
    reader.close()
    shown = [e for e in run.display.events if not events.TYPES[e.type].ephemeral]
    stored = list(run.store.events(RUN))
    assert len(stored) == len(shown)
    assert sorted(e.type for e in stored) == sorted(e.type for e in shown)
    frames = run.display.frames
    assert max(later - earlier for earlier, later in pairwise(frames)) < 2.0


def test_by_hand_broken_too_early(make_run: MakeRun) -> None:
    run = make_run(scenario=replace(SCENARIO, fault=FaultSpec(BY_HAND)))
    run.cluster.repairs = False

    def break_it(e: Event) -> None:
        if e.type == "chapter" and e.raw["name"] == "load":
            run.cluster.broken = "etcd1"
            run.stage.recording.situation.healthy_looks = -1000  # so that nothing is armed before it is seen

    run.display.on_event = break_it
    began = time.monotonic()
    with pytest.raises(OperatorError, match=r"broken before all was armed \(member_down"):
        run.stage.perform()
    assert time.monotonic() - began < 30
    assert not any("All is armed" in d["text"] for d in run.display.of("note"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_takes_everything_down(make_run: MakeRun, number: signal.Signals) -> None:
    run = make_run(pace=5)

    def kill(e: Event) -> None:
        if e.type == "chapter" and e.raw["name"] == "healthy":
            os.kill(os.getpid(), number)

    run.display.on_event = kill
    assert run.stage.perform() == 128 + number
    assert run.cluster.calls[-1] == "down"
