"""The docker command's own files: which context is the current one, where its engine is, with which TLS files."""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker.errors
import docker.tls

from operator_demo.engine.failures import EngineUnavailable
from operator_demo.home import user_home

ADVICE = "Choose another with `docker context use`, or give --host."


@dataclass(frozen=True)
class Context:
    source: str  # who chose it, and its name
    url: str  # "" means the default socket, as for the docker command
    tls: docker.tls.TLSConfig | None


def config_folder() -> Path:
    return Path(os.environ.get("DOCKER_CONFIG") or user_home() / ".docker")


def config_file() -> Path:
    return config_folder() / "config.json"


def current() -> Context | None:
    """The context chosen by DOCKER_CONTEXT or `docker context use`; None for the default one.

    Raises `EngineUnavailable` for files that are damaged or missing."""
    name, source = os.environ.get("DOCKER_CONTEXT", ""), "DOCKER_CONTEXT"
    if not name:
        name, source = _chosen_by_config(), "Docker context"
    if name in ("", "default"):
        return None
    source = f"{source} {name!r}"
    contexts = config_folder() / "contexts"
    key = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()
    meta = contexts / "meta" / key / "meta.json"
    try:
        url, skip_verify = _docker_endpoint(_read_object(meta))
    except (OSError, ValueError) as e:
        raise EngineUnavailable(f"{source} cannot be read from {meta}: {e}", ADVICE) from e
    if not url or url.startswith(("unix://", "npipe://", "ssh://")):
        return Context(source, url, None)
    try:
        return Context(source, url, tls_files(contexts / "tls" / key / "docker", verify=not skip_verify))
    except (docker.errors.DockerException, OSError) as e:
        raise EngineUnavailable(f"the TLS files of {source} cannot be used: " + " ".join(str(e).split()),
                                ADVICE) from e


def tls_files(folder: Path, *, verify: bool) -> docker.tls.TLSConfig | None:
    """TLS with what is there of ca.pem, cert.pem and key.pem; None where nothing is and the engine is to be verified:
    then it is spoken to in the clear, as the docker command does it."""
    ca, cert, key = (folder / name for name in ("ca.pem", "cert.pem", "key.pem"))
    has_ca, has_pair = ca.is_file(), cert.is_file() and key.is_file()
    if verify and not (has_ca or has_pair):
        return None
    return docker.tls.TLSConfig(client_cert=(str(cert), str(key)) if has_pair else None,
                                ca_cert=str(ca) if has_ca else None, verify=verify)


def _chosen_by_config() -> str:
    """The name of the current context in config.json; "" where none is chosen."""
    file = config_file()
    try:
        name = _read_object(file).get("currentContext") or ""
        if not isinstance(name, str):
            raise ValueError("currentContext is not a string")
        return name
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except (OSError, ValueError) as e:
        raise EngineUnavailable(f"cannot read {file}: {e}", "Repair the file, or give --host.") from e


def _docker_endpoint(meta: dict[str, Any]) -> tuple[str, bool]:
    """The address in a context's meta.json ("" for the default one), and whether its certificate is not verified."""
    endpoints = meta.get("Endpoints")
    endpoint = endpoints.get("docker") if isinstance(endpoints, dict) else None
    if not isinstance(endpoint, dict):
        raise ValueError("it has no docker endpoint")
    url = endpoint.get("Host") or ""
    if not isinstance(url, str):
        raise ValueError(f"its Host is not a string: {url!r}")
    return url, bool(endpoint.get("SkipTLSVerify"))


def _read_object(path: Path) -> dict[str, Any]:
    """An empty file counts as an empty object, as for the docker command."""
    text = path.read_text(encoding="utf-8")
    try:
        content = json.loads(text) if text.strip() else {}
    except RecursionError as e:
        raise ValueError("it is nested too deeply") from e
    if not isinstance(content, dict):
        raise ValueError("it is not a JSON object")
    return content
