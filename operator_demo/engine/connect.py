"""Finding the engine: --host, DOCKER_HOST, the current Docker context, the default socket, in this order.

As with the docker command the first that is set is used and no other: quietly falling back to another engine
would start, and break, containers on a machine that nobody meant.
"""

import errno
import hashlib
import json
import os
import re
import ssl
import statistics
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import docker
import docker.constants
import docker.errors
import docker.tls
import docker.utils
import requests.exceptions

from .failures import EngineUnavailable, engine_errors

DEFAULT_SOCKET = "unix:///var/run/docker.sock"
_SCHEMES = ("unix://", "tcp://", "http://", "https://")
_FIRST_ANSWER = 10  # seconds that an engine may take for its first answer
_ANSWER = 60  # seconds for any later one
_CONNECTIONS = 64  # kept open at once; every log follower holds one


@dataclass(frozen=True)
class Endpoint:
    """One place where an engine may answer; `source` says who named it."""

    source: str
    url: str
    tls: docker.tls.TLSConfig | None = None


@dataclass
class Engine:
    """An engine that answered. Threads may share it; whoever made it closes it."""

    client: docker.DockerClient
    id: str
    version: str
    api_version: str
    arch: str  # as Docker spells it: amd64, arm64
    address: str  # for people: the URL and where it was found
    _offset: float | None = field(default=None, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def api(self) -> Any:
        """docker-py's low-level client (its type stubs lack half of it)."""
        return self.client.api

    def clock_offset(self) -> float:
        """Seconds that the engine's clock is ahead of this machine's (median of five looks)."""
        looks = []
        for _ in range(5):
            with engine_errors("reading the engine's clock"):
                before = time.time()
                said = str(self.client.info()["SystemTime"])
                after = time.time()
            looks.append(parse_time(said) - (before + after) / 2)
        offset = statistics.median(looks)
        with self._lock:
            self._offset = offset
        return offset

    def now(self) -> float:
        """Seconds since the epoch on the engine's clock (its offset is measured once)."""
        with self._lock:
            offset = self._offset
        return time.time() + (self.clock_offset() if offset is None else offset)

    def close(self) -> None:
        self.client.close()


def parse_time(text: str) -> float:
    """Seconds since the epoch of one of the engine's times (RFC 3339, up to nanoseconds)."""
    whole = re.sub(r"(\.\d{6})\d+", r"\1", text)
    return datetime.fromisoformat(whole).timestamp()


def connect(host: str | None = None) -> Engine:
    """Reaches the engine that the user means. Raises `EngineUnavailable` with everything that was looked at."""
    looked_at: list[str] = []
    endpoint = _choose(host, looked_at)
    try:
        return _open(endpoint)
    except (docker.errors.DockerException, requests.exceptions.RequestException, OSError, ValueError, LookupError) as e:
        reason, hint = _reason(e, endpoint)
        looked_at.append(f"{endpoint.source} ({endpoint.url}): {reason}")
        raise EngineUnavailable("No Docker engine answers. Tried:\n" + "\n".join(f"  - {t}" for t in looked_at),
                                hint) from e


def _choose(host: str | None, looked_at: list[str]) -> Endpoint:
    """The first endpoint that is set; those that are not are noted in `looked_at`."""
    if host:
        return Endpoint("--host", host)
    looked_at.append("--host: not given")
    if os.environ.get("DOCKER_HOST"):
        try:
            tls = docker.utils.kwargs_from_env().get("tls")
        except docker.errors.DockerException as e:
            raise EngineUnavailable("the TLS files for DOCKER_HOST cannot be used: " + " ".join(str(e).split()),
                                    "Check DOCKER_CERT_PATH and DOCKER_TLS_VERIFY.") from e
        return Endpoint("DOCKER_HOST", os.environ["DOCKER_HOST"], tls or None)
    looked_at.append("DOCKER_HOST: not set")
    context = _current_context(looked_at)
    if context is not None:
        return context
    return Endpoint("default socket", DEFAULT_SOCKET)


def _config_folder() -> Path:
    return Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")


def _current_context(looked_at: list[str]) -> Endpoint | None:
    """The context chosen by DOCKER_CONTEXT or `docker context use`; None for the default one."""
    folder = _config_folder()
    name, source = os.environ.get("DOCKER_CONTEXT", ""), "DOCKER_CONTEXT"
    if not name:
        config, source = folder / "config.json", "Docker context"
        try:
            name = _read_object(config).get("currentContext", "")
        except FileNotFoundError:
            pass
        except (OSError, ValueError) as e:
            raise EngineUnavailable(f"cannot read {config}: {e}", "Repair the file, or give --host.") from e
    if not isinstance(name, str) or name in ("", "default"):
        looked_at.append("Docker context: none chosen")
        return None
    key = hashlib.sha256(name.encode()).hexdigest()
    meta = folder / "contexts" / "meta" / key / "meta.json"
    try:
        endpoint = _read_object(meta)["Endpoints"]["docker"]
        url, skip_verify = str(endpoint["Host"]), bool(endpoint.get("SkipTLSVerify", False))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as e:
        raise EngineUnavailable(f"the Docker context {name!r} ({source}) cannot be read from {meta}: {e!r}",
                                "Choose another with `docker context use`, or give --host.") from e
    return Endpoint(f"{source} {name!r}", url,
                    _context_tls(folder / "contexts" / "tls" / key / "docker", url, skip_verify))


def _context_tls(folder: Path, url: str, skip_verify: bool) -> docker.tls.TLSConfig | None:
    ca, cert, key = (folder / name for name in ("ca.pem", "cert.pem", "key.pem"))
    has_ca, has_pair = ca.is_file(), cert.is_file() and key.is_file()
    if url.startswith(("unix://", "npipe://", "ssh://")) or not (has_ca or has_pair):
        return None
    return docker.tls.TLSConfig(client_cert=(str(cert), str(key)) if has_pair else None,
                                ca_cert=str(ca) if has_ca else None, verify=not skip_verify)


def _read_object(path: Path) -> dict[str, Any]:
    found = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(found, dict):
        raise ValueError("not a JSON object")
    return found


def _open(endpoint: Endpoint) -> Engine:
    if "://" in endpoint.url and not endpoint.url.startswith(_SCHEMES):
        raise ValueError(f"an address of this kind is not supported (known: {', '.join(_SCHEMES)})")
    kwargs: dict[str, Any] = {"tls": endpoint.tls} if endpoint.tls else {}
    # The version is negotiated below and not by `auto`, which asks before trust_env can be set.
    client = docker.DockerClient(base_url=endpoint.url, version=docker.constants.MINIMUM_DOCKER_API_VERSION,
                                 timeout=_FIRST_ANSWER, max_pool_size=_CONNECTIONS, **kwargs)
    try:
        if endpoint.tls:
            client.api.trust_env = False  # else REQUESTS_CA_BUNDLE would replace the authority of the endpoint
        version = client.version(api_version=False)
        api: Any = client.api
        api._version = str(version["ApiVersion"])
        info = client.info()
    except BaseException:
        client.close()
        raise
    client.api.timeout = _ANSWER
    return Engine(client, str(info.get("ID") or info.get("Name") or endpoint.url), str(version.get("Version", "?")),
                  str(client.api.api_version), str(version.get("Arch", "?")), f"{endpoint.url} ({endpoint.source})")


def _reason(error: BaseException, endpoint: Endpoint) -> tuple[str, str]:
    """What went wrong in a few words, and what to do about it."""
    cause = _root_cause(error)
    # An SSL error is an OSError too, with numbers of its own.
    number = cause.errno if isinstance(cause, OSError) and not isinstance(cause, ssl.SSLError) else None
    if endpoint.url.startswith("ssh://"):
        return ("engines over ssh are not supported",
                "Forward its socket (ssh -L /tmp/docker.sock:/var/run/docker.sock HOST) and give "
                "--host unix:///tmp/docker.sock.")
    if number == errno.ENOENT:
        return ("there is no such socket", "Start Docker (Docker Desktop, Colima, OrbStack, or `systemctl start "
                "docker`), or say where it is with --host.")
    if number in (errno.EACCES, errno.EPERM):
        return ("permission denied", "Add yourself to the docker group and log in again, or run as root.")
    if number == errno.ECONNREFUSED:
        return "connection refused", "Something was there before; start Docker again, or give another --host."
    return (str(cause) or type(cause).__name__), "Check that the address is right and the engine runs."


def _root_cause(error: BaseException) -> BaseException:
    """The innermost exception; requests and urllib3 carry theirs in `args`, `reason` and `__context__`."""
    seen: list[BaseException] = []
    todo: list[BaseException] = [error]
    while todo:
        current = todo.pop(0)
        if any(current is s for s in seen):
            continue
        seen.append(current)
        todo += [c for c in (getattr(current, "reason", None), *current.args, current.__cause__, current.__context__)
                 if isinstance(c, BaseException)]
    numbered = [s for s in seen if isinstance(s, OSError) and isinstance(s.errno, int)]
    return numbered[0] if numbered else seen[-1]
