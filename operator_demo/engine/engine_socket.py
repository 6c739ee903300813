"""Where the engine's socket is on the engine's own side, for the one container that may use it."""

import json

import docker.errors

from operator_demo.errors import OperatorError

from .connect import Engine
from .failures import engine_errors, explain

_PLACES = ("/var/run/docker.sock", "/run/user/1000/docker.sock", "/run/podman/podman.sock")
_INSIDE = "/engine.sock"
_WAIT = 20  # seconds for the one-shot container

# Perl is in every image on a Debian base; curl is not.
_ASK = f"""
use IO::Socket::UNIX;
my $s = IO::Socket::UNIX->new(Type => SOCK_STREAM(), Peer => "{_INSIDE}") or die "cannot connect: $!\\n";
print $s "GET /info HTTP/1.0\\r\\nHost: engine\\r\\n\\r\\n";
while (<$s>) {{ print }}
"""


def probe_socket(engine: Engine, image: str, path: str) -> str | None:
    """Asks, from a one-shot container of `image` (a Debian of ours), who answers at `path` on the engine's side.

    None when it is this very engine, else why not.
    """
    api = engine.api
    body = {"Image": image, "Entrypoint": ["perl", "-e", _ASK], "Cmd": [], "User": "0",
            "HostConfig": {"NetworkMode": "none", "Mounts": [{"Type": "bind", "Source": path, "Target": _INSIDE}]}}
    made = None
    try:
        with engine_errors(f"probing the engine's socket at {path}"):
            try:
                made = api.create_container_from_config(body)["Id"]
                api.start(made)
            except docker.errors.APIError as e:
                return explain(e)
            code = api.wait(made, timeout=_WAIT)["StatusCode"]
            said = api.logs(made, stdout=True, stderr=True).decode("utf-8", "replace")
    finally:
        if made is not None:
            with engine_errors("removing the probe"):
                api.remove_container(made, force=True)
    if code != 0:
        return said.strip() or f"the probe ended with exit code {code}"
    head, _, answer = said.replace("\r\n", "\n").partition("\n\n")
    try:
        answered = json.loads(answer)
        is_this = (answered.get("ID") or answered.get("Name")) == engine.id
    except (ValueError, AttributeError):
        return f"what answers is no engine: {head.splitlines()[0] if head else 'nothing'}"
    return None if is_this else "another engine answers there"


def find_socket(engine: Engine, image: str, chosen: str | None = None) -> str:
    """The path of the engine's socket on its own side: `chosen` if given, else the first usual place that answers.

    Raises OperatorError with what was tried.
    """
    tried = []
    for path in [chosen] if chosen else _PLACES:
        problem = probe_socket(engine, image, path)
        if problem is None:
            return path
        tried.append(f"{path}: {problem}")
    raise OperatorError("the engine's socket was not found on the engine's side. Tried:\n"
                        + "\n".join(f"  - {t}" for t in tried), "Say where it is with --engine-socket.")
