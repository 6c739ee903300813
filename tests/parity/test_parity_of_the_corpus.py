"""The Compose files of the corpus, created by Compose 2.26 and by ours and compared as `inspect` tells them.

None of their images is here, so each service gets the base image, and nothing is started.
"""

import re
import secrets
import shutil
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import docker.api
import pytest
import yaml
from project_names import new_name
from real_compose import BASE, RealCompose
from snapshot import differences, snapshot

from operator_demo.compose import down, load_project, up
from operator_demo.compose.waiting import Awaited
from operator_demo.engine import Engine

pytestmark = [pytest.mark.engine, pytest.mark.wide]

CORPUS = Path(__file__).parents[1] / "compose" / "corpus"


NOT_HERE = ("nfs-volume",)  # even a container that is not started mounts it, from a server that is not there
_CONSISTENCY = re.compile(",(cached|delegated|consistent)")


def _accepted() -> list[str]:
    return [f.stem for f in sorted(CORPUS.glob("*.expected"))
            if "refused" not in yaml.safe_load(f.read_text()) and f.stem not in NOT_HERE]


def _meant(found: Mapping[str, tuple[Any, Any]], copied: set[str]) -> set[str]:
    """Compose knows an external network by its id, ours by its name. Configs and secrets from files (`copied`) are
    mounted by Compose. It drops `:cached` and its like in the short form, ours hands them on (no effect on Linux)."""
    mounted = {path.removesuffix("Source") for path, (_, theirs) in found.items()
               if path.endswith("/Source") and theirs in copied}
    return {path for path, (ours, theirs) in found.items()
            if (path.endswith("/HostConfig/NetworkMode") and theirs == "<hash>")
            or (ours is None and any(path.startswith(place) for place in mounted))
            or (path.endswith(("/Binds", "/Mode")) and _CONSISTENCY.sub("", str(ours)) == str(theirs))}


@pytest.fixture
def nothing_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docker.api.APIClient, "start", lambda *_, **__: None)
    monkeypatch.setattr(Awaited, "holds", lambda _: True)


@pytest.fixture
def remove(engine: Engine) -> Iterator[ExitStack]:
    with ExitStack() as after:
        yield after


@pytest.mark.parametrize("name", _accepted())
def test_it_is_created_the_same(engine: Engine, compose: RealCompose, remove: ExitStack, nothing_starts: None,
                                tmp_path: Path, name: str) -> None:
    folder, project = tmp_path / "corpus", new_name()
    shutil.copytree(CORPUS, folder)
    expected = yaml.safe_load((CORPUS / f"{name}.expected").read_text())
    written = yaml.safe_load((CORPUS / f"{name}.yaml").read_text())
    for service in written["services"].values():
        service["image"] = BASE
        for key in ("build", "pull_policy"):
            service.pop(key, None)
    for kind, create, drop in (("networks", engine.api.create_network, engine.api.remove_network),
                               ("volumes", engine.api.create_volume, engine.api.remove_volume)):
        for entry in (written.get(kind) or {}).values():
            if entry and entry.get("external"):
                entry["name"] = f"{project}-{secrets.token_hex(4)}"
                create(entry["name"])
                remove.callback(drop, entry["name"])
    env, profiles = dict(expected.get("env", {})), expected.get("profiles", [])
    copied = set()
    for entry in [*(written.get("configs") or {}).values(), *(written.get("secrets") or {}).values()]:
        if "file" in entry:
            (folder / entry["file"]).parent.mkdir(parents=True, exist_ok=True)
            (folder / entry["file"]).write_text("content")
            copied.add(str((folder / entry["file"]).resolve()))
        if "environment" in entry:
            env.setdefault(entry["environment"], "content")
    (folder / "compose.yaml").write_text(yaml.safe_dump(written, sort_keys=False))
    compose.put(folder)

    remove.callback(down, engine, project, volumes=True)
    options = tuple(word for profile in profiles for word in ("--profile", profile))
    compose.run(folder, "create", project=project, env=env, options=options)
    theirs = snapshot(engine, project)
    compose.run(folder, "down", "-v", project=project, env=env, options=options)
    up(engine, load_project(folder, "compose.yaml", project=project, env=env, profiles=profiles),
       stop=threading.Event())
    found = differences(snapshot(engine, project), theirs)
    assert {path: found[path] for path in found.keys() - _meant(found, copied)} == {}
