"""Unary gRPC calls over HTTP/2 (h2, "prior knowledge", no TLS): one connection to one server, one call at a time.

A message is framed by one byte 0 (not compressed) and its length in four bytes, the highest first. The status of the
call stands in the trailers (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md).
"""

import select
import socket
from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions

from operator_demo.subject import Deadline
from operator_demo.subject_kit import NoAnswer, NoConnection, Timeout

_READ = 65536  # bytes at once
_LARGEST = 4 * 1024 * 1024  # bytes of an answer


class CallFailed(Exception):
    """The server answered with another status than OK. `code` is gRPC's (4 DeadlineExceeded, 12 Unimplemented, ...)."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message or f"gRPC status {code}")
        self.code = code


@dataclass
class _Answer:
    """What came so far."""

    status: int | None = None  # gRPC's; None where no trailers came
    http_status: int = 0
    message: str = ""
    body: bytearray = field(default_factory=bytearray)
    ended: bool = False

    def take(self, headers: list[tuple[bytes, bytes]]) -> None:
        for name, value in headers:
            if name == b":status":
                self.http_status = int(value)
            elif name == b"grpc-status":
                self.status = int(value)
            elif name == b"grpc-message":
                self.message = value.decode("utf-8", "replace")


class Channel:
    """Not for use by two threads at once."""

    def __init__(self, address: str, port: int) -> None:
        self._address, self._port = address, port
        self._socket: socket.socket | None = None
        self._h2 = h2.connection.H2Connection()

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def call(self, path: str, message: bytes, timeout: float) -> bytes:
        """The message of the answer, within about `timeout` seconds.

        Raises `NoConnection` where the server certainly did not carry out the call, `NoAnswer` (or `Timeout`) where
        that is not known, and `CallFailed`.
        """
        limit = Deadline(timeout)
        connected = self._ready(limit)
        try:
            answer = self._exchange(connected, path, message, timeout, limit)
        except TimeoutError as e:
            self.close()  # a late answer must not meet the next call
            raise Timeout(f"no answer within {timeout:.1f} s") from e
        except (OSError, ValueError, h2.exceptions.ProtocolError) as e:
            self.close()
            raise NoAnswer(f"the connection broke ({type(e).__name__})") from e
        except NoAnswer:
            self.close()
            raise
        return _unframed(answer)

    # -- the connection ----------------------------------------------------------------------------------------------

    def _ready(self, limit: Deadline) -> socket.socket:
        """A connection that the server has not closed, as far as can be known without sending."""
        try:
            if self._socket is None or not self._catch_up(self._socket):
                self.close()
                self._socket = self._connect(limit)
            return self._socket
        except (OSError, h2.exceptions.ProtocolError) as e:
            self.close()
            raise NoConnection(_why(e)) from e

    def _connect(self, limit: Deadline) -> socket.socket:
        connected = socket.create_connection((self._address, self._port), timeout=max(limit.left(), 0.001))
        try:
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding=None))
            self._h2.initiate_connection()
            connected.sendall(self._h2.data_to_send())
        except BaseException:
            connected.close()
            raise
        return connected

    def _catch_up(self, connected: socket.socket) -> bool:
        """Reads what came between two calls (settings, pings); False if the server wants no more calls."""
        while select.select([connected], [], [], 0)[0]:
            raw = connected.recv(_READ)
            if not raw:
                return False
            events = self._h2.receive_data(raw)
            if any(isinstance(e, h2.events.ConnectionTerminated) for e in events):
                return False
        pending = self._h2.data_to_send()
        if pending:
            connected.sendall(pending)
        return True

    # -- one call ----------------------------------------------------------------------------------------------------

    def _exchange(self, connected: socket.socket, path: str, message: bytes, timeout: float,
                  limit: Deadline) -> _Answer:
        stream, answer = self._h2.get_next_available_stream_id(), _Answer()
        self._h2.send_headers(stream, [
            (":method", "POST"), (":scheme", "http"), (":path", path), (":authority", f"{self._address}:{self._port}"),
            ("content-type", "application/grpc"), ("te", "trailers"),
            ("grpc-timeout", f"{max(1, round(timeout * 1000))}m")])
        unsent = b"\0" + len(message).to_bytes(4, "big") + message
        while unsent:
            room = min(self._h2.local_flow_control_window(stream), self._h2.max_outbound_frame_size)
            if room > 0:
                part, unsent = unsent[:room], unsent[room:]
                self._h2.send_data(stream, part, end_stream=not unsent)
            else:
                self._receive(connected, stream, answer, limit)
                if answer.ended:  # refused before all was sent
                    return answer
        while not answer.ended:
            self._receive(connected, stream, answer, limit)
        self._send(connected, limit)
        return answer

    def _send(self, connected: socket.socket, limit: Deadline) -> None:
        pending = self._h2.data_to_send()
        if pending:
            connected.settimeout(max(limit.left(), 0.001))
            connected.sendall(pending)

    def _receive(self, connected: socket.socket, stream: int, answer: _Answer, limit: Deadline) -> None:
        self._send(connected, limit)
        connected.settimeout(max(limit.left(), 0.001))
        raw = connected.recv(_READ)
        if not raw:
            raise NoAnswer("the connection was closed")
        for event in self._h2.receive_data(raw):
            self._apply(event, stream, answer)

    def _apply(self, event: h2.events.Event, stream: int, answer: _Answer) -> None:
        if isinstance(event, h2.events.ConnectionTerminated):
            if (event.last_stream_id or 0) < stream:
                raise NoConnection("the server takes no more calls")
            return
        if getattr(event, "stream_id", None) != stream:
            return
        if isinstance(event, h2.events.ResponseReceived | h2.events.TrailersReceived):
            answer.take(event.headers or [])
        elif isinstance(event, h2.events.DataReceived):
            answer.body += event.data or b""
            if len(answer.body) > _LARGEST:
                raise NoAnswer("the answer is too long")
            self._h2.acknowledge_received_data(event.flow_controlled_length or 0, stream)
        elif isinstance(event, h2.events.StreamEnded):
            answer.ended = True
        elif isinstance(event, h2.events.StreamReset):
            if event.error_code == h2.errors.ErrorCodes.REFUSED_STREAM:
                raise NoConnection("the server refused the call")
            raise NoAnswer("the server gave the call up")


def _unframed(answer: _Answer) -> bytes:
    if answer.http_status != 200:
        raise NoAnswer(f"HTTP {answer.http_status} instead of an answer by gRPC")
    if answer.status is None:
        raise NoAnswer("the answer has no status")
    if answer.status:
        raise CallFailed(answer.status, answer.message)
    body = bytes(answer.body)
    if len(body) < 5 or body[0] != 0 or len(body) != 5 + int.from_bytes(body[1:5], "big"):
        raise NoAnswer("the answer is not one message")
    return body[5:]


def _why(error: Exception) -> str:
    """Why the server was not reached, in a few words."""
    if isinstance(error, TimeoutError):
        return "connection timed out"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return "no connection"
