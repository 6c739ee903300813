"""One-shot helper containers: they change a member from outside and do not show on the engine what they do.

Their names, labels and command lines are the same whatever they do; the script is copied into the container. While one
runs, `inspect` shows whose network or processes it shares, and its capabilities.
"""

import secrets
import shlex
from collections.abc import Sequence
from typing import Any

from operator_demo.chaos.primitive import FaultError, Ground
from operator_demo.engine import (
    Access,
    Engine,
    Helper,
    one_off,
    own_image,
    project_volumes,
    read_volume,
    remove_oneoffs,
    run_once,
)
from operator_demo.errors import OperatorError
from operator_demo.settings import HELPER_SERVICE

_probed: dict[tuple[str, str], tuple[int, str]] = {}


def run(ground: Ground, script: str, *, content: bytes | None = None, timeout: float = 60.0,
        **access: Any) -> tuple[int, str]:
    """See `engine.run_once`; `access` are fields of `Access`."""
    return run_once(ground.engine, _helper(ground), script, Access(**access), content=content, timeout=timeout)


def run_for_line(ground: Ground, script: str, **options: Any) -> tuple[int, str]:
    """As `run`, with the output as one line for people; of a long one the end."""
    status, output = run(ground, script, **options)
    return status, " ".join(output.split())[-300:]


def read(ground: Ground, volume: str, path: str) -> list[bytes]:
    """See `engine.read_volume`."""
    return read_volume(ground.engine, _helper(ground), volume, path)


def write(ground: Ground, volume: str, path: str, content: bytes) -> None:
    """Replaces the content of an existing file. Its owner stays, and so does the time of its folder, which some engines
    report as the volume's creation time."""
    status, output = run(ground, f"cat /content >{shlex.quote(f'/volume/{path}')}", volumes={volume: "/volume"},
                       capabilities=("DAC_OVERRIDE",), content=content)
    if status != 0:
        raise FaultError(f"{path} of the volume {volume} could not be written: {output.strip()}")


def volume_exists(ground: Ground, volume: str) -> bool:
    """Asked before a volume is mounted, because the engine would create a missing one."""
    return volume in project_volumes(ground.engine, ground.project)


def missing(ground: Ground) -> str | None:
    """Why no helper can be started."""
    return None if ground.image else "the image of the helpers is not there; `operator-demo prepare` builds it"


def probe(ground: Ground, script: str, capabilities: Sequence[str] = (), unconfined: bool = False) -> tuple[int, str]:
    """Tries what a fault needs, in a container without a network; once per engine."""
    key = (ground.engine.id, script)
    if key not in _probed:
        _probed[key] = run_for_line(ground, script, capabilities=capabilities, unconfined=unconfined)
    return _probed[key]


def sweep(ground: Ground) -> None:
    """Removes the helpers that a killed host left running."""
    remove_oneoffs(ground.engine, f"{ground.project}-operator", HELPER_SERVICE)


def usable_image(engine: Engine, *wanted: str) -> str:
    """The first of these images of ours that was built here and is on the engine, else ""."""
    return next((image for image in wanted if image and own_image(engine, image)), "")


def _helper(ground: Ground) -> Helper:
    if not ground.image:
        raise FaultError("The image of the helpers is not on the engine.", "`operator-demo prepare` builds it.")
    project = f"{ground.project}-operator"
    name = f"{project}-{HELPER_SERVICE}-{secrets.token_hex(4)}"
    return Helper(ground.image, name, one_off(project, HELPER_SERVICE), announce=lambda id_: _announce(ground, id_))


def _announce(ground: Ground, container: str) -> None:
    """What this container does is the host's. A monitor that does not hear it records an effect of nobody's."""
    try:
        if ground.ask is not None:
            ground.ask("announce", ids=[container])
    except OperatorError:
        pass  # it must not keep a fault from being taken back
