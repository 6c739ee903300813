"""The key, and what looks like one, reaches neither the disk, nor stdout, nor the model."""

import asyncio
import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

import pytest
from agent_bench import KEY, Bench
from fake_messages import FakeMessages, answer, call, error, text, thinking
from hypothesis import given, settings
from hypothesis import strategies as st

from operator_demo.agent import config
from operator_demo.agent.record import Live
from operator_demo.errors import UsageError
from operator_demo.redaction import Scrubber
from operator_demo.settings import KEY_FILE

Fake = Callable[..., FakeMessages]
OTHER = "hunter2hunter2"


def test_the_key_is_nowhere(bench: Bench, fake: Fake) -> None:
    other = f"{OTHER[:7]}$(printf {OTHER[7:]})"  # of the command itself, the record hides known secrets alone
    spread = f"echo {KEY}; echo PASSWORD={other} >&2; for c in $(seq 3); do printf %s {KEY}; sleep 0.1; done"
    server = fake(
        answer(thinking(f"The key is {KEY}, I think"), text(f"It is {KEY}"),
               call("shell", reasoning=f"show {KEY}", command=spread)),
        answer(call("finding", member=KEY, cause="unknown", text=KEY), call("nonsense", key=KEY),
               call("shell", reasoning="x", command="echo", **{KEY: "x"})),
        error(400, "invalid_request_error", f"your key {KEY} is bad"),
    )
    bench.run_session(server.base_url)

    written = bench.everything_written()
    assert KEY not in written
    assert OTHER not in written
    assert KEY[:30] not in written.replace("\n", "")
    results = json.dumps([r["messages"][-1] for r in server.requests[1:]])
    assert KEY not in results  # what the model itself wrote goes back unchanged, what a tool printed does not
    assert OTHER not in results
    assert "[redacted]" in results


def test_the_key_is_in_no_file_of_the_shell_and_no_argument(bench: Bench, fake: Fake) -> None:
    server = fake(answer(call("shell", reasoning="look", command=f"env; cat /proc/*/environ; cat {KEY_FILE}")),
                  answer(call("escalate", reason="enough")))
    bench.run_session(server.base_url)
    assert KEY not in json.dumps(server.requests)


class TestReadingTheKey:
    ENVIRONMENT: ClassVar = {"OPERATOR_SAFETY_MODE": "execute", "OPERATOR_BRAIN": "claude"}

    def read(self, path: Path) -> config.AgentSettings:
        return config.from_environment(self.ENVIRONMENT, path)

    def test_from_the_file_alone(self, tmp_path: Path) -> None:
        (tmp_path / "key").write_text(KEY + "\n")
        found = self.read(tmp_path / "key")
        assert found.key == KEY
        assert KEY not in repr(found)
        found.require_key()

    @pytest.mark.parametrize("content", [None, "", " \n"])
    def test_none_or_empty_is_told_plainly(self, tmp_path: Path, content: str | None) -> None:
        if content is not None:
            (tmp_path / "key").write_text(content)
        found = self.read(tmp_path / "key")
        assert found.key is None
        with pytest.raises(UsageError, match="no API key"):
            found.require_key()

    def test_defaults(self, tmp_path: Path) -> None:
        found = self.read(tmp_path / "key")
        assert found.model == "claude-opus-5-5"
        assert found.base_url == "https://api.anthropic.com"
        with pytest.raises(UsageError, match="OPERATOR_SAFETY_MODE must be execute, approve or observe"):
            config.from_environment(self.ENVIRONMENT | {"OPERATOR_SAFETY_MODE": "yolo"}, tmp_path / "key")
        with pytest.raises(UsageError, match="OPERATOR_BUDGET_STEPS"):
            config.from_environment(self.ENVIRONMENT | {"OPERATOR_BUDGET_STEPS": "many"}, tmp_path / "key")


class TestLive:
    """Text that arrives in pieces, with a secret somewhere in it."""

    def shown(self, whole: str, cuts: list[int], flush: list[bool]) -> str:
        said: list[str] = []

        async def go() -> None:
            live = Live(said.append, Scrubber([KEY]))
            places = sorted({0, *(c % (len(whole) + 1) for c in cuts), len(whole)})
            for n, (a, b) in enumerate(pairwise(places)):
                live.feed(whole[a:b])
                if flush[n % len(flush)]:
                    live._tick()
            live.close()

        asyncio.run(go())
        return "".join(said)

    words = st.text(alphabet="abc =:\n", max_size=60)

    @settings(max_examples=60)
    @given(words, words, st.lists(st.integers(min_value=0, max_value=10**6)), st.lists(st.booleans(), min_size=1))
    def test_shows_no_part_of_the_key(self, before: str, after: str, cuts: list[int], flush: list[bool]) -> None:
        shown = self.shown(f"{before} {KEY}{after}", cuts, flush)
        assert not any(KEY[i:i + 8] in shown for i in range(len(KEY) - 7))

    @settings(max_examples=60)
    @given(words, st.lists(st.integers(min_value=0, max_value=10**6)), st.lists(st.booleans(), min_size=1))
    def test_shows_all_of_the_rest(self, whole: str, cuts: list[int], flush: list[bool]) -> None:
        assert self.shown(whole, cuts, flush) == whole

    @pytest.mark.parametrize("secret", [
        "Authorization: Bearer abcdefghijk", "DB_PASSWORD=abcdefghijk", "x-api-key: abcdefghijk",
        "-----BEGIN RSA PRIVATE KEY-----\nabcdefghijk\nabcdefghijk\n-----END RSA PRIVATE KEY-----",
    ])
    @settings(max_examples=150)
    @given(cuts=st.lists(st.integers(min_value=0, max_value=10**6)), flush=st.lists(st.booleans(), min_size=1))
    def test_shows_no_part_of_what_looks_like_a_secret(self, secret: str, cuts: list[int], flush: list[bool]) -> None:
        shown = self.shown(f"see {secret}\nand so on", cuts, flush)
        assert "abcd" not in shown
        assert shown.endswith("and so on")

    def test_is_bounded(self) -> None:
        shown = self.shown("word " * 20_000, list(range(0, 100_000, 1000)), [True])
        assert len(shown) < 40_000
        assert "the rest follows" in shown
