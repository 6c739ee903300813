"""What can go wrong between us and the model's service, through the real SDK."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from agent_bench import Bench
from fake_messages import (
    FakeMessages,
    Reply,
    answer,
    call,
    cut_midway,
    drips,
    ends_midway,
    error,
    error_midway,
    raw_arguments,
    text,
    thinking,
)
from hypothesis import given
from hypothesis import strategies as st

from operator_demo.agent import request
from operator_demo.agent.request import retry_after, string_so_far

Fake = Callable[..., FakeMessages]
GOOD = answer(call("escalate", reason="enough"))


@pytest.mark.usefixtures("short_delays")
@pytest.mark.parametrize(("bad", "reason"), [
    (error(429, "rate_limit_error", "slow down", retry_after="0"), "status 429 (rate_limit_error: slow down)"),
    (error(529, "overloaded_error", "Overloaded"), "status 529 (overloaded_error"),
    (error(500, "api_error", "oops"), "status 500 (api_error"),
    (error_midway(text("I wanted to")), "broke off with an error (overloaded_error: Overloaded)"),
    (error_midway(text("hm"), kind="api_error"), "broke off"),
    (cut_midway(thinking("I am not")), "connection to the model's service broke"),
    (ends_midway(text("and")), "no valid answer (it ended in the middle)"),
    (raw_arguments("shell", '{"reasoning": "x", "command": "rm -rf /tmp/a'), "arguments of a tool are not JSON"),
])
def test_tries_again(bench: Bench, fake: Fake, bad: Reply, reason: str) -> None:
    session = bench.run_session(fake(bad, GOOD).base_url)
    retry, = bench.data("retry")
    assert reason in retry["reason"]
    assert retry["attempt"] == 1
    assert bench.session_row(session)["status"] == "escalated"
    assert bench.ticket_row()["reason"] == "enough"
    assert [d["tool"] for d in bench.data("tool_call")] == ["escalate"]


def test_waits_as_long_as_the_server_asks(bench: Bench, fake: Fake) -> None:
    bench.run_session(fake(error(429, "rate_limit_error", retry_after="1"), GOOD).base_url)
    assert 1.0 <= bench.data("retry")[0]["delay"] < 1.5


@pytest.mark.usefixtures("short_delays")
def test_tries_a_bounded_number_of_times(bench: Bench, fake: Fake) -> None:
    server = fake(error(529, "overloaded_error", "Overloaded"), endless=True)
    session = bench.run_session(server.base_url)
    assert len(server.requests) == request.MAX_ATTEMPTS
    assert bench.session_row(session)["status"] == "error"
    assert "(6 attempts)" in bench.ticket_row()["reason"]
    assert bench.ticket_row()["state"] == "escalated"


def test_does_not_wait_for_ever(bench: Bench, fake: Fake) -> None:
    session = bench.run_session(fake(error(429, "rate_limit_error", retry_after="86400"), GOOD).base_url)
    assert bench.session_row(session)["status"] == "error"
    assert "asks to wait 86400 s" in bench.ticket_row()["reason"]


@pytest.mark.parametrize(("status", "kind", "words"), [
    (400, "invalid_request_error", "did not accept the request"),
    (401, "authentication_error", "The API key was refused"),
    (403, "permission_error", "may not use this model"),
    (404, "not_found_error", "does not exist"),
])
def test_does_not_repeat_what_cannot_help(bench: Bench, fake: Fake, status: int, kind: str, words: str) -> None:
    server = fake(error(status, kind, "because"), endless=True)
    session = bench.run_session(server.base_url)
    assert len(server.requests) == 1
    assert bench.session_row(session)["status"] == "error"
    assert words in bench.ticket_row()["reason"]
    assert "because" in bench.ticket_row()["reason"]
    assert words in bench.data("refusal")[0]["reason"]


def test_an_error_midway_that_cannot_pass_is_not_repeated(bench: Bench, fake: Fake) -> None:
    server = fake(error_midway(kind="invalid_request_error"), endless=True)
    bench.run_session(server.base_url)
    assert len(server.requests) == 1


@pytest.mark.usefixtures("short_delays")
def test_a_server_that_nobody_reaches(bench: Bench) -> None:
    session = bench.run_session("http://127.0.0.1:9")
    assert bench.session_row(session)["status"] == "error"
    assert "could not be reached" in bench.ticket_row()["reason"]


@pytest.mark.usefixtures("short_delays")
def test_a_server_that_drips_is_bounded_as_a_whole(bench: Bench, fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request, "REQUEST_TIMEOUT", 0.5)
    bench.run_session(fake(drips(0.05), GOOD).base_url)
    assert bench.data("retry")[0]["reason"] == "The model did not answer in time"
    assert [d["stop_reason"] for d in bench.data("usage")] == ["cut", "tool_use"]


def test_tokens_of_a_cut_answer_count(bench: Bench, fake: Fake, short_delays: None) -> None:
    session = bench.run_session(fake(cut_midway(text("I wanted")), GOOD).base_url)
    row = bench.session_row(session)
    assert row["steps"] == 2
    assert row["input_tokens"] == 200


class TestRetryAfter:
    def test_seconds(self) -> None:
        assert retry_after({"retry-after": "12.5"}) == 12.5

    def test_date(self) -> None:
        now = datetime(2026, 5, 1, tzinfo=UTC)
        header = {"retry-after": format_datetime(now + timedelta(seconds=30), usegmt=True)}
        assert retry_after(header, now) == 30.0

    def test_past_is_now(self) -> None:
        assert retry_after({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0.0

    @given(st.text())
    def test_anything_else_is_none_or_a_number(self, value: str) -> None:
        seconds = retry_after({"retry-after": value})
        assert seconds is None or 0 <= seconds < float("inf")


class TestStringSoFar:
    @given(st.text(), st.text(), st.integers(min_value=0))
    def test_is_a_beginning_of_the_argument(self, reasoning: str, command: str, at: int) -> None:
        import json

        whole = json.dumps({"reasoning": reasoning, "command": command, "timeout": 5})
        found = string_so_far(whole[:at % (len(whole) + 1)], "command")
        assert command.encode("utf-8", "replace").startswith(found.encode("utf-8", "replace"))

    def test_the_whole_is_the_argument(self) -> None:
        assert string_so_far('{"command": "echo \\"hi\\""', "command") == 'echo "hi"'

    @given(st.text())
    def test_takes_anything(self, arguments: str) -> None:
        assert isinstance(string_so_far(arguments, "command"), str)
