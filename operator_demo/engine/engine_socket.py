"""Where the engine's socket is on the engine's own side, for the one container that may use it."""

import json
import os
import secrets
import shlex
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from operator_demo.engine.connect import Engine, identity
from operator_demo.engine.failures import EngineUnavailable, engine_errors, explain
from operator_demo.engine.helper_container import Access, Helper, run_once
from operator_demo.errors import OperatorError

_DEFAULT = "/var/run/docker.sock"
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
    helper = Helper(image, f"operator-demo-probe-{secrets.token_hex(4)}", {})
    access = Access(socket=(path, _INSIDE), capabilities=("DAC_OVERRIDE",))
    try:
        code, output = run_once(engine, helper, f"exec perl -e {shlex.quote(_ASK)}", access, timeout=_WAIT)
    except EngineUnavailable:
        raise
    except OperatorError as e:
        return explain(e.__cause__ or e)
    if code != 0:
        return output.strip() or f"the probe ended with exit code {code}"
    head, _, answer = output.replace("\r\n", "\n").partition("\n\n")
    try:
        answered = json.loads(answer)
        is_this = identity(answered) == engine.id
    except (ValueError, AttributeError):
        return f"what answers is no engine: {head.splitlines()[0] if head else 'nothing'}"
    return None if is_this else "another engine answers there"


def places(engine: Engine) -> list[str]:
    """Where the engine's socket may be on its own side, the likeliest first.

    An engine in a virtual machine (Docker Desktop, Colima) or on another host has it elsewhere than it is reached.
    """
    return list(dict.fromkeys(_places(engine)))


def _places(engine: Engine) -> Iterator[str]:
    if engine.product == "Podman":
        api: Any = engine.api
        with engine_errors("asking Podman where its socket is"):
            answer = api.get(api.base_url + "/v4.0.0/libpod/info")
            socket = answer.json()["host"]["remoteSocket"]["path"] if answer.ok else ""
        if socket:
            yield str(socket).removeprefix("unix://")
    address = urlsplit(engine.url)
    own = address.path if address.scheme in ("unix", "ssh") else ""
    rootless = any("rootless" in str(option) for option in engine.client.info().get("SecurityOptions") or [])
    if own and rootless:
        yield own
    yield _DEFAULT
    if own:
        yield own
    for uid in (os.getuid(), 1000):
        yield f"/run/user/{uid}/docker.sock"
    yield "/run/podman/podman.sock"
    for uid in (os.getuid(), 1000):
        yield f"/run/user/{uid}/podman/podman.sock"


def find_socket(engine: Engine, image: str, chosen: str | None = None) -> str:
    """The path of the engine's socket on its own side: `chosen` if given, else the first usual place that answers.

    Raises OperatorError with what was tried.
    """
    tried = []
    for path in [chosen] if chosen else places(engine):
        problem = probe_socket(engine, image, path)
        if problem is None:
            return path
        tried.append(f"{path}: {problem}")
    raise OperatorError("the engine's socket was not found on the engine's side. Tried:\n"
                        + "\n".join(f"  - {t}" for t in tried), "Say where it is with --engine-socket.")
