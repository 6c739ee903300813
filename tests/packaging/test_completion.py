"""What the shells complete, asked of the shells themselves where they are installed."""

import os
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from single_file import Run

from operator_demo.store import Store

SHELLS = ("bash", "zsh", "fish")
HEAVY = ("docker", "requests", "urllib3", "yaml", "rich.live", "anthropic", "operator_demo.engine")

Complete = Callable[[str], list[str]]


def filled(store: Path) -> None:
    """A run with one session and one ticket, whose title would do harm if it reached a terminal as it is."""
    Store(store).close()
    with sqlite3.connect(store) as db:
        db.execute("INSERT INTO runs (run, started) VALUES ('run-aaaaaaaa', '2026')")
        db.execute("INSERT INTO agent_sessions (session, run, started) VALUES ('ses-cccccccc', 'run-aaaaaaaa', '2026')")
        db.execute("INSERT INTO tickets (ticket, run, opened, title) "
                   "VALUES ('tkt-bbbbbbbb', 'run-aaaaaaaa', '2026', ?)",
                   ("a \x1b[31mred\x1b[0m title,\twith a tab\nand a line",))
    db.close()


@pytest.fixture
def ask(start: Run) -> Complete:
    """ask("run et"): the values that the program offers for the last of these words, by the protocol of bash."""

    def complete(line: str, **environment: str) -> list[str]:
        words = f"operator-demo {line}"
        count = len(words.split()) - (not words.endswith(" "))
        result = start(COMP_WORDS=words, COMP_CWORD=str(count), _OPERATOR_DEMO_COMPLETE="bash_complete", **environment)
        assert (result.returncode, result.stderr) == (0, "")
        return result.stdout.split()

    return complete


def plain(*names: str) -> list[str]:
    return [f"plain,{name}" for name in names]


def test_commands(ask: Complete) -> None:
    assert {"plain,run", "plain,audit", "plain,completion"} < set(ask(""))
    assert ask("comp") == plain("completion")
    assert set(ask("")).isdisjoint(plain("ctl", "monitor", "workload", "agent")), "the hidden ones"
    assert ask("audit ") == plain("delete", "export", "import", "list", "search", "show", "verify")
    assert ask("completion ") == plain("bash", "zsh", "fish")


def test_options_and_their_choices(ask: Complete) -> None:
    assert "plain,--host" in ask("--")
    assert {"plain,--auto", "plain,--manual", "plain,--scenario"} < set(ask("run --"))
    assert ask("run --disp") == plain("--display")
    assert ask("run --display t") == plain("tui")
    assert ask("run --display=t") == plain("tui")
    assert ask("tickets list --state op") == plain("open")


def test_subjects_and_scenarios(ask: Complete, tmp_path: Path) -> None:
    for line in ("run e", "prepare e", "scenarios e", "audit list --subject e", "tickets list --subject e"):
        assert ask(line) == plain("etcd"), line
    assert ask("run ./m") == ["dir,./m"]
    assert ask("run etcd --scenario member-k") == plain("member-kill")
    assert ask("run --scenario member-k") == plain("member-kill"), "of the subject that is taken by default"
    assert ask("run --scenario ./my") == ["file,./my"]
    assert ask("run nosuch --scenario ") == []
    assert ask("run nosuch --scenario=m") == []
    (tmp_path / "own/scenarios").mkdir(parents=True)
    (tmp_path / "own/scenarios/slow-disk.yaml").touch()
    assert ask(f"run {tmp_path}/own --scenario ") == plain("slow-disk")


def test_ids_of_the_record(ask: Complete, tmp_path: Path) -> None:
    filled(tmp_path / "operator/tickets.db")
    assert sorted(ask("audit show ")) == plain("last", "run-aaaaaaaa", "ses-cccccccc", "tkt-bbbbbbbb")
    assert ask("audit show ses") == plain("ses-cccccccc")
    assert ask("tickets show ") == plain("last", "tkt-bbbbbbbb")
    assert ask("tickets show run") == []
    assert ask("notes ") == plain("last", "run-aaaaaaaa")


def test_files_and_folders(ask: Complete) -> None:
    assert ask("eval camp") == ["file,camp"]
    assert ask("eval --out ./r") == ["dir,./r"]


def test_without_a_store_or_with_a_damaged_one_nothing_is_said(ask: Complete, tmp_path: Path) -> None:
    assert ask("audit show ") == plain("last")
    store = tmp_path / "operator/tickets.db"
    store.parent.mkdir()
    store.write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    assert ask("audit show ") == plain("last")
    assert store.stat().st_size == 5016
    assert ask("audit show ", OPERATOR_HOME="/proc/nothing") == plain("last")


def test_descriptions_cannot_reach_a_terminal_raw(start: Run, tmp_path: Path) -> None:
    filled(tmp_path / "operator/tickets.db")
    for shell in ("zsh", "fish"):
        result = start(COMP_WORDS="operator-demo tickets show tkt", COMP_CWORD="3" if shell == "zsh" else "tkt",
                       _OPERATOR_DEMO_COMPLETE=f"{shell}_complete")
        assert "a red title, with a tab and a line" in result.stdout
        assert "\x1b" not in result.stdout


@pytest.mark.parametrize("line", ["operator-demo ", "operator-demo run ", "operator-demo run --scenario ",
                                  "operator-demo audit show ", "operator-demo completion "])
def test_nothing_heavy_is_imported_for_it(start: Run, empty_store: None, line: str) -> None:
    result = start(flags=("-IS", "-X", "importtime"), COMP_WORDS=line, COMP_CWORD=str(len(line.split())),
                   _OPERATOR_DEMO_COMPLETE="bash_complete")
    assert "plain," in result.stdout
    names = {line.rpartition("|")[2].strip() for line in result.stderr.splitlines()}
    assert names.isdisjoint(HEAVY)


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_names_no_path_but_the_files_own(start: Run, built_file: Path, shell: str) -> None:
    result = start("completion", shell)
    assert (result.returncode, result.stderr) == (0, "")
    assert str(built_file) in result.stdout
    assert "@" not in result.stdout.replace("${(@f)", "").replace('"$@"', "")


def test_another_shell_is_refused(start: Run) -> None:
    result = start("completion", "tcsh")
    assert result.returncode == 2
    assert "'bash', 'zsh', 'fish'" in result.stderr


# -- the shells themselves ---------------------------------------------------------------------------------------------


class Terminal:
    """A shell on a terminal of its own (tmux), with the completion loaded as the manual says."""

    def __init__(self, shell: str, folder: Path, environment: dict[str, str]) -> None:
        self.tmux = ["tmux", "-S", str(folder / "tmux")]
        starts = {"bash": "bash --norc --noprofile -i", "zsh": "zsh -f -i", "fish": "fish --no-config -i"}
        subprocess.run([*self.tmux, "-f", "/dev/null", "new-session", "-d", "-x", "150", "-y", "50",
                        f"exec {starts[shell]}"], cwd=folder, env=environment, check=True)

    def type(self, text: str) -> None:
        subprocess.run([*self.tmux, "send-keys", "-l", text], check=True)

    def key(self, name: str) -> None:
        subprocess.run([*self.tmux, "send-keys", name], check=True)

    def screen(self) -> str:
        shown = subprocess.run([*self.tmux, "capture-pane", "-p", "-J"], check=True, capture_output=True, text=True)
        return shown.stdout

    def see(self, text: str) -> str:
        end = time.monotonic() + 60
        while text not in self.screen():
            assert time.monotonic() < end, f"never saw {text!r} in\n{self.screen()}"
            time.sleep(0.05)
        return self.screen()

    def close(self) -> None:
        subprocess.run([*self.tmux, "kill-server"], check=False, capture_output=True)


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> str:
    for needed in (request.param, "tmux"):
        if not shutil.which(needed):
            pytest.skip(f"no {needed} here")
    return str(request.param)


@pytest.fixture
def talk(built_file: Path, tmp_path: Path) -> Path:
    """A folder with the file and a record."""
    folder = tmp_path / "my talk"
    folder.mkdir()
    shutil.copy(built_file, folder / "operator-demo")
    filled(tmp_path / "operator/tickets.db")
    return folder


@pytest.mark.parametrize("called", ["./operator-demo", *(pytest.param(called, marks=pytest.mark.wide) for called in (
    "operator-demo", "~/my\\ talk/operator-demo"))])
def test_a_shell_completes(shell: str, talk: Path, tmp_path: Path, cache: Path, called: str) -> None:
    path = f"{talk}:{os.environ['PATH']}" if called == "operator-demo" else os.environ["PATH"]
    environment = {"PATH": path, "HOME": str(tmp_path), "SHIV_ROOT": str(cache), "TERM": "screen", "LC_ALL": "C.UTF-8",
                   "OPERATOR_HOME": str(tmp_path / "operator"), "XDG_CONFIG_HOME": str(tmp_path / "config")}
    terminal = Terminal(shell, talk, environment)
    try:
        load = f"{called} completion fish | source" if shell == "fish" else f'eval "$({called} completion {shell})"'
        terminal.type(f"{load}; echo lo''aded")
        terminal.key("Enter")
        terminal.see("loaded\n")
        terminal.key("C-l")
        for begun, whole in (("run et", "run etcd "), ("run --scenario member-k", "run --scenario member-kill "),
                             ("tickets show t", "tickets show tkt-bbbbbbbb "), ("compl", "completion ")):
            terminal.type(f"{called} {begun}")
            terminal.key("Tab")
            terminal.type("#")  # where the cursor is
            terminal.see(f"{called} {whole}#")
            terminal.key("C-u")
        terminal.type(f"{called} audit sh")
        terminal.key("Tab")
        terminal.type("run-a")
        terminal.key("Tab")
        terminal.see(f"{called} audit show run-aaaaaaaa")
    finally:
        terminal.close()


@pytest.mark.wide
def test_bash_offers_several_and_files(talk: Path, tmp_path: Path, cache: Path) -> None:
    """Without a terminal: bash's function is called as bash would."""
    if not shutil.which("bash"):
        pytest.skip("no bash here")
    script = """
eval "$(./operator-demo completion bash)"
ask() {
    COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
    _operator_demo_completion "$1" "${!#}" "${@: -2:1}"
    echo "${COMPREPLY[@]}"
}
set -u
ask ./operator-demo run --display ""
ask ./operator-demo run --scenario ./operator
ask ./operator-demo run ./a
complete -p operator-demo
"""
    (talk / "a folder").mkdir()
    result = subprocess.run(["bash", "--norc", "-c", script], cwd=talk, capture_output=True, text=True, timeout=120,
                            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "SHIV_ROOT": str(cache)})
    assert result.stderr == ""
    assert result.stdout.splitlines() == ["auto tui plain json quiet", "./operator-demo", "./a folder",
                                          "complete -o nosort -F _operator_demo_completion operator-demo"]


@pytest.mark.parametrize("shell", SHELLS)
def test_a_renamed_file_is_completed_under_its_name(small_file: Callable[[str], Path], shell: str) -> None:
    from operator_demo.commands.completion import script

    text = script(shell, "/a b/it's.pyz")
    assert "operator-demo 'it'\"'\"'s.pyz'" in text
    if shutil.which(shell):
        check = [shell, "-n"] if shell != "fish" else [shell, "--no-execute"]
        subprocess.run(check, input=text, text=True, check=True)
