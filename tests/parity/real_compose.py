"""Debian trixie's Compose 2.26 in a container of its own, on the same engine, to compare with.

Its image is built once and kept, named by what it is made of, so that later runs cost nothing:
`docker image rm operator-demo-test/compose:2.26-...` removes it.
"""

import fcntl
import hashlib
import io
import json
import secrets
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker.errors

from operator_demo.engine import Engine, build_image, exec_in, find_socket

BASE = "operator-demo/base:trixie"
_DOCKERFILE = f"""\
FROM {BASE}
RUN apt-get update -qq \\
 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends docker-compose docker-cli \\
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/*
""".encode()
IMAGE = f"operator-demo-test/compose:2.26-{hashlib.sha256(_DOCKERFILE).hexdigest()[:8]}"
_SOCKET = "/var/run/docker.sock"


class ComposeFailed(Exception):
    """Compose said no; the text is what it said."""


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str


class RealCompose:
    """A kept container in which Compose is called by exec. Close it, and it is removed."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        with open(Path(tempfile.gettempdir()) / "operator-demo-test-compose.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # test processes side by side build it once
            build_image(engine, IMAGE, {"Dockerfile": _DOCKERFILE})
        body = {"Image": IMAGE, "Cmd": ["sleep", "infinity"], "HostConfig": {
            "Init": True, "NetworkMode": "none",
            "Mounts": [{"Type": "bind", "Source": find_socket(engine, BASE), "Target": _SOCKET}]}}
        name = f"operator-demo-test-compose-{secrets.token_hex(4)}"
        self.container = str(engine.api.create_container_from_config(body, name)["Id"])
        try:
            engine.api.start(self.container)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        try:
            self.engine.api.remove_container(self.container, force=True)
        except docker.errors.NotFound:
            return

    def put(self, folder: Path) -> None:
        """Copies a folder of this machine to the same path in the container: then the labels that name the folder, and
        the bind mounts below it, are what Compose on this machine would make of them."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            archive.add(folder, arcname=str(folder.resolve()).lstrip("/"))
        self.engine.api.put_archive(self.container, "/", packed.getvalue())

    def ask(self, folder: Path, *words: str, project: str = "p", env: Mapping[str, str] | None = None,
            file: str = "compose.yaml", options: tuple[str, ...] = (), timeout: float = 120) -> Answer:
        """`docker-compose -p project -f folder/file OPTIONS WORDS` in the container."""
        variables = [f"{k}={v}" for k, v in (env or {}).items()]
        code, out, err = exec_in(self.engine, self.container, [
            "env", *variables, "docker-compose", "--ansi", "never", "--project-name", project,
            "--file", str(folder.resolve() / file), *options, *words], timeout=timeout)
        return Answer(code, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"))

    def run(self, folder: Path, *words: str, project: str = "p", env: Mapping[str, str] | None = None,
            file: str = "compose.yaml", options: tuple[str, ...] = (), timeout: float = 120) -> str:
        """As `ask`; the output, or ComposeFailed."""
        answer = self.ask(folder, *words, project=project, env=env, file=file, options=options, timeout=timeout)
        if answer.code != 0:
            raise ComposeFailed(f"docker-compose {' '.join(words)} ended with {answer.code}: "
                                f"{answer.err.strip() or answer.out.strip()}")
        return answer.out

    def by_name(self, project: str, *words: str, timeout: float = 120) -> str:
        """`docker-compose -p project WORDS` without a file, as on another machine: it goes by the labels alone."""
        code, out, err = exec_in(self.engine, self.container, [
            "docker-compose", "--ansi", "never", "--project-name", project, *words], timeout=timeout)
        if code != 0:
            raise ComposeFailed(f"docker-compose {' '.join(words)} ended with {code}: {err.decode().strip()}")
        return out.decode("utf-8", "replace")

    def json_lines(self, text: str) -> list[dict[str, Any]]:
        """What `--format json` prints: a list, or an object a line."""
        if text.lstrip().startswith("["):
            whole: list[dict[str, Any]] = json.loads(text)
            return whole
        return [json.loads(line) for line in text.splitlines() if line.strip()]
