"""A member's data folder is emptied, as if its disk had been replaced. Its content is kept in a volume of ours."""

import secrets
import shlex
from collections.abc import Sequence
from typing import Any

from operator_demo.chaos import helper
from operator_demo.chaos.anatomy import anatomy
from operator_demo.chaos.container_state import same_container
from operator_demo.chaos.data import CrashFault, is_down, is_steady
from operator_demo.chaos.primitive import Before, FaultError, Ground, Values
from operator_demo.engine import container_action, create_volume, project_volumes, remove_volume

_LIMIT = 180.0  # seconds for copying the data

# Only the content of the folder goes: some engines report the last change of a volume's root as its creation time.
# `data` has its name once the copy is complete, and until it was given back: newer data is never replaced by it.
_TAKE = """
rm -rf /kept/part && cp -a "$folder" /kept/part && mv /kept/part /kept/data && find "$folder" -mindepth 1 -delete
"""
_GIVE_BACK = """
[ -d /kept/data ] || exit 0
find "$folder" -mindepth 1 -delete && cp -a /kept/data/. "$folder" && mv /kept/data /kept/part
"""


class LostData(CrashFault):
    kind, what = "lost-data", "the member comes back without its data, as with a new disk, and cannot start"
    proof = "the engine counts restarts, and the member does not stay up"
    settle = 30.0
    in_steps = True  # the member is stopped first
    place = "its data is"

    def path(self, ground: Ground) -> str:
        return anatomy(ground.subject).data

    def before(self, ground: Ground, targets: Sequence[str], values: Values) -> Before:
        return {name: self.known(ground, name, self.path(ground)) |
                {"kept": f"{_owner(ground)}_{secrets.token_hex(4)}"} for name in targets}

    def inject(self, ground: Ground, targets: Sequence[str], values: Values, before: Before) -> None:
        for name in targets:
            was = before[name]
            container_action(ground.engine, was["id"], "stop")
            create_volume(ground.engine, _owner(ground), was["kept"])
            _move(ground, was, _TAKE)
            container_action(ground.engine, was["id"], "start")

    def revert(self, ground: Ground, targets: Sequence[str], values: Values, before: Before) -> None:
        for name in targets:
            was = before[name]
            kept = was["kept"] in project_volumes(ground.engine, _owner(ground))
            container = same_container(ground, before, name)
            repaired = container is not None and is_steady(ground, ground.inspect(name))
            if kept and not repaired and helper.volume_exists(ground, was["volume"]):
                if container is not None and container.state in ("running", "restarting"):
                    container_action(ground.engine, container.id, "stop")
                _move(ground, was, _GIVE_BACK)
            if is_down(ground, before, name):
                self.start_well(ground, before, name)
            if kept:
                remove_volume(ground.engine, was["kept"])


def _owner(ground: Ground) -> str:
    """The project of the volume with the data: ours, so that it is not one of the subject's."""
    return f"{ground.project}-operator"


def _move(ground: Ground, was: dict[str, Any], script: str) -> None:
    folder = shlex.quote(f"/volume/{was['path']}")
    status, output = helper.run_for_line(
        ground, f"folder={folder}\n{script}", volumes={was["volume"]: "/volume", was["kept"]: "/kept"},
        capabilities=("DAC_OVERRIDE", "CHOWN", "FOWNER"), timeout=_LIMIT)
    if status != 0:
        raise FaultError(f"The data in {was['path']} of the volume {was['volume']} could not be moved: {output}")
