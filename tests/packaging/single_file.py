"""What the tests of the single file share beside fixtures."""

import base64
import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD_PYTHON = ROOT / ".build/venv/bin/python"
Run = Callable[..., "subprocess.CompletedProcess[str]"]

PROGRAM = """
import sys
def main():
    if sys.argv[1:] == ["wait"]:
        print("here", flush=True)
        sys.stdin.read()
    if sys.argv[1:] == ["raise"]:
        raise ModuleNotFoundError("No module named 'sqlite3'", name="sqlite3")
    import operator_demo.late
    print(operator_demo.late.WORD, sys.path[0])
"""


def tree(folder: Path, word: str = "a", *, order: Callable[[Iterable[str]], Iterable[str]] = sorted,
         more: dict[str, bytes] | None = None) -> Path:
    """Site-packages as pip leaves them, of two small wheels: a program that says `word`, and one with a compiled
    module."""
    wheels: dict[str, dict[str, bytes]] = {
        "operator_demo-1.dist-info": {
            "operator_demo/__init__.py": b"",
            "operator_demo/_bootstrap.py": (ROOT / "operator_demo/_bootstrap.py").read_bytes(),
            "operator_demo/cli.py": PROGRAM.encode(),
            "operator_demo/late.py": f"WORD = {word!r}\n".encode(),
            "../../bin/operator-demo": b"#!/usr/bin/python3\n",
        } | (more or {}),
        "jiter-1.dist-info": {"jiter/__init__.py": b"", "jiter/jiter.cpython-313-x86_64-linux-gnu.so": b"\x7fELF"},
    }
    for wheel, files in wheels.items():
        rows = [f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b'=').decode()},"
                for name, content in files.items()]
        record = f"{wheel}/RECORD"
        files[record] = "\n".join([*rows, f"{record},,", ""]).encode()
    everything = {name.replace("../../bin/", "bin/"): content
                  for files in wheels.values() for name, content in files.items()}
    for name in order(everything):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(everything[name])
    return folder


def pack(output: Path, *trees: Path, check: bool = True, **environment: str) -> "subprocess.CompletedProcess[str]":
    """tools/pack.py under the build's own Python. It changes the trees."""
    result = subprocess.run([BUILD_PYTHON, ROOT / "tools/pack.py", output, *trees],
                            env={"SOURCE_DATE_EPOCH": "1700000000"} | environment, cwd=output.parent,
                            capture_output=True, text=True, timeout=60)
    if check:
        assert result.returncode == 0, result.stderr
    return result


def go(file: Path, *arguments: str, python: str = sys.executable, flags: tuple[str, ...] = ("-IS",),
       user: int | None = None, umask: int = -1, cwd: Path | str = "/",
       **environment: str | None) -> "subprocess.CompletedProcess[str]":
    """Start the file with nothing in its environment but PATH and what is given."""
    chosen = {"PATH": os.environ["PATH"]} | environment
    return subprocess.run([python, *flags, str(file), *arguments], user=user, umask=umask, cwd=cwd,
                          env={name: value for name, value in chosen.items() if value is not None},
                          capture_output=True, text=True, timeout=120)
