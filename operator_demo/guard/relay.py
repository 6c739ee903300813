"""The way to the model's service, and to nothing else: a tunnel of bytes from a Unix socket to one host and port.

The agent's container cannot reach anything outside the subject's network. TLS ends in the agent, so the relay sees
neither the key nor what is said.
"""

import asyncio
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from operator_demo.errors import UsageError

_PORTS = {"http": 80, "https": 443}
_AT_ONCE = 16  # connections
_CONNECT = 10.0  # seconds
_PIECE = 65536  # bytes


@dataclass(frozen=True)
class Destination:
    host: str
    port: int


def destination(base_url: str) -> Destination:
    """Where the service at this URL is. Raises `UsageError` for a URL without a host, or of another kind."""
    try:
        url = urlsplit(base_url)
        port = url.port or _PORTS.get(url.scheme)
    except ValueError:
        port = None
    if port is None or not url.hostname:
        raise UsageError(f"ANTHROPIC_BASE_URL is not a URL of a service: {base_url!r}.",
                         "Give http:// or https://, a host, and a port if it is not the usual one.")
    return Destination(url.hostname, port)


def run(socket: Path, base_url: str) -> int:
    """Relays until SIGTERM."""
    asyncio.run(_run(socket, destination(base_url)))
    return 0


async def _run(socket: Path, to: Destination) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    server = await serve(socket, to)
    await stop.wait()
    server.close()


async def serve(socket: Path, to: Destination) -> asyncio.Server:
    """Listens on a socket that only this account may use."""
    socket.parent.chmod(0o700)  # the shell of the agent, which has another account, cannot enter
    socket.unlink(missing_ok=True)
    free = asyncio.Semaphore(_AT_ONCE)

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with free:
            await _relay(reader, writer, to)

    server = await asyncio.start_unix_server(relay, socket)
    socket.chmod(0o600)
    return server


async def _relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, to: Destination) -> None:
    """One connection. Without the service, the client sees its connection closed, and tries again."""
    try:
        async with asyncio.timeout(_CONNECT):
            answers, requests = await asyncio.open_connection(to.host, to.port)
    except OSError as e:  # also a timeout
        print(f"{to.host}:{to.port} cannot be reached: {e or 'no answer'}", file=sys.stderr, flush=True)
        writer.close()
        return
    with suppress(OSError):
        await asyncio.gather(_copy(reader, requests), _copy(answers, writer))
    requests.close()
    writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(_PIECE):
        writer.write(piece)
        await writer.drain()
    writer.write_eof()
