"""Images of earlier builds: each new one leaves its forerunner on the engine, and nothing else would remove it."""

import docker.errors

from operator_demo.engine.connect import Engine
from operator_demo.engine.failures import engine_errors

YOUNG = 3600.0  # seconds: somebody may be about to start what was built so lately


def prune_images(engine: Engine, current: str, *, spare: int = 1, young: float = YOUNG) -> list[str]:
    """Removes the other images in the repository of `current` (`name:tag`) and returns their names.

    Kept are those that a container uses, running or not; the `spare` newest besides `current`; and those that were
    made less than `young` seconds before the newest, by the engine's clock. An image that has another name too keeps
    that one. Raises OperatorError when the engine cannot be asked; one that it will not remove stays.
    """
    repository = current.rpartition(":")[0]
    with engine_errors(f"looking for old images of {repository}"):
        images = sorted(engine.api.images(name=repository), key=lambda image: int(image["Created"]), reverse=True)
        used = {str(container["ImageID"]) for container in engine.api.containers(all=True)}
    names = [(image, name) for image in images for name in image["RepoTags"] or []
             if name.rpartition(":")[0] == repository]
    old = [(image, name) for image, name in names if name != current][spare:]
    newest = int(images[0]["Created"]) if images else 0
    removed = []
    for image, name in old:
        if image["Id"] in used or newest - int(image["Created"]) < young:
            continue
        with engine_errors(f"removing the old image {name}"):
            try:
                engine.api.remove_image(name)
            except docker.errors.APIError:
                continue  # a container began to use it in between
        removed.append(name)
    return removed
