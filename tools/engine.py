"""What build.sh asks a Docker engine, without a docker command.

engine.py ping              one line about the engine; exit status 1 and the reason where none answers
engine.py base              exit status 0 where the base image is there, else 1
engine.py pull-base         make the base image from Debian's own; exit status 1 where that cannot be pulled
engine.py import-base       make it from the root file system that comes as a tar archive on standard input
"""

import io
import os
import sys

import docker
from docker.context import ContextAPI
from docker.errors import DockerException, ImageNotFound
from requests.exceptions import RequestException

DEBIAN, RELEASE = "debian:trixie-slim", "trixie"
BASE, TAG = "operator-demo/base", "trixie"
ORIGIN = "io.operator-demo.base.origin"


def connect(timeout: int) -> docker.DockerClient:
    """DOCKER_HOST, else the current Docker context, else the default socket."""
    context = ContextAPI.get_current_context()
    if not os.environ.get("DOCKER_HOST") and context and context.name != "default":
        return docker.DockerClient(base_url=context.Host, tls=context.TLSConfig, timeout=timeout)
    return docker.from_env(timeout=timeout)


def ping() -> None:
    version = connect(5).version()
    print(f"Docker engine {version['Version']} (API {version['ApiVersion']}, {version['Arch']})")


def base() -> None:
    connect(20).images.get(f"{BASE}:{TAG}")


def pull_base() -> None:
    client = connect(20)  # seconds without a byte: offline, the fallback must not wait long
    for line in client.api.pull(*DEBIAN.split(":"), stream=True, decode=True):
        if "error" in line:
            raise DockerException(line["error"])
    pulled = client.images.get(DEBIAN)
    origin = next(iter(pulled.attrs["RepoDigests"]), pulled.id)
    dockerfile = f'FROM {DEBIAN}\nLABEL {ORIGIN}="{origin}"\n'
    client.images.build(fileobj=io.BytesIO(dockerfile.encode()), tag=f"{BASE}:{TAG}")


def import_base() -> None:
    answer = connect(300).api.import_image_from_stream(
        sys.stdin.buffer,
        repository=f"{BASE}:{TAG}",  # as the docker command has it; Podman does not look at a tag beside it
        changes=[f'LABEL {ORIGIN}="debootstrap --variant=minbase {RELEASE}"', 'CMD ["bash"]'],
    )
    if "errorDetail" in str(answer):
        raise DockerException(answer)


COMMANDS = {"ping": ping, "base": base, "pull-base": pull_base, "import-base": import_base}

try:
    COMMANDS[sys.argv[1]]()
except ImageNotFound:
    sys.exit(1)
except (DockerException, RequestException, OSError) as error:
    reason = getattr(error, "explanation", None) or error
    print(str(reason).splitlines()[0][:200], file=sys.stderr)
    sys.exit(1)
