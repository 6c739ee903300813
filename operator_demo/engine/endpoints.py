"""Where an engine may be: the places that the docker command knows, in its order, then sockets that are well known.

--host, DOCKER_HOST, the Docker context; the first that is set is used and no other: quietly falling back to another
engine would start, and break, containers on a machine that nobody meant. Only where nothing was named and the default
socket is not there, the usual sockets of other engines on this machine are tried.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import docker.errors
import docker.tls

from operator_demo.engine import contexts
from operator_demo.engine.failures import EngineUnavailable
from operator_demo.home import user_home

DEFAULT_SOCKET = "unix:///var/run/docker.sock"
_SCHEMES = ("unix://", "tcp://", "http://", "https://", "ssh://")
_PORT, _TLS_PORT = 2375, 2376


@dataclass(frozen=True)
class Endpoint:
    """One place where an engine may answer; `source` says who named it."""

    source: str
    url: str
    tls: docker.tls.TLSConfig | None = None


def named(host: str | None, looked_at: list[str]) -> Endpoint | None:
    """The endpoint that the user has chosen; None where all is left to default. What is not set is noted in
    `looked_at`. Raises `EngineUnavailable` for settings that cannot be used."""
    for source, url in (("--host", host), ("DOCKER_HOST", os.environ.get("DOCKER_HOST"))):
        if url:
            return _with_tls_of_the_environment(source, url)
        looked_at.append(f"{source}: not {'given' if source == '--host' else 'set'}")
    context = contexts.current()
    if context is None:
        looked_at.append("Docker context: none chosen")
        return None
    return _endpoint(context.source, context.url or DEFAULT_SOCKET, context.tls, contexts.ADVICE)


def full_address(url: str, tls: bool) -> str:
    """`url` with what the docker command adds to it. Raises ValueError for an address of a kind that is not known."""
    if "://" not in url:
        url = f"tcp://{url}"
    if not url.startswith(_SCHEMES):
        raise ValueError(f"an address of this kind is not supported (known: {', '.join(_SCHEMES)})")
    if url.startswith("unix://"):
        return url
    parts = urlsplit(url)
    port = parts.port  # raises for one that is no number
    if parts.scheme == "tcp" and port is None:
        return f"tcp://{parts.hostname or 'localhost'}:{_TLS_PORT if tls else _PORT}{parts.path}"
    return url


def _with_tls_of_the_environment(source: str, url: str) -> Endpoint:
    """With the client's files in DOCKER_CERT_PATH where DOCKER_TLS_VERIFY or DOCKER_TLS is set."""
    verify = bool(os.environ.get("DOCKER_TLS_VERIFY"))
    tls = None
    if (verify or os.environ.get("DOCKER_TLS")) and not url.startswith(("unix://", "ssh://")):
        folder = Path(os.environ.get("DOCKER_CERT_PATH") or contexts.config_folder())
        try:
            tls = contexts.tls_files(folder, verify=verify)
            if verify and not (folder / "ca.pem").is_file():
                raise docker.errors.TLSParameterError(f"{folder / 'ca.pem'} is not there.")
        except (docker.errors.DockerException, OSError) as e:
            raise EngineUnavailable(f"the TLS files for {source} cannot be used: " + " ".join(str(e).split()),
                                    "Check DOCKER_CERT_PATH and DOCKER_TLS_VERIFY.") from e
    return _endpoint(source, url, tls, "Check the address.")


def _endpoint(source: str, url: str, tls: docker.tls.TLSConfig | None, advice: str) -> Endpoint:
    try:
        return Endpoint(source, full_address(url, bool(tls)), tls)
    except ValueError as e:
        raise EngineUnavailable(f"{source} ({url}): {e}", advice) from e


def well_known() -> Iterator[Endpoint]:
    """The sockets of engines that a user may run on this machine beside, or instead of, a system-wide Docker."""
    seen = {DEFAULT_SOCKET}
    for source, path in _sockets():
        url = f"unix://{path}"
        if url not in seen:
            seen.add(url)
            yield Endpoint(source, url)


def _sockets() -> Iterator[tuple[str, Path]]:
    home, uid = user_home(), os.getuid()
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{uid}")
    yield "rootless Docker", runtime / "docker.sock"
    yield "rootless Docker", Path(f"/run/user/{uid}/docker.sock")
    yield "Docker Desktop or rootless Docker", home / ".docker/run/docker.sock"
    yield "Docker Desktop", home / ".docker/desktop/docker.sock"
    for folder in _colima(home):
        yield "Colima", folder / "default/docker.sock"
    yield "OrbStack", home / ".orbstack/run/docker.sock"
    yield "Rancher Desktop", home / ".rd/docker.sock"
    for instance in ("docker", "default"):
        yield "Lima", Path(os.environ.get("LIMA_HOME") or home / ".lima") / instance / "sock/docker.sock"
    yield "Podman", runtime / "podman/podman.sock"
    yield "Podman", Path(f"/run/user/{uid}/podman/podman.sock")
    yield "Podman", Path("/run/podman/podman.sock")
    machines = home / ".local/share/containers/podman/machine"
    for path in (machines / "podman.sock", machines / "qemu/podman.sock"):
        yield "Podman machine", path
    if os.environ.get("TMPDIR"):  # as macOS sets it for each user
        yield "Podman machine", Path(os.environ["TMPDIR"]) / "podman/podman-machine-default-api.sock"


def _colima(home: Path) -> Iterator[Path]:
    if os.environ.get("COLIMA_HOME"):
        yield Path(os.environ["COLIMA_HOME"])
    yield home / ".colima"
    yield Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config") / "colima"
