"""A small gRPC server for the stand-ins: unary calls over HTTP/2 without TLS, one thread for each connection."""

import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.events
import h2.exceptions

Answer = bytes | int | None  # the message; or gRPC's status; or None: the connection is closed without an answer
Route = Callable[[str, bytes], Answer]  # path and message

UNIMPLEMENTED = 12


@dataclass
class Call:
    path: str = ""
    body: bytearray = field(default_factory=bytearray)


class Connection:
    def __init__(self, connected: socket.socket, route: Route) -> None:
        self.socket, self.route = connected, route
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        self.calls: dict[int, Call] = {}

    def run(self) -> None:
        self.h2.initiate_connection()
        self.flush()
        while raw := self.socket.recv(65536):
            for event in self.h2.receive_data(raw):
                if not self.apply(event):
                    return
            self.flush()

    def flush(self) -> None:
        self.socket.sendall(self.h2.data_to_send())

    def apply(self, event: h2.events.Event) -> bool:
        """False where the connection is to be closed."""
        if isinstance(event, h2.events.RequestReceived):
            self.calls[event.stream_id] = Call(dict(event.headers)[":path"])
        elif isinstance(event, h2.events.DataReceived):
            self.calls[event.stream_id].body += event.data
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            call = self.calls.pop(event.stream_id)
            return self.answer(event.stream_id, self.route(call.path, bytes(call.body[5:])))
        elif isinstance(event, h2.events.StreamReset):
            self.calls.pop(event.stream_id, None)
        return True

    def answer(self, stream: int, answer: Answer) -> bool:
        if answer is None:
            return False
        head = [(":status", "200"), ("content-type", "application/grpc")]
        if isinstance(answer, int):
            self.h2.send_headers(stream, [*head, ("grpc-status", str(answer))], end_stream=True)
            return True
        self.h2.send_headers(stream, head)
        body = b"\0" + len(answer).to_bytes(4, "big") + answer
        for at in range(0, len(body), 16384):  # answers here are smaller than the window of a connection
            self.h2.send_data(stream, body[at:at + 16384])
        self.h2.send_headers(stream, [("grpc-status", "0"), ("grpc-message", "")], end_stream=True)
        return True


def serve(port: int, route: Route, host: str = "") -> socket.socket:
    """Serves in threads until the process ends, or the returned socket is closed."""
    listening = socket.create_server((host, port), backlog=64)

    def work(connected: socket.socket) -> None:
        with connected:
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                Connection(connected, route).run()
            except (OSError, h2.exceptions.ProtocolError):
                pass  # a client that hung up is no matter

    def accept() -> None:
        while True:
            try:
                connected, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=work, args=(connected,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return listening
