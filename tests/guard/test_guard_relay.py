"""The relay leads to one host and port, and passes bytes on as they are."""

import asyncio
import socket
import stat
from pathlib import Path

import pytest

from operator_demo.errors import UsageError
from operator_demo.guard import relay
from operator_demo.guard.relay import Destination, destination


@pytest.mark.parametrize(("url", "host", "port"), [
    ("https://api.example.com", "api.example.com", 443),
    ("http://10.0.0.7:8080/v1", "10.0.0.7", 8080),
    ("http://[fd00::1]", "fd00::1", 80),
])
def test_where_the_service_is(url: str, host: str, port: int) -> None:
    assert destination(url) == Destination(host, port)


@pytest.mark.parametrize("url", ["api.example.com", "ftp://x", "https://", "http://x:port", "http://x:99999", ""])
def test_what_is_no_url_of_a_service(url: str) -> None:
    with pytest.raises(UsageError, match="ANTHROPIC_BASE_URL"):
        destination(url)


def test_bytes_pass_both_ways_and_each_side_can_end(tmp_path: Path) -> None:
    sent = bytes(range(256)) * 4096

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"got " + await reader.read(-1))  # to the end of what the client sends
        await writer.drain()
        writer.close()

    async def talk() -> bytes:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        path = tmp_path / "relay" / "relay.sock"
        path.parent.mkdir()
        relaying = await relay.serve(path, Destination(*server.sockets[0].getsockname()))
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(sent)
        writer.write_eof()
        answered = await reader.read(-1)
        writer.close()
        relaying.close()
        server.close()
        return answered

    assert asyncio.run(asyncio.wait_for(talk(), 30)) == b"got " + sent


def test_a_service_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    async def talk() -> bytes:
        relaying = await relay.serve(tmp_path / "relay.sock", Destination("127.0.0.1", port))
        reader, writer = await asyncio.open_unix_connection(tmp_path / "relay.sock")
        answered = await reader.read(-1)
        writer.close()
        relaying.close()
        return answered

    assert asyncio.run(asyncio.wait_for(talk(), 30)) == b""
    assert f"127.0.0.1:{port} cannot be reached" in capsys.readouterr().err
