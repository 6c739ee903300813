"""Faults that the subject's own scripts inject, prove and revert (`operator_demo.subject.Script`)."""

import shlex
from collections.abc import Mapping, Sequence
from typing import ClassVar

from operator_demo.chaos import helper
from operator_demo.chaos.anatomy import anatomy, of_another_kind
from operator_demo.chaos.container_state import KILL
from operator_demo.chaos.data import helper_mounts
from operator_demo.chaos.primitive import Before, FaultError, Ground, Parameter, Primitive, Proof, Values
from operator_demo.engine import project_volumes
from operator_demo.subject import Script, Subject

_LIMIT = 180.0  # seconds of one script


class Scripted(Primitive):
    """The texts: `unsaid`, what a subject without the script does not say; `already`, why the fault is refused if it
    is in effect; `failed` and `stays`, for a script `do` or `undo` that fails."""

    lives_in = "volume"
    every = 6.0
    settle = 15.0
    unsaid: str
    already: str
    failed: str
    stays: str

    def script(self, subject: Subject) -> Script | None:
        raise NotImplementedError

    def aims_at(self, subject: Subject) -> str:
        return anatomy(subject).kind

    def problem(self, ground: Ground, targets: Sequence[str]) -> str | None:
        script = self.script(ground.subject)
        if script is None:
            return f"{ground.subject.name} does not say {self.unsaid}"
        wrong = helper.missing(ground) or of_another_kind(ground.subject, targets) or KILL.problem(ground, targets)
        for name in targets if wrong is None else []:
            if _run(ground, name, script.check, 1, helper_mounts(ground, name))[0] == 0:
                return f"{name}: {self.already}"
        return wrong

    def before(self, ground: Ground, targets: Sequence[str], values: Values) -> Before:
        return {name: {"id": ground.member(name).id, "volumes": helper_mounts(ground, name)} for name in targets}

    def inject(self, ground: Ground, targets: Sequence[str], values: Values, before: Before) -> None:
        for name in targets:
            status, output = _run(ground, name, self._known(ground).do, values.get("size", 0), before[name]["volumes"])
            if status != 0:
                raise FaultError(f"{self.failed} ({name}): {output}")

    def prove(self, ground: Ground, targets: Sequence[str], values: Values, before: Before) -> Proof:
        results = [_run(ground, name, self._known(ground).check, values.get("size", 0), before[name]["volumes"])
                   for name in targets]
        return Proof(all(status == 0 for status, _ in results), ", ".join(output for _, output in results if output))

    def revert(self, ground: Ground, targets: Sequence[str], values: Values, before: Before) -> None:
        if not ground.containers():
            if project_volumes(ground.engine, ground.project):
                raise FaultError(f"The subject does not run. {self.stays}.", "Run it again, or remove its volumes.")
            return
        problems = []
        for name in targets:
            script = self._known(ground).undo
            status, output = _run(ground, name, script, values.get("size", 0), before[name]["volumes"])
            if status != 0:
                problems.append(f"{name}: {output}")
        if problems:
            raise FaultError(f"{self.stays} ({', '.join(problems)}).")

    def _known(self, ground: Ground) -> Script:
        script = self.script(ground.subject)
        if script is None:
            raise FaultError(f"{ground.subject.name} does not say {self.unsaid}.")
        return script


class DiskFull(Scripted):
    kind, what = "disk-full", "the space for data is used up"
    proof = "the subject says that it is short of space"
    parameters: ClassVar = {"size": Parameter("most that is written", "MiB", 1, 100_000, 512, whole=True)}
    in_steps = True  # a repair while it is still being filled would be in vain
    unsaid = "how its space is used up"
    already = "its space is used up already"
    failed = "The space could not be used up"
    stays = "Its space could not be given back"

    def script(self, subject: Subject) -> Script | None:
        return anatomy(subject).space


class EvictLeaders(Scripted):
    kind, what = "evict-leaders", "the leaders are ordered away from the member, and nobody takes the order back"
    proof = "the subject tells of the order, and the member led nothing any more"
    unsaid = "how leaders are ordered away from a member"
    already = "its leaders are ordered away already"
    failed = "The leaders could not be ordered away"
    stays = "The order to lead nothing could not be taken back"

    def script(self, subject: Subject) -> Script | None:
        return anatomy(subject).evict


def _run(ground: Ground, name: str, script: str, size: float, volumes: Mapping[str, str]) -> tuple[int, str]:
    """`volumes` are those that the member had before: its container may be gone while they still exist."""
    containers = ground.containers()
    order = [name, *(other for other in containers if other != name)]
    addresses = [str(containers[other].address) for other in order
                 if other in containers and containers[other].state == "running" and containers[other].address]
    lines = [f"ADDRESSES={shlex.quote(' '.join(addresses))}", f"MEMBER={shlex.quote(name)}", f"SIZE={size:.0f}", script]
    existing = {volume: path for volume, path in volumes.items() if helper.volume_exists(ground, volume)}
    return helper.run_for_line(ground, "\n".join(lines), network=ground.network, volumes=existing,
                               capabilities=("DAC_OVERRIDE",), timeout=_LIMIT)
