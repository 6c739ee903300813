"""An independent fake of the Messages API, written by others: npm's `@copilotkit/aimock`, at one exact version.

It is installed once, into `.build/` of the work tree, with the Node.js of the environment that runs the tests. Where
that fails the tests fail and say why.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

PACKAGE, VERSION = "@copilotkit/aimock", "1.43.0"
_FOLDER = Path(__file__).parents[2] / ".build" / f"aimock-{VERSION}"
_PATH = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
_PROGRAM = _FOLDER / "node_modules" / PACKAGE / "dist" / "cli.js"


def install() -> Path:
    """The program of the fake. Raises `RuntimeError` when it cannot be had."""
    if _PROGRAM.exists():
        return _PROGRAM
    npm = shutil.which("npm", path=_PATH)
    if npm is None:
        raise RuntimeError(f"npm (Node 20.15 or newer) is needed to install {PACKAGE} {VERSION}")
    _FOLDER.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [npm, "install", "--prefix", _FOLDER, "--ignore-scripts", "--no-audit", "--no-fund", "--save-exact",
         f"{PACKAGE}@{VERSION}"], capture_output=True, text=True, timeout=180,
        check=False, env=os.environ | {"PATH": _PATH})
    if done.returncode or not _PROGRAM.exists():
        raise RuntimeError(f"{PACKAGE} {VERSION} could not be installed:\n{done.stderr[-2000:]}")
    return _PROGRAM


class IndependentFake:
    """Runs with these fixtures (see its own documentation) until `close()`."""

    def __init__(self, folder: Path, fixtures: list[dict[str, Any]]) -> None:
        program = install()
        (folder / "fixtures.json").write_text(json.dumps({"fixtures": fixtures}))
        port = _free_port()
        self.base_url = f"http://127.0.0.1:{port}"
        self._log = (folder / "aimock.log").open("w+")
        self._process = subprocess.Popen(
            [shutil.which("node", path=_PATH) or "node", program, "-p", str(port), "-f", folder / "fixtures.json",
             "--validate-on-load"],
            stdout=self._log, stderr=subprocess.STDOUT, start_new_session=True)  # `node` of the wheel has a child
        until = time.monotonic() + 20
        while not _answers(port):
            if self._process.poll() is not None or time.monotonic() > until:
                self._log.seek(0)
                raise RuntimeError(f"{PACKAGE} did not start:\n{self._log.read()}")
            time.sleep(0.05)

    def close(self) -> None:
        os.killpg(self._process.pid, signal.SIGTERM)
        self._process.wait(10)
        self._log.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
