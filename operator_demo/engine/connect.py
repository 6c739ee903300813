"""Reaching the engine: of the places where it may be, the first that was chosen, and what was wrong with it."""

import errno
import logging
import re
import ssl
import statistics
import threading
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import docker
import docker.constants
import docker.errors
import requests.exceptions
import urllib3.exceptions

from operator_demo.engine.contexts import config_file
from operator_demo.engine.endpoints import DEFAULT_SOCKET, Endpoint, named, well_known
from operator_demo.engine.failures import EngineUnavailable, engine_errors, explain
from operator_demo.engine.ssh import SshAdapter, SshDialer, SshError
from operator_demo.errors import OperatorError

_log = logging.getLogger(__name__)
_NEWEST_API = "1.45"  # the newest that was tried; an engine that speaks a newer one is spoken to in this
_FIRST_ANSWER = 10  # seconds that an engine may take for its first answer
_FIRST_ANSWER_SSH = 45  # the same with the login before it
_ANSWER = 60  # seconds for any later one
_CONNECTIONS = 64  # kept open at once; every log follower holds one
_UNUSABLE = (docker.errors.DockerException, requests.exceptions.RequestException, OSError, ValueError, LookupError,
             TypeError, AttributeError)  # the last three where what answers is no engine


@dataclass
class Engine:
    """An engine that answered. Threads may share it; whoever made it closes it."""

    client: docker.DockerClient
    id: str
    version: str
    api_version: str
    arch: str  # as Docker spells it: amd64, arm64
    address: str  # for people: the URL and where it was found
    product: str = "Docker"  # or "Podman"
    url: str = ""
    looked_at: tuple[str, ...] = ()  # the places before this one, and why it was none of them
    _dialer: SshDialer | None = field(default=None, repr=False)
    _offset: float | None = field(default=None, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def api(self) -> Any:
        """docker-py's low-level client (its type stubs lack half of it)."""
        return self.client.api

    def clock_offset(self) -> float:
        """Seconds that the engine's clock is ahead of this machine's (median of five looks). Raises `OperatorError`
        where the engine does not tell its time."""
        looks = []
        for _ in range(5):
            with engine_errors("reading the engine's clock"):
                before = time.time()
                info = self.client.info()
                after = time.time()
            looks.append(_time_in(info) - (before + after) / 2)
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
        if self._dialer:
            self._dialer.close()


def _time_in(info: Mapping[str, Any]) -> float:
    try:
        return parse_time(info["SystemTime"])
    except (KeyError, TypeError, ValueError) as e:
        raise OperatorError(f"The engine does not tell its time (SystemTime in its /info: {info.get('SystemTime')!r}).",
                            "Update it; Docker 20.10 or newer is supported.") from e


def parse_time(text: str) -> float:
    """Seconds since the epoch of one of the engine's times (RFC 3339, up to nanoseconds)."""
    whole = re.sub(r"(\.\d{6})\d+", r"\1", text)
    return datetime.fromisoformat(whole).timestamp()


def connect(host: str | None = None) -> Engine:
    """Reaches the engine that the user means. Raises `EngineUnavailable` with everything that was looked at."""
    looked_at: list[str] = []
    hints: list[str] = []
    chosen = named(host, looked_at)
    for endpoint in [chosen] if chosen else [Endpoint("default socket", DEFAULT_SOCKET), *well_known()]:
        try:
            return _open(endpoint, tuple(looked_at))
        except _UNUSABLE as e:
            failure = _explain(e, endpoint)
            looked_at.append(f"{endpoint.source} ({endpoint.url}): {failure.reason}")
            hints.append(failure.hint)
            if not failure.absent and endpoint.url == DEFAULT_SOCKET:
                break  # it is there and refuses: that is what has to be mended
    raise EngineUnavailable("No Docker engine answers. Tried:\n" + "\n".join(f"  - {t}" for t in looked_at), hints[0])


def identity(info: Mapping[str, Any]) -> str:
    """What tells this engine from others, of its `/info`. Podman makes up a new ID for each answer."""
    if "BuildahVersion" in info:
        return f"{info.get('Name')}:{info.get('DockerRootDir')}"
    return str(info.get("ID") or info.get("Name") or "")


def _open(endpoint: Endpoint, looked_at: tuple[str, ...]) -> Engine:
    dialer = SshDialer(endpoint.url) if endpoint.url.startswith("ssh://") else None
    client: docker.DockerClient | None = None
    try:
        client = _client(endpoint, dialer)
        version = client.version(api_version=False)
        api: Any = client.api
        api._version = _api_version(version)
        info = client.info()
        address = f"{endpoint.url} ({endpoint.source})"
        product = "Podman" if _is_podman(version) else "Docker"
        engine = Engine(client, identity(info) or endpoint.url, str(version.get("Version", "?")), str(api.api_version),
                        str(version.get("Arch", "?")), address, product, endpoint.url, looked_at, dialer)
        api.timeout = _ANSWER
    except BaseException as e:
        if client:
            client.close()
        if dialer:
            said = dialer.said()
            dialer.close()
            if said and isinstance(e, requests.exceptions.RequestException):
                raise SshError(said) from e
        raise
    return engine


def _is_podman(version: Mapping[str, Any]) -> bool:
    return any("Podman" in str(part.get("Name")) for part in version.get("Components") or [])


def _client(endpoint: Endpoint, dialer: SshDialer | None) -> docker.DockerClient:
    kwargs: dict[str, Any] = {"tls": endpoint.tls} if endpoint.tls else {}
    # The version is negotiated afterwards and not by `auto`, which asks before trust_env can be set.
    try:
        client = docker.DockerClient(base_url="unix:///ssh" if dialer else endpoint.url,
                                     version=docker.constants.MINIMUM_DOCKER_API_VERSION,
                                     timeout=_FIRST_ANSWER_SSH if dialer else _FIRST_ANSWER,
                                     max_pool_size=_CONNECTIONS, **kwargs)
    except (docker.errors.InvalidConfigFile, TypeError, AttributeError) as e:  # it reads the file without checking it
        raise EngineUnavailable(f"{config_file()} cannot be used: {e}", "Repair the file.") from e
    api: Any = client.api
    if _log.isEnabledFor(logging.DEBUG):
        api.send = _logged(api.send)
    if dialer:
        api.mount("http+docker://", SshAdapter(dialer, _FIRST_ANSWER_SSH, _CONNECTIONS))
    if endpoint.tls:
        api.trust_env = False  # else REQUESTS_CA_BUNDLE would replace the authority of the endpoint
        if not endpoint.tls.verify:  # as the user wants it; a warning at each request would spoil the screen
            warnings.filterwarnings("ignore", category=urllib3.exceptions.InsecureRequestWarning)
    return client


def _logged(send: Callable[..., requests.Response]) -> Callable[..., requests.Response]:
    """`send` of the client's session, with a line in the log: the call, its status and its time, never the content."""

    def timed(request: requests.PreparedRequest, **how: Any) -> requests.Response:
        call, began = f"{request.method} {urlsplit(request.url or '').path}", time.monotonic()
        try:
            response = send(request, **how)
        except BaseException as e:
            _log.debug("%s failed after %.3f s: %s", call, time.monotonic() - began, e)
            raise
        _log.debug("%s %d in %.3f s", call, response.status_code, time.monotonic() - began)
        return response

    return timed


def _api_version(version: Mapping[str, Any]) -> str:
    def order(text: str) -> tuple[int, ...]:
        return tuple(int(part) for part in text.split("."))

    newest, least = str(version["ApiVersion"]), str(version.get("MinAPIVersion") or "1.0")
    return max(min(newest, _NEWEST_API, key=order), least, key=order)


@dataclass(frozen=True)
class _Failure:
    reason: str  # a few words
    hint: str  # what to do about it
    absent: bool = False  # there is nothing at this place


def _explain(error: BaseException, endpoint: Endpoint) -> _Failure:
    # Below what ssh or the engine says is nothing that tells more.
    cause = error if isinstance(error, SshError | docker.errors.APIError) else _root_cause(error)
    # An SSL error is an OSError too, with numbers of its own.
    number = cause.errno if isinstance(cause, OSError) and not isinstance(cause, ssl.SSLError) else None
    words = explain(cause)
    if endpoint.url.startswith("ssh://"):
        if isinstance(cause, FileNotFoundError):
            return _Failure("there is no ssh command", "Install OpenSSH's client.")
        if "command not found" in words or "docker: not found" in words:
            return _Failure(words, "The far side needs the docker command (18.09 or newer) in the PATH of its ssh.")
        where = re.sub(r"^(ssh://[^/]+)/.*", r"\1", endpoint.url)
        return _Failure(words, f"`ssh {where} docker version` must work without a question: a key in ssh-agent, and "
                        "the host's key known.")
    if number == errno.ENOENT:
        return _Failure("there is no such socket", "Start Docker (Docker Desktop, Colima, OrbStack, or `systemctl "
                        "start docker`), or say where it is with --host.", absent=True)
    if number in (errno.EACCES, errno.EPERM):
        return _Failure("permission denied", "Add yourself to the docker group and log in again, or run as root.")
    if number == errno.ECONNREFUSED:
        return _Failure("connection refused",
                        "Something was there before; start Docker again, or give another --host.")
    if "server gave HTTP response" in words or "WRONG_VERSION_NUMBER" in words:
        return _Failure("what answers there speaks no TLS", "Is DOCKER_TLS_VERIFY set for another engine?")
    return _Failure(words, "Check that the address is right and the engine runs.")


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
