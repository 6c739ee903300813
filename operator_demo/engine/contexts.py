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


@dataclass(frozen=True)
class Context:
    source: str  # who chose it, and its name
    url: str
    tls: docker.tls.TLSConfig | None


def config_folder() -> Path:
    return Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")


def current() -> Context | None:
    """The context chosen by DOCKER_CONTEXT or `docker context use`; None for the default one.

    Raises `EngineUnavailable` for files that are damaged or missing."""
    folder = config_folder()
    name, source = os.environ.get("DOCKER_CONTEXT", ""), "DOCKER_CONTEXT"
    if not name:
        config, source = folder / "config.json", "Docker context"
        try:
            name = _read_object(config).get("currentContext", "")
        except (FileNotFoundError, NotADirectoryError):
            pass
        except (OSError, ValueError) as e:
            raise EngineUnavailable(f"cannot read {config}: {e}", "Repair the file, or give --host.") from e
    if not isinstance(name, str) or name in ("", "default"):
        return None
    source = f"{source} {name!r}"
    key = hashlib.sha256(name.encode()).hexdigest()
    meta = folder / "contexts" / "meta" / key / "meta.json"
    try:
        endpoint = _read_object(meta)["Endpoints"]["docker"]
        url, skip_verify = str(endpoint["Host"]), bool(endpoint.get("SkipTLSVerify", False))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as e:
        raise EngineUnavailable(f"{source} cannot be read from {meta}: {e!r}",
                                "Choose another with `docker context use`, or give --host.") from e
    if url.startswith(("unix://", "npipe://", "ssh://")):
        return Context(source, url, None)
    try:
        return Context(source, url, tls_files(folder / "contexts" / "tls" / key / "docker", verify=not skip_verify))
    except docker.errors.DockerException as e:
        raise EngineUnavailable(f"the TLS files of {source} cannot be used: " + " ".join(str(e).split()),
                                "Choose another with `docker context use`, or give --host.") from e


def tls_files(folder: Path, *, verify: bool) -> docker.tls.TLSConfig | None:
    """TLS with what is there of ca.pem, cert.pem and key.pem; None where nothing is and the engine is to be verified:
    then it is spoken to in the clear, as the docker command does it."""
    ca, cert, key = (folder / name for name in ("ca.pem", "cert.pem", "key.pem"))
    has_ca, has_pair = ca.is_file(), cert.is_file() and key.is_file()
    if verify and not (has_ca or has_pair):
        return None
    return docker.tls.TLSConfig(client_cert=(str(cert), str(key)) if has_pair else None,
                                ca_cert=str(ca) if has_ca else None, verify=verify)


def _read_object(path: Path) -> dict[str, Any]:
    found = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(found, dict):
        raise ValueError("not a JSON object")
    return found
