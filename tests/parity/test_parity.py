"""The same Compose files, applied by Compose 2.26 and by ours: `inspect` of all that comes to be must be equal."""

from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import pytest
from snapshot import differences, snapshot

from operator_demo.engine import exec_in, members

pytestmark = [pytest.mark.engine, pytest.mark.compose]

_COPIED = "secrets and configs from files are copied into the container: the engine may be on another machine"


@dataclass(frozen=True)
class Meant:
    """Differences that are meant, by the path in the snapshot; docs/compose.md says so too."""

    file: str
    path: str
    reason: str


MEANT = [
    Meant("build", "container */Config/Labels/io.operator-demo.context",
          "tells what an image was built from, so that it is not built again"),
    Meant("process", "container no-restart/Config/StopTimeout",
          "half a second is rounded up to one, not down to no grace at all"),
    Meant("process", "container strings/Config/Env/DECIMAL", "a number is the text that the file has: 1.50, not 1.5"),
    Meant("process", "container strings/Config/Env/OCTAL", "a number is the text that the file has: 022, not 18"),
    Meant("storage", "volume */Labels/io.operator-demo.mark", "tells a volume from one that was made anew"),
    Meant("storage", "container given/Mounts/|run|secrets|renamed/*", _COPIED),
    Meant("storage", "container given/HostConfig/Mounts/|run|secrets|renamed/*", _COPIED),
    Meant("storage", "container given/Mounts/|etc|app|app.conf/*", _COPIED),
    Meant("storage", "container given/HostConfig/Mounts/|etc|app|app.conf/*", _COPIED),
]


@pytest.mark.parametrize("file", [
    "process", *(pytest.param(f, marks=pytest.mark.wide) for f in (
        "storage", "networks", "namespaces", "resources", "limits", "build"))])
def test_the_same_file_makes_the_same(ground: Callable[[str], Any], file: str) -> None:
    place = ground(file)
    place.theirs("up", "-d")
    theirs = snapshot(place.engine, place.project)
    place.theirs("down", "-v", "-t", "0")
    place.our_up()
    found = differences(snapshot(place.engine, place.project), theirs)
    meant = [m for m in MEANT if m.file == file]
    assert {path: both for path, both in found.items() if not any(fnmatchcase(path, m.path) for m in meant)} == {}
    assert [m for m in meant if not any(fnmatchcase(path, m.path) for path in found)] == []  # none is outlived


_TELL = """\
for file in /inline /etc/app/* /run/secrets/*; do stat -c '%n %a %u:%g' $file; cat $file; echo; done
"""


@pytest.mark.wide
def test_configs_and_secrets_are_the_same_files(ground: Callable[[str], Any]) -> None:
    place = ground("storage")

    def told() -> str:
        given = next(c for c in members(place.engine, place.project) if c.service == "given")
        code, out, _ = exec_in(place.engine, given.id, ["sh", "-c", _TELL])
        assert code == 0
        return out.decode()

    place.theirs("up", "-d")
    theirs = told()
    place.theirs("down", "-v", "-t", "0")
    place.our_up()
    # Ours: readable for root alone, unless the file says otherwise. From a file, theirs has the mode of the host's.
    assert "/run/secrets/password 444" in theirs and "/run/secrets/renamed 644" in theirs
    assert "/etc/app/app.conf 644" in theirs
    for theirs_is, ours_is in (("password 444", "password 600"), ("renamed 644", "renamed 600"),
                               ("app.conf 644", "app.conf 444")):
        theirs = theirs.replace(theirs_is, ours_is)
    assert told() == theirs
