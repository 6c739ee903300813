"""A stand-in for the Messages API: it plays a script of answers, good and bad, and keeps what it was asked."""

import json
import threading
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = Callable[["Handler"], None]
USAGE = {"input_tokens": 100, "output_tokens": 20, "cache_read_input_tokens": 50, "cache_creation_input_tokens": 10}


def thinking(text: str, signature: str = "c2ln") -> dict[str, Any]:
    return {"type": "thinking", "thinking": text, "signature": signature}


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


_numbers = iter(range(1, 10**9))


def call(tool: str, **given: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": f"toolu_{next(_numbers):08d}", "name": tool, "input": given}


def answer(*blocks: dict[str, Any], stop: str | None = None, usage: dict[str, int] = USAGE) -> Reply:
    """A whole answer; it stops for tools where it calls some."""
    reason = stop or ("tool_use" if any(b["type"] == "tool_use" for b in blocks) else "end_turn")
    return lambda handler: handler.stream([*_begin(usage), *_blocks(blocks), *_end(reason, usage)])


def error(status: int, kind: str, words: str = "no", **headers: str) -> Reply:
    return lambda handler: handler.fail(status, kind, words, {k.replace("_", "-"): v for k, v in headers.items()})


def error_midway(*blocks: dict[str, Any], kind: str = "overloaded_error") -> Reply:
    broken = ("error", {"type": "error", "error": {"type": kind, "message": "Overloaded"}})
    return lambda handler: handler.stream([*_begin(USAGE), *_blocks(blocks), broken])


def cut_midway(*blocks: dict[str, Any]) -> Reply:
    """The connection breaks in the middle of an answer."""
    return lambda handler: handler.stream([*_begin(USAGE), *_blocks(blocks)], cut=True)


def ends_midway(*blocks: dict[str, Any]) -> Reply:
    """The answer ends in order, but before its end."""
    return lambda handler: handler.stream([*_begin(USAGE), *_blocks(blocks)])


def drips(every: float) -> Reply:
    """Never ends, and never pauses for long."""
    def reply(handler: "Handler") -> None:
        handler.stream(_begin(USAGE), cut=True, drip=every)
    return reply


def raw_arguments(tool: str, arguments: str, stop: str = "tool_use") -> Reply:
    """A tool call whose arguments are this text, in pieces of a few characters."""
    start = {"type": "tool_use", "id": f"toolu_{next(_numbers):08d}", "name": tool, "input": {}}
    events: list[tuple[str, dict[str, Any]]] = [
        ("content_block_start", {"type": "content_block_start", "index": 0, "content_block": start})]
    for i in range(0, len(arguments), 7):
        events.append(_delta(0, {"type": "input_json_delta", "partial_json": arguments[i:i + 7]}))
    events.append(("content_block_stop", {"type": "content_block_stop", "index": 0}))
    return lambda handler: handler.stream([*_begin(USAGE), *events, *_end(stop, USAGE)])


def _begin(usage: dict[str, int]) -> list[tuple[str, dict[str, Any]]]:
    message: dict[str, Any] = {"id": "msg_1", "type": "message", "role": "assistant", "model": "stand-in",
                               "content": [], "stop_reason": None, "stop_sequence": None,
                               "usage": {**usage, "output_tokens": 1}}
    return [("message_start", {"type": "message_start", "message": message}), ("ping", {"type": "ping"})]


def _delta(index: int, delta: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return "content_block_delta", {"type": "content_block_delta", "index": index, "delta": delta}


def _blocks(blocks: Sequence[dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    events: list[tuple[str, dict[str, Any]]] = []
    for index, block in enumerate(blocks):
        match block["type"]:
            case "thinking":
                empty: dict[str, Any] = {"type": "thinking", "thinking": "", "signature": ""}
                pieces = [{"type": "thinking_delta", "thinking": p} for p in _pieces(block["thinking"])]
                pieces.append({"type": "signature_delta", "signature": block["signature"]})
            case "text":
                empty = {"type": "text", "text": ""}
                pieces = [{"type": "text_delta", "text": p} for p in _pieces(block["text"])]
            case _:
                empty = {**block, "input": {}}
                pieces = [{"type": "input_json_delta", "partial_json": p} for p in _pieces(json.dumps(block["input"]))]
        events.append(("content_block_start", {"type": "content_block_start", "index": index, "content_block": empty}))
        events += [_delta(index, piece) for piece in pieces]
        events.append(("content_block_stop", {"type": "content_block_stop", "index": index}))
    return events


def _pieces(whole: str) -> list[str]:
    return [whole[i:i + 9] for i in range(0, len(whole), 9)]


def _end(reason: str, usage: dict[str, int]) -> list[tuple[str, dict[str, Any]]]:
    delta = {"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": None},
             "usage": {"output_tokens": usage["output_tokens"]}}
    return [("message_delta", delta), ("message_stop", {"type": "message_stop"})]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    fake: "FakeMessages"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.fake.requests.append(body)
        self.fake.headers.append(dict(self.headers))
        try:
            self.fake.next_reply()(self)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def stream(self, events: Sequence[tuple[str, dict[str, Any]]], cut: bool = False,
               drip: float | None = None) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("request-id", f"req_{len(self.fake.requests)}")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for name, data in events:
            self._chunk(f"event: {name}\ndata: {json.dumps(data)}\n\n")
        while drip is not None and not self.fake.stopping.wait(drip):
            self._chunk("event: ping\ndata: {\"type\": \"ping\"}\n\n")
        if cut:
            self.close_connection = True
            return
        self.wfile.write(b"0\r\n\r\n")

    def _chunk(self, piece: str) -> None:
        raw = piece.encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(raw), raw))
        self.wfile.flush()

    def fail(self, status: int, kind: str, words: str, headers: dict[str, str]) -> None:
        raw = json.dumps({"type": "error", "error": {"type": kind, "message": words}}).encode()
        self.send_response(status)
        for name, value in {"content-type": "application/json", "request-id": "req_bad", **headers}.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Clients that are killed hang up; what a test prints would hide what it finds."""


class FakeMessages:
    """Plays `replies` in order; the last one again and again where `endless`."""

    def __init__(self, *replies: Reply, endless: bool = False) -> None:
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.stopping = threading.Event()
        self._replies, self._endless = list(replies), endless
        handler = type("BoundHandler", (Handler,), {"fake": self})
        self._server = Server(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        self.base_url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def next_reply(self) -> Reply:
        if len(self._replies) > 1 or (self._replies and not self._endless):
            return self._replies.pop(0)
        return self._replies[0] if self._replies else error(400, "invalid_request_error", "the script is over")

    def close(self) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
