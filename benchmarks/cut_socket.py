"""A Docker socket that answers everything but the stream of events, which it hangs up on."""

import asyncio
import re
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_EVENTS = re.compile(rb"GET \S*/events[? ]")


@contextmanager
def cut_socket(real: str) -> Iterator[str]:
    """The path of a socket in front of the one at `real`."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        path, ready = str(Path(folder) / "docker.sock"), threading.Event()
        loop = asyncio.new_event_loop()
        stop = asyncio.Event()
        thread = threading.Thread(target=lambda: asyncio.Runner(loop_factory=lambda: loop).run(
            _serve(path, real, ready, stop)), name="cut socket")
        try:
            thread.start()
            if not ready.wait(10):
                raise RuntimeError("the socket did not open")
            yield path
        finally:
            loop.call_soon_threadsafe(stop.set)
            thread.join()
            loop.close()


async def _serve(path: str, real: str, ready: threading.Event, stop: asyncio.Event) -> None:
    async def attend(client: asyncio.StreamReader, answer: asyncio.StreamWriter) -> None:
        engine, ask = await asyncio.open_unix_connection(real)
        back = asyncio.create_task(_copy(engine, answer))
        try:
            while (piece := await client.read(65536)) and not _EVENTS.match(piece):
                ask.write(piece)
                await ask.drain()
        except ConnectionError:
            pass
        finally:
            back.cancel()
            ask.close()
            answer.close()

    server = await asyncio.start_unix_server(attend, path)
    ready.set()
    await stop.wait()
    server.close()


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while piece := await source.read(65536):
            target.write(piece)
            await target.drain()
        target.close()
