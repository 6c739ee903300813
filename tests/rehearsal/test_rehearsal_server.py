"""The rehearsal server through the real SDK: what it sends, what it refuses, and that nothing outlives it."""

import asyncio
import http.client
import json
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import anthropic
import httpx2
import pytest
from rehearsal_talk import EXECUTE, Conversation, PaperCluster, first_message

from operator_demo.agent.rehearsal.operator import Call, Turn
from operator_demo.agent.rehearsal.server import RehearsalServer

TOOLS: list[Any] = EXECUTE
ADAPTIVE: Any = {"type": "adaptive", "display": "summarized"}
TICKET: list[Any] = [{"role": "user", "content": first_message("demo-etcd", "demo-etcd_default")}]
SPOKEN = "Zwölf \"members\", all well. 🙂\n" * 4


@pytest.fixture
def server() -> Iterator[RehearsalServer]:
    with RehearsalServer(pace=0) as server:
        yield server


@asynccontextmanager
async def connected(server: RehearsalServer) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with anthropic.AsyncAnthropic(base_url=server.base_url, api_key="rehearsal", max_retries=0,
                                        http_client=httpx2.AsyncClient(trust_env=False)) as client:
        yield client


def ask(server: RehearsalServer, messages: list[Any] = TICKET, **more: Any) -> anthropic.types.Message:
    async def main() -> anthropic.types.Message:
        async with connected(server) as client:
            return await client.messages.create(**{"model": "rehearsal", "max_tokens": 1000, "messages": messages,
                                                   "tools": TOOLS, "thinking": ADAPTIVE, **more})
    return asyncio.run(main())


def stream(server: RehearsalServer, messages: list[Any] = TICKET,
           **more: Any) -> tuple[anthropic.types.Message, list[str]]:
    async def main() -> tuple[anthropic.types.Message, list[str]]:
        async with connected(server) as client, client.messages.stream(
                **{"model": "rehearsal", "max_tokens": 1000, "messages": messages, "tools": TOOLS,
                   "thinking": ADAPTIVE, **more}) as live:
            kinds = [event.type async for event in live]
            return await live.get_final_message(), kinds
    return asyncio.run(main())


def talker(request: dict[str, Any]) -> Turn:
    return Turn(f"I think: {SPOKEN}", SPOKEN,
                (Call("shell", {"command": "printf '%s' \"ü\"", "reasoning": SPOKEN}), Call("observe")))


def test_streamed_and_whole_messages_are_equal() -> None:
    with RehearsalServer(talker, pace=0) as server:
        whole = ask(server)
        live, kinds = stream(server)
    assert live.model_dump() == whole.model_dump()
    assert [block.type for block in whole.content] == ["thinking", "text", "tool_use", "tool_use"]
    assert whole.content[0].thinking == f"I think: {SPOKEN}"  # type: ignore[union-attr]
    assert whole.content[0].signature  # type: ignore[union-attr]
    assert whole.content[1].text == SPOKEN  # type: ignore[union-attr]
    assert whole.content[2].input == {"command": "printf '%s' \"ü\"", "reasoning": SPOKEN}  # type: ignore[union-attr]
    assert whole.stop_reason == "tool_use"
    assert whole.model == "rehearsal"
    assert whole.usage.input_tokens > 50
    assert whole.usage.output_tokens > 20
    assert kinds.count("text") > 5
    assert kinds.count("thinking") > 5
    assert kinds.count("input_json") > 3


def test_thinking_is_shown_only_to_whom_asks_for_it(server: RehearsalServer) -> None:
    shown = ask(server).content[0]
    assert shown.type == "thinking"
    assert shown.thinking
    hidden = ask(server, thinking={"type": "adaptive"}).content[0]
    assert hidden.type == "thinking"
    assert (hidden.thinking, bool(hidden.signature)) == ("", True)
    assert stream(server, thinking={"type": "adaptive"})[0].content[0] == hidden
    assert [block.type for block in ask(server, thinking=anthropic.omit).content] == ["text", "tool_use"]


@pytest.mark.parametrize("streamed", [False, True])
def test_a_whole_session_through_the_client(server: RehearsalServer, streamed: bool) -> None:
    cluster = PaperCluster()
    cluster.boxes["etcd2"].state = "paused"
    messages = list(TICKET)
    commands = []
    while True:
        answer = stream(server, messages)[0] if streamed else ask(server, messages)
        messages.append({"role": "assistant", "content": answer.content})
        calls = [block for block in answer.content if block.type == "tool_use"]
        if answer.stop_reason != "tool_use":
            break
        commands += [call.input.get("command", call.name) for call in calls]
        messages.append({"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": call.id, "content": cluster.run(Call(call.name, dict(call.input)))}
            for call in calls]})
    assert answer.stop_reason == "end_turn"
    assert "docker unpause demo-etcd-etcd2-1" in commands
    assert commands[-1] == "resolve"


def test_request_ids_are_there_and_differ(server: RehearsalServer) -> None:
    first, second = ask(server), ask(server)
    assert first._request_id
    assert first._request_id.startswith("req_")
    assert first._request_id != second._request_id


CALL = {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "observe", "input": {}}]}
RESULT = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "{}"}]}
THOUGHT = {"role": "assistant", "content": [{"type": "thinking", "thinking": "changed", "signature": "AAAA"}]}
HELLO = {"role": "user", "content": "hello"}


@pytest.mark.parametrize(("messages", "complaint"), [
    ([], "at least one message"),
    ([{"role": "assistant", "content": "hello"}], "first message"),
    ([HELLO, {"role": "assistant", "content": "yes"}], "prefill"),
    ([HELLO, {"role": "system", "content": "yes"}], "role"),
    ([HELLO, RESULT], "unexpected `tool_use_id`"),
    ([HELLO, CALL, HELLO], "without `tool_result`"),
    ([HELLO, CALL, RESULT, RESULT], "unexpected `tool_use_id`"),
    ([HELLO, CALL, RESULT, CALL, RESULT], "unique"),
    ([HELLO, CALL, HELLO, RESULT], "before any other content"),
    ([{"role": "user", "content": " "}], "non-whitespace"),
    ([{"role": "user", "content": []}], "content"),
    ([{"role": "user", "content": [{"type": "tool_use", "id": "x", "name": "y", "input": {}}]}], "not allowed"),
    ([HELLO, THOUGHT, HELLO], "signature"),
])
def test_malformed_messages_are_refused_as_the_service_does(server: RehearsalServer, messages: list[Any],
                                                            complaint: str) -> None:
    with pytest.raises(anthropic.BadRequestError, match=complaint) as caught:
        ask(server, messages)
    assert caught.value.body["error"]["type"] == "invalid_request_error"  # type: ignore[index]
    assert caught.value.request_id == caught.value.body["request_id"]  # type: ignore[index]
    with pytest.raises(anthropic.BadRequestError, match=complaint):
        stream(server, messages)


def test_neighbours_of_one_role_are_joined(server: RehearsalServer) -> None:
    assert ask(server, [*TICKET, CALL, RESULT, HELLO]).role == "assistant"


def post(server: RehearsalServer, body: bytes | str, path: str = "/v1/messages", method: str = "POST",
         headers: dict[str, str] | None = None) -> tuple[int, dict[str, Any], str]:
    connection = http.client.HTTPConnection("127.0.0.1", int(server.base_url.rpartition(":")[2]), timeout=10)
    try:
        connection.request(method, path, body, {"anthropic-version": "2023-06-01", **(headers or {})})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read()), answer.getheader("request-id", "")
    finally:
        connection.close()


@pytest.mark.parametrize("missing", ["model", "messages", "max_tokens"])
def test_a_missing_field_is_named(server: RehearsalServer, missing: str) -> None:
    body: dict[str, Any] = {"model": "rehearsal", "messages": TICKET, "max_tokens": 10}
    del body[missing]
    status, answer, request_id = post(server, json.dumps(body))
    assert (status, answer["error"]["type"]) == (400, "invalid_request_error")
    assert answer["error"]["message"].startswith(missing)
    assert answer["request_id"] == request_id != ""


@pytest.mark.parametrize("body", ["", "{", "[]", "null", "[" * 100_000, b"\xff\xfe", '{"model": 1}',
                                  '{"model": "x", "max_tokens": 1, "messages": [1]}',
                                  '{"model": "x", "max_tokens": true, "messages": []}',
                                  '{"model": "x", "max_tokens": 1, "messages": [], "tools": [{"name": "a b"}]}'])
def test_rubbish_is_a_bad_request(server: RehearsalServer, body: bytes | str) -> None:
    status, answer, _ = post(server, body)
    assert (status, answer["type"], answer["error"]["type"]) == (400, "error", "invalid_request_error")


def test_other_paths_and_methods(server: RehearsalServer) -> None:
    assert post(server, "{}", "/v1/elsewhere")[1]["error"]["type"] == "not_found_error"
    assert post(server, "{}", "/v1/elsewhere")[0] == 404
    assert post(server, "", method="GET")[0] == 405
    assert post(server, "", headers={"content-length": "99999999999"})[0] == 413


def test_a_failing_brain_is_an_api_error() -> None:
    def broken(request: dict[str, Any]) -> Turn:
        raise LookupError("no")

    with RehearsalServer(broken) as server, pytest.raises(anthropic.InternalServerError) as caught:
        ask(server)
    assert caught.value.body["error"]["type"] == "api_error"  # type: ignore[index]


def test_pace_spreads_the_prose_over_time(monkeypatch: pytest.MonkeyPatch) -> None:
    with RehearsalServer(lambda request: Turn("", "x" * 60), pace=20) as server:
        pauses: list[float] = []
        assert server._server is not None
        monkeypatch.setattr(server._server.stopping, "wait", lambda seconds: pauses.append(seconds))
        assert ask(server).content[0].type == "text"
        assert pauses == []
        stream(server)
        assert len(pauses) > 1
        assert sum(pauses) == pytest.approx(60 / 20)


def test_a_client_that_is_cancelled_leaves_the_server_working_and_no_thread_behind() -> None:
    async def give_up(server: RehearsalServer) -> None:
        async with connected(server) as client:
            async def listen() -> None:
                async with client.messages.stream(model="rehearsal", max_tokens=9, messages=TICKET) as live:
                    async for _ in live:
                        begun.set()
            begun = asyncio.Event()
            task = asyncio.create_task(listen())
            await begun.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    before = set(_threads())  # of servers of other tests in this process
    with RehearsalServer(lambda request: Turn("", "word " * 400), pace=200) as server:
        asyncio.run(give_up(server))
        assert ask(server).stop_reason == "end_turn"
        deadline = time.monotonic() + 30
        while len(set(_threads()) - before) > 1 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert len(set(_threads()) - before) == 1  # the one that accepts
    assert set(_threads()) <= before


def test_stop_cuts_off_what_is_under_way_and_frees_everything() -> None:
    server = RehearsalServer(lambda request: Turn("", "word " * 400), pace=10)
    server.start()
    server.start()
    address = ("127.0.0.1", int(server.base_url.rpartition(":")[2]))
    idle = http.client.HTTPConnection(*address, timeout=10)
    idle.connect()
    busy = http.client.HTTPConnection(*address, timeout=10)
    busy.request("POST", "/v1/messages",
                 json.dumps({"model": "m", "max_tokens": 5, "messages": TICKET, "stream": True}))
    answer = busy.getresponse()
    assert answer.read(10)
    began = time.monotonic()
    server.stop()
    server.stop()
    assert time.monotonic() - began < 5
    assert _threads() == []
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        answer.read()
    with pytest.raises(ConnectionRefusedError):
        http.client.HTTPConnection(*address, timeout=10).connect()
    with pytest.raises(RuntimeError):
        _ = server.base_url
    idle.close()
    busy.close()


def test_it_never_asks_a_resolver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.getfqdn", lambda *_: pytest.fail("asked for a name"))
    monkeypatch.setattr("socket.gethostbyaddr", lambda *_: pytest.fail("asked for a name"))
    with RehearsalServer(pace=0) as server:
        assert post(server, "{}")[0] == 400


def test_the_conversation_helper_and_the_server_agree(server: RehearsalServer) -> None:
    """What the unit tests talk through is the request that really arrives."""
    talk = Conversation(TICKET[0]["content"], lambda call: "{}")
    talk.step()
    answer = ask(server)
    assert [block.text for block in answer.content if block.type == "text"] == [talk.turns[0].text]


def _threads() -> list[threading.Thread]:
    """Those of a rehearsal server. (The threads of other tests' HTTP servers have the same names, and are daemons.)"""
    return [t for t in threading.enumerate()
            if not t.daemon and (t.name == "rehearsal" or "process_request_thread" in t.name)]
