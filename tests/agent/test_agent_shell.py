"""The shell: what a command can do, what it cannot, and that nothing of it is left."""

import asyncio
import os
import time
from pathlib import Path

import pytest
from agent_bench import Bench, left_of, own_account, processes_of
from hypothesis import given
from hypothesis import strategies as st

from operator_demo.agent import tools
from operator_demo.agent.shell import Account, Execution
from operator_demo.agent.work import Call, Result, Work
from operator_demo.redaction import Harmless
from operator_demo.ring import Ring

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="changing the account needs root")


def run(command: str, timeout: float = 10.0, account: Account | None = None,
        environment: dict[str, str] | None = None) -> tuple[Execution, str, str]:
    account = account or own_account()
    execution = Execution(account, environment or account.environment(), command)
    asyncio.run(execution.run(timeout, lambda piece: None))
    return execution, execution.stdout.kept(as_it_is).text, execution.stderr.kept(as_it_is).text


def as_it_is(output: str) -> Harmless:
    return Harmless(output, 0)


def test_both_streams_and_the_exit_status() -> None:
    execution, out, err = run("echo out; echo err >&2; exit 7")
    assert (execution.exit_code, out, err) == (7, "out\n", "err\n")


def test_death_by_a_signal_reads_as_in_a_shell() -> None:
    assert run("kill -KILL $$")[0].exit_code == 137


def test_the_time_out_ends_the_whole_process_group() -> None:
    account = own_account()
    begun = time.monotonic()
    execution, out, _ = run("echo before; sleep 60 | sleep 61", 0.5, account)
    assert execution.timed_out
    assert time.monotonic() - begun < 40
    assert out == "before\n"
    assert left_of(account) == []


def test_a_command_that_ignores_sigterm_ends_too() -> None:
    account = own_account()
    run("trap '' TERM; while true; do sleep 1; done", 0.5, account)
    assert left_of(account) == []


@pytest.mark.parametrize("command", [
    "sleep 60 & echo started",
    "setsid sleep 60 & echo started",
    "(setsid bash -c 'trap \"\" TERM HUP; (sleep 60; true)' >/dev/null 2>&1 &) ; echo started",
    "nohup sleep 60 >/dev/null 2>&1 & disown; echo started",
])
def test_nothing_that_it_started_is_left(command: str) -> None:
    account = own_account()
    begun = time.monotonic()
    execution, out, _ = run(command, 50, account)
    assert (execution.exit_code, out) == (0, "started\n")
    assert time.monotonic() - begun < 40
    assert left_of(account) == []


def test_a_cancelled_command_leaves_nothing() -> None:
    account = own_account()

    async def go() -> None:
        execution = Execution(account, account.environment(), "setsid sleep 60 & sleep 61")
        running = asyncio.create_task(execution.run(60, lambda piece: None))
        await asyncio.sleep(0.4)
        assert len(processes_of(account)) >= 2
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(go())
    assert left_of(account) == []


def test_runs_as_the_account_with_its_group_and_no_others() -> None:
    uid = own_account().uid
    account = Account(uid=uid, gid=uid, home="/tmp")
    _, out, _ = run("id -u; id -G; grep -E 'CapEff|CapPrm' /proc/self/status", account=account)
    assert out.split("\n")[:2] == [str(uid), str(uid)]
    assert out.count("0000000000000000") == 2


def test_cannot_read_what_belongs_to_root(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    (closed / "store").write_text("secret")
    execution, out, err = run(f"cat {closed}/store; ls {closed}; cat /proc/{os.getpid()}/environ; "
                              f"ls /proc/{os.getpid()}/fd; echo '{{\"v\":1}}' > /proc/{os.getpid()}/fd/1")
    assert out == ""
    assert execution.exit_code != 0
    assert err.count("ermission denied") == 5


def test_the_environment_is_made_from_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-leak")
    monkeypatch.setenv("OPERATOR_SUBJECT", "etcd")
    monkeypatch.setenv("HTTP_PROXY", "http://proxy")
    _, out, _ = run("env")
    names = {line.split("=")[0] for line in out.splitlines()}
    assert names == {"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TERM", "PAGER", "DOCKER_CLI_HINTS",
                     "DOCKER_HOST", "OPERATOR_RULES", "PWD", "SHLVL", "_"}
    assert "leak" not in out


def test_inherits_no_descriptor(tmp_path: Path) -> None:
    with open(tmp_path / "store", "w") as held:
        os.set_inheritable(held.fileno(), True)
        _, out, _ = run("ls -l /proc/self/fd")
    assert str(tmp_path) not in out


def test_has_no_stdin_and_no_terminal() -> None:
    _, out, err = run("cat; tty; echo done")
    assert out == "not a tty\ndone\n"
    assert err == ""


def test_endless_output_stays_bounded_and_keeps_both_ends() -> None:
    execution, out, _ = run("echo first; head -c 30000000 /dev/zero | tr '\\0' x | fold; echo; echo last", 30)
    assert execution.exit_code == 0
    assert len(out) < 200 * 1024
    assert out.startswith("first\n")
    assert out.endswith("\nlast\n")
    assert "bytes left out ...]" in out


def test_output_that_is_no_text() -> None:
    _, out, _ = run("printf '\\xff\\xfeabc\\x1b[31m'")
    assert "abc" in out


class TestWhatTheModelSees:
    @pytest.fixture
    def work(self, bench: Bench) -> Work:
        bench.open_ticket()
        return bench.claimed()

    def shell(self, work: Work, command: str, **more: int) -> Result:
        return asyncio.run(tools.shell(work, Call("c", "shell", {"reasoning": "x", "command": command, **more})))

    def test_nothing_but_the_status(self, work: Work) -> None:
        result = self.shell(work, "true")
        assert result.text.startswith("exit status 0 (0.")
        assert "\n" not in result.text

    def test_the_time_out(self, work: Work) -> None:
        result = self.shell(work, "echo so far; sleep 30", timeout=1)
        assert result.status == "timeout"
        assert result.text.startswith("timed out after 1 s\nso far")

    def test_much_output_is_cut_for_the_model_and_kept_for_the_audit(self, work: Work) -> None:
        result = self.shell(work, "seq 20000; echo oops >&2; exit 1")
        assert result.output is not None
        assert len(result.text.encode()) < tools.MODEL_LIMIT + 200
        assert result.text.startswith("exit status 1 (")
        assert result.text.endswith("\n--- stderr\noops")
        assert "bytes left out ...]" in result.text
        assert "\n20000\n" in result.text
        assert "\n9999\n" in result.output
        assert result.omitted_bytes == 0

    def test_much_on_stderr_does_not_push_out_stdout(self, work: Work) -> None:
        result = self.shell(work, "echo the answer; seq 20000 >&2")
        assert len(result.text.encode()) < tools.MODEL_LIMIT + 200
        assert "\nthe answer\n--- stderr\n1\n" in result.text

    def test_what_even_the_audit_left_out_is_counted(self, work: Work) -> None:
        result = self.shell(work, "seq 100000")
        assert result.omitted_bytes > 300_000
        assert f"[... {result.omitted_bytes} bytes left out ...]" in (result.output or "")

    def test_controls_do_not_come_through(self, work: Work) -> None:
        assert "\x1b" not in self.shell(work, "printf 'a\\x1b[31mred\\x07'").text


class TestRing:
    pieces = st.binary(max_size=300) | st.text(max_size=300).map(str.encode)

    @given(st.lists(pieces), st.integers(min_value=2, max_value=2000))
    def test_keeps_all_or_both_ends(self, pieces: list[bytes], limit: int) -> None:
        ring = Ring(limit)
        for piece in pieces:
            ring.feed(piece)
        whole = b"".join(pieces)
        kept = ring.kept(as_it_is)
        text, omitted = kept.text, kept.omitted
        if not omitted:
            assert text == whole.decode("utf-8", "replace")
        else:
            head, _, tail = text.partition(f"\n[... {omitted} bytes left out ...]\n")
            if whole.isascii():
                assert whole.decode().startswith(head)
                assert whole.decode().endswith(tail)
                assert len(head) + len(tail) + omitted == len(whole)
                assert len(head) + len(tail) <= limit

    @given(st.integers(min_value=0, max_value=6000), st.integers(min_value=0, max_value=6000), st.booleans())
    def test_a_secret_at_the_cut_is_whole_or_gone(self, before: int, after: int, spaced: bool) -> None:
        secret = "sk-ant-" + "0123456789" * 6
        space = " " if spaced else ""
        ring = Ring(2000)
        ring.feed(f"{'x' * before}{space}{secret}{space}{'y' * after}".encode())
        text = ring.kept(lambda part: Harmless(part.replace(secret, "[redacted]"), 0)).text
        assert not any(secret[i:i + 8] in text for i in range(len(secret) - 7))
