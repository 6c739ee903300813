"""What is recorded as run is what ran: nothing in a command can hide a part of it from the record."""

import asyncio
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from agent_bench import KEY, Bench
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from operator_demo.agent import prompts
from operator_demo.agent.dispatch import Dispatch
from operator_demo.agent.work import Call, Result, Work
from operator_demo.redaction import KNOWN_SECRET
from operator_demo.screen.terminal_text import UNICODE
from operator_demo.telling import tell

PAYLOAD = "docker run -v /:/host base chroot /host"
HIDING = {
    "osc": f"\x1b]0;`{PAYLOAD}`\x07docker ps -q | wc -l",
    "osc without end": f"docker ps -q | wc -l \x1b]0;\n{PAYLOAD}",
    "dcs": f"\x1bP$({PAYLOAD})\x1b\\docker ps -q | wc -l",
    "variable": f"X_TOKEN=$({PAYLOAD}) docker ps -q | wc -l",
    "pem": f": -----BEGIN PRIVATE KEY-----\n{PAYLOAD}\n: -----END PRIVATE KEY-----",
    "header": f'curl -s -H "authorization: bearer $({PAYLOAD})" etcd1:2379/health',
    "url": f"curl -s http://a:$({PAYLOAD})@etcd1:2379/health",
    "carriage return": f"{PAYLOAD} #\rdocker ps -q | wc -l",
    "backspace": f"{PAYLOAD}" + "\b" * len(PAYLOAD) + "docker ps",
    "bidi": f"docker ps # \u202e{PAYLOAD}",
    "tags": "docker ps # " + "".join(chr(0xE0000 + ord(c)) for c in "chroot"),
}


class Spy:
    """A shell that notes what it was given."""

    def __init__(self) -> None:
        self.commands: list[str] = []

    async def __call__(self, work: Work, call: Call) -> Result:
        self.commands.append(call.input["command"])
        return Result("ok", "done")


class Recording:
    """A session whose shell is a `Spy`."""

    def __init__(self, bench: Bench) -> None:
        self.bench, self.spy = bench, Spy()
        bench.open_ticket()
        self._dispatch = Dispatch(bench.claimed(), {"shell": self.spy, "observe": self.spy})

    def call(self, given: dict[str, Any], tool: str = "shell") -> Result:
        return asyncio.run(self._dispatch("toolu_1", tool, given))

    def run(self, command: str) -> dict[str, Any]:
        """What the record holds of the call."""
        self.call({"reasoning": "look", "command": command})
        return self.bench.data("tool_call")[-1]

    def shown(self) -> str:
        """The last call as plain output and `audit show` tell it."""
        telling = tell(self.bench.events("tool_call")[-1], UNICODE)
        assert telling is not None
        return "\n".join(text for text, _ in telling.lines)


@pytest.fixture
def recording(bench: Bench) -> Recording:
    return Recording(bench)


@pytest.mark.parametrize("way", HIDING)
def test_no_way_of_hiding_keeps_a_command_out_of_the_record(recording: Recording, way: str) -> None:
    recorded = recording.run(HIDING[way])
    assert recording.spy.commands == [HIDING[way]]
    assert recorded["input"]["command"] == HIDING[way]
    assert recorded["sha256"] == hashlib.sha256(HIDING[way].encode()).hexdigest()
    assert recorded["length"] == len(HIDING[way].encode())


@pytest.mark.parametrize("way", [way for way in HIDING if way != "tags"])
def test_no_way_of_hiding_keeps_a_command_off_the_screen(recording: Recording, way: str) -> None:
    recording.run(HIDING[way])
    assert PAYLOAD in recording.shown()
    assert "\x1b" not in recording.shown()


def test_the_hash_stands_beside_what_is_shown_otherwise_than_it_ran(recording: Recording) -> None:
    recorded = recording.run("\x1b]0;x")
    assert f"what ran: 5 bytes, sha256 {recorded['sha256']}" in recording.shown()
    assert "\\x1b]0;x" in recording.shown()
    recording.run("docker ps")
    assert "sha256" not in recording.shown()


def test_a_forged_record_does_not_pass_for_what_ran(recording: Recording, bench: Bench) -> None:
    recording.run("docker rm etcd1")
    call = bench.events("tool_call")[-1]
    object.__setattr__(call, "raw", call.raw | {"input": {"command": "docker ps"}})
    telling = tell(call, UNICODE)
    assert telling is not None
    assert any("sha256" in text for text, _ in telling.lines)


def test_a_known_secret_alone_is_withheld_and_the_mark_says_so(recording: Recording) -> None:
    command = f"echo {KEY} PASSWORD=correcthorse"
    recorded = recording.run(command)
    assert recorded["input"]["command"] == f"echo {KNOWN_SECRET} PASSWORD=correcthorse"
    assert recorded["sha256"] == hashlib.sha256(command.encode()).hexdigest()
    assert KEY not in recording.bench.everything_written()


texts = st.text(alphabet=st.characters()) | st.lists(st.sampled_from(
    ["\x1b]", "\x1bP", "\x1b\\", "\x07", "\x9b", "\n", "\r", "\r\n", "X_TOKEN=", "$(", ")", "PASSWORD='", "'", '"', " ",
     "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----", "authorization: bearer ", "[redacted]", "\u202e",
     "\U000e0041", "\ud800", "\x00", "\\u0000", "docker ps", "AKIAIOSFODNN7EXAMPLE", "\u2028"])).map("".join)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(command=texts)
def test_what_runs_and_what_is_recorded_are_equal(recording: Recording, command: str) -> None:
    recording.spy.commands.clear()
    recorded = recording.run(command)
    if recording.spy.commands:
        assert recording.spy.commands == [recorded["input"]["command"]]
        assert recorded["sha256"] == hashlib.sha256(command.encode()).hexdigest()
    else:
        assert not command.strip() or "\x00" in command or any("\ud800" <= c <= "\udfff" for c in command)
    json.dumps(recorded, ensure_ascii=False).encode()  # what the host would not take in


@pytest.mark.parametrize("command", ["docker ps\x00 rm", "docker ps \ud800"])
def test_what_bash_cannot_get_as_it_is_does_not_run(recording: Recording, command: str) -> None:
    result = recording.call({"reasoning": "x", "command": command})
    assert recording.spy.commands == []
    assert result.status == "error"
    assert "surrogate" in result.text


@pytest.mark.parametrize("given", [{"timeout": 10**30}, {"timeout": float("inf")},
                                   {"x": json.loads("[" * 30 + "]" * 30)}])
def test_an_input_that_the_record_cannot_hold_does_not_run(recording: Recording, given: dict[str, Any]) -> None:
    result = recording.call({"reasoning": "x", "command": "docker ps", **given})
    assert recording.spy.commands == []
    assert result.status == "error"
    assert "docker ps" in json.dumps(recording.bench.data("tool_call")[-1])


def test_what_an_earlier_session_did_is_told_without_half_a_secret() -> None:
    command = "x " * 145 + "ghp_" + "h0st1Le" * 6
    lines = prompts.history([{"tool": "shell", "input": {"command": command}, "status": "ok", "output": ""},
                             {"tool": "shell", "input": {"command": 5}, "status": "error", "output": ""}])
    assert "h0st" not in lines[0]
    assert lines[1] == '- shell: {"command": 5} -> error: '


def test_output_says_how_much_of_terminal_sequences_it_lost(bench: Bench, tmp_path: Path) -> None:
    bench.open_ticket()
    given = {"reasoning": "x", "command": r"printf 'a\033]0;hidden\nall that follows\n'"}
    result = asyncio.run(Dispatch(bench.claimed())("toolu_1", "shell", given))
    recorded, = bench.data("tool_result")
    assert "all that follows" in result.text
    assert "all that follows" in recorded["output"]
    assert recorded["removed"] == 10
    assert "10 characters of terminal sequences were removed" in result.text
