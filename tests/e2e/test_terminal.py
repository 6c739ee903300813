"""A run in a real terminal: what a person sees, and the terminal as it was afterwards.

The screens are stored as text under .build/screens/, to be looked at.
"""

import re
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from presenter import FILE, Demo

pytestmark = pytest.mark.e2e
SCREENS = Path(__file__).parents[2] / ".build" / "screens"


class Terminal:
    def __init__(self, name: str, demo: Demo, size: tuple[int, int]) -> None:
        self.name, self.demo, self.socket = name, demo, f"operator-demo-{demo.project}"
        environment = " ".join(f"{k}={shlex.quote(v)}" for k, v in
                               {"OPERATOR_HOME": str(demo.home), "ANTHROPIC_API_KEY": ""}.items())
        self.prefix = f"env -u ANTHROPIC_BASE_URL {environment} {FILE}"
        self.tmux("new-session", "-d", "-s", "t", "-x", str(size[0]), "-y", str(size[1]), "bash --norc")

    def tmux(self, *arguments: str) -> str:
        done = subprocess.run(["tmux", "-L", self.socket, *arguments], check=True, capture_output=True, text=True)
        return done.stdout

    def type(self, text: str) -> None:
        self.tmux("send-keys", "-t", "t", text, "Enter")

    def key(self, key: str) -> None:
        self.tmux("send-keys", "-t", "t", key)

    def screen(self) -> str:
        return self.tmux("capture-pane", "-p", "-t", "t")

    def until(self, pattern: str, timeout: float = 120, look: Callable[[], None] = lambda: None) -> str:
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            shown = self.screen()
            if re.search(pattern, shown):
                return shown
            look()
            time.sleep(0.3)
        pytest.fail(f"{pattern!r} did not appear:\n{shown}")

    def keep(self, part: str, shown: str) -> None:
        SCREENS.mkdir(parents=True, exist_ok=True)
        (SCREENS / f"{self.name}-{part}.txt").write_text(shown)


@pytest.fixture
def terminal(demo: Demo, request: pytest.FixtureRequest) -> Iterator[Terminal]:
    made = Terminal(request.node.name.split("[")[0], demo, (140, 40))
    yield made
    subprocess.run(["tmux", "-L", made.socket, "kill-server"], capture_output=True)


def test_a_whole_run_is_seen(terminal: Terminal, demo: Demo) -> None:
    terminal.type(f"{terminal.prefix} run etcd --auto --pace 2 --scenario frozen-member --project {demo.project}; "
                  "echo STATUS $?")
    shown = terminal.until("quorum 3 of 3")
    assert "Cluster" in shown
    terminal.until(r"\d+ op/s")
    terminal.until(r"etcd\d is frozen")
    shown = terminal.until(r"docker unpause")
    assert "REHEARSAL" in shown, "what is shown is always labelled as what it is"
    terminal.keep("repair", shown)
    terminal.tmux("resize-window", "-t", "t", "-x", "80", "-y", "24")
    shown = terminal.until("docker unpause|observe|resolve")
    assert all(len(line) <= 80 for line in shown.splitlines())
    terminal.keep("80x24", shown)
    terminal.until(r"STATUS \d+")
    shown = terminal.tmux("capture-pane", "-p", "-S", "-100", "-t", "t")
    assert "STATUS 0" in shown
    assert "REPAIRED" in shown, "the summary stays in the scrollback"
    terminal.keep("summary", shown)


@pytest.mark.wide
def test_the_story_keeps_the_presenters_pace(terminal: Terminal, demo: Demo) -> None:
    """By hand from the first chapter to the last; the agent is let go from the presenter's second terminal."""
    def step(does: str) -> None:
        terminal.until(re.escape(does))
        time.sleep(0.8)  # (two presses within a moment are one)
        terminal.key("Space")

    terminal.type(f"{terminal.prefix} run etcd --project {demo.project} --talk 5m; echo STATUS $?")
    for does in ("next: A healthy cluster", "next: Under load", "next: A fault"):
        step(does)
    terminal.until("space +strike")
    for _ in range(3):  # as a clicker
        terminal.key("q")
        terminal.key("x")
    assert "◉ fault" in terminal.until("space +strike")
    step("strike")
    terminal.until("the agent may begin")
    time.sleep(4)
    assert "the agent waits for its go" in " ".join(terminal.screen().split()), "the ticket waits"
    terminal.tmux("split-window", "-t", "t", f"{terminal.prefix} notes")
    notes = terminal.until("left of the talk")
    assert "the agent may begin" in notes
    terminal.key("Space")  # there
    terminal.until("6/8 Diagnosis and repair")
    terminal.until("agent since then")
    terminal.key("q")
    terminal.keep("after-notes", terminal.screen())
    step("next: The end")
    step("take everything down")
    terminal.until(r"STATUS \d+")
    shown = terminal.tmux("capture-pane", "-p", "-S", "-100", "-t", "t")
    assert "STATUS 0" in shown
    assert "of it the agent waited for the presenter" in " ".join(shown.split())


def test_keys_bring_it_forward_and_q_leaves_nothing_behind(terminal: Terminal, demo: Demo) -> None:
    terminal.type(f"{terminal.prefix} run etcd --project {demo.project}; echo STATUS $?")
    terminal.until("quorum 3 of 3")
    time.sleep(2)
    assert not re.search("◉ fault", terminal.screen()), "it waits for the presenter"
    # A busy machine may show the next chapter only after the key was pressed again.
    terminal.until("◉ (load|fault|ticket|diagnosis|repair)", look=lambda: terminal.key("Space"))
    terminal.key("q")
    terminal.until("q again or y: yes")
    terminal.key("y")
    shown = terminal.until(r"STATUS \d+", 60)
    assert "STATUS 130" in shown
    assert demo.leftovers() == []
    terminal.type("stty -a | grep -o -- '-\\?echo ' | head -1; echo BACK")
    assert "-echo" not in terminal.until("\nBACK", 10)
