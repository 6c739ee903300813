"""Write the three lock files from pyproject.toml: `./build.sh lock`.

Each line is one exact version with the SHA-256 of every wheel that may be used, and no other:

requirements.lock        what travels inside the single file: pure wheels, and compiled ones for the agent's container
requirements-build.lock  what builds it: pure wheels alone, so any Python from 3.11 on any machine
requirements-dev.lock    what tests it: Linux, x86-64 and arm64, Python 3.11 to 3.14

pip's own resolver chooses (`pip install --dry-run --report`). It judges markers by the Python it runs under, so lock
with the oldest supported one.
"""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
AGENT_PYTHON = "3.13"  # Debian trixie's, in the agent image
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
MACHINES = ("x86_64", "aarch64")
BUILD_TOOLS = ("shiv", "setuptools", "docker")
# Compiled and pure wheels of one version exist: the pure one runs everywhere.
PURE = ("charset-normalizer",)

Locked = dict[str, tuple[str, set[str]]]  # name → version, hashes


def resolve(requirements: list[str], python: str, platforms: list[str]) -> Locked:
    command = [sys.executable, "-m", "pip", "install", "-qqq", "--dry-run", "--ignore-installed", "--report", "-"]
    command += ["--target", "unused", "--only-binary", ":all:", "--python-version", python]
    command += [word for platform in platforms for word in ("--platform", platform)]
    report = json.loads(subprocess.run([*command, *requirements], check=True, stdout=subprocess.PIPE).stdout)
    chosen: Locked = {}
    for item in report["install"]:
        name = re.sub(r"[-_.]+", "-", item["metadata"]["name"]).lower()
        chosen[name] = (item["metadata"]["version"], {item["download_info"]["archive_info"]["hashes"]["sha256"]})
    for name in set(PURE) & set(chosen):
        if platforms != ["any"]:
            version = chosen[name][0]
            chosen[name] = resolve([f"{name}=={version}"], python, ["any"])[name]
    return chosen


def manylinux(machine: str) -> list[str]:
    return [f"manylinux2014_{machine}", f"manylinux_2_17_{machine}", f"manylinux_2_28_{machine}"]


def merge(parts: list[Locked]) -> Locked:
    whole: Locked = {}
    for part in parts:
        for name, (version, hashes) in part.items():
            known, seen = whole.setdefault(name, (version, set()))
            if known != version:
                sys.exit(f"{name}: {known} on one platform and {version} on another; pin it in pyproject.toml")
            seen.update(hashes)
    return whole


def write(name: str, purpose: str, locked: Locked) -> None:
    lines = [f"# {purpose}", "# Written by `./build.sh lock`; do not edit."]
    for package, (version, hashes) in sorted(locked.items()):
        lines.append(" \\\n    ".join([f"{package}=={version}", *(f"--hash=sha256:{h}" for h in sorted(hashes))]))
    (ROOT / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{name}: {len(locked)} packages")


def main() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    runtime, dev = project["dependencies"], project["optional-dependencies"]["dev"]
    write(
        "requirements.lock",
        "What the single file carries: pure wheels, and compiled ones for the agent's container.",
        merge([resolve(runtime, AGENT_PYTHON, manylinux(machine)) for machine in MACHINES]),
    )
    write(
        "requirements-build.lock",
        "What builds the single file: pure wheels alone.",
        resolve(list(BUILD_TOOLS), PYTHONS[0], ["any"]),
    )
    write(
        "requirements-dev.lock",
        "What tests it: Linux, x86-64 and arm64, Python 3.11 to 3.14.",
        merge([resolve(runtime + dev, python, manylinux(m)) for python in PYTHONS for m in MACHINES]),
    )


main()
