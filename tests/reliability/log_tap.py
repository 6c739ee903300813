"""What our containers say, read from the engine by the test itself: what the record must hold in the end."""

import threading
from typing import Any

import docker
from docker.errors import DockerException
from presenter import LABEL

from operator_demo.events import BadEvent
from operator_demo.wire import Decoder

PERIOD = 0.5  # seconds between two looks for containers


class LogTap:
    """Follows the logs of one project's containers until it is closed; `heard` holds (source, seq) of each event."""

    def __init__(self, engine: docker.DockerClient, project: str) -> None:
        self.heard: set[tuple[str, int]] = set()
        self._engine, self._project = engine, project
        self._followed: set[str] = set()  # ids of containers
        self._read: set[str] = set()  # to the end, at least once
        self._closed = threading.Event()
        threading.Thread(target=self._look, name="log tap", daemon=True).start()

    def close(self) -> None:
        self._closed.set()

    def _look(self) -> None:
        while not self._closed.wait(PERIOD):
            try:
                containers = self._engine.containers.list(
                    all=True, ignore_removed=True, filters={"label": f"{LABEL}={self._project}-operator"})
            except DockerException:
                continue
            except OSError:  # an engine that was frozen or restarted
                continue
            for container in containers:
                is_new = container.id not in self._read or container.status == "running"
                if container.id not in self._followed and is_new:
                    self._followed.add(container.id)
                    threading.Thread(target=self._follow, args=(container,), daemon=True).start()

    def _follow(self, container: Any) -> None:
        """Reads from the beginning: a log that is followed again repeats what was heard."""
        decoder, rest = Decoder(), b""
        try:
            for part in container.logs(stream=True, follow=True, stderr=False):
                *lines, rest = (rest + part).split(b"\n")
                for line in lines:
                    self._hear(decoder, line.decode(errors="replace"))
            self._read.add(container.id)
        except (DockerException, OSError):
            pass
        finally:
            self._followed.discard(container.id)

    def _hear(self, decoder: Decoder, line: str) -> None:
        try:
            event = decoder.feed(line)
        except BadEvent:
            return
        if event is not None and event.seq is not None:
            self.heard.add((event.source, event.seq))
