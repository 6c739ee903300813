"""What build.sh asks a Docker engine, which is the one that the program finds.

engine.py ping              one line about the engine; exit status 1 and the reason where none answers, 3 where one was
                            chosen (OPERATOR_HOST, DOCKER_HOST, a Docker context) and does not answer
engine.py base              exit status 0 where the base image is there, else 1
engine.py pull-base         make the base image from Debian's own; exit status 1 where that cannot be pulled
engine.py import-base       make it from the root file system that comes as a tar archive on standard input
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from docker.errors import DockerException
from requests.exceptions import RequestException

from operator_demo.engine import BASE, Engine, connect, ensure_base, image_id, record_own_image
from operator_demo.engine.endpoints import named
from operator_demo.errors import OperatorError

HOST = os.environ.get("OPERATOR_HOST")
IMPORT_TIMEOUT = 300  # seconds


def ping(engine: Engine) -> None:
    print(f"{engine.product} engine {engine.version} (API {engine.api_version}, {engine.arch})")


def base(engine: Engine) -> None:
    if image_id(engine, BASE) is None:
        sys.exit(1)


def pull_base(engine: Engine) -> None:
    ensure_base(engine)


def import_base(engine: Engine) -> None:
    engine.api.timeout = IMPORT_TIMEOUT
    answer = engine.api.import_image_from_stream(
        sys.stdin.buffer,
        repository=BASE,  # with the tag, as the docker command has it; Podman does not look at a tag beside it
        changes=['CMD ["bash"]'],
    )
    if "errorDetail" in str(answer):
        raise OperatorError(str(answer))
    imported = image_id(engine, BASE)
    if imported is not None:
        record_own_image(engine, BASE, imported)


def was_chosen() -> bool:
    try:
        return named(HOST, []) is not None
    except OperatorError:
        return True


COMMANDS = {"ping": ping, "base": base, "pull-base": pull_base, "import-base": import_base}

try:
    connected = connect(HOST)
except OperatorError as error:
    print(error, file=sys.stderr)
    sys.exit(3 if was_chosen() else 1)
try:
    COMMANDS[sys.argv[1]](connected)
except (OperatorError, DockerException, RequestException, OSError) as error:
    print(" ".join(str(error).split())[:200], file=sys.stderr)
    sys.exit(1)
finally:
    connected.close()
