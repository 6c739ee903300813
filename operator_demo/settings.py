"""What a container of ours is told by its environment (set in `compose_templates/agent.compose.yaml`)."""

import hmac
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from operator_demo.errors import UsageError

EXECUTE, OBSERVE, APPROVE = "execute", "observe", "approve"
CLAUDE, REHEARSAL = "claude", "rehearsal"
DEFAULT_MODEL = "claude-opus-5-5"
ANTHROPIC_API = "https://api.anthropic.com"
HELPER_SERVICE = "aux"  # the Compose service that the host's one-shot helpers call themselves
KEY_FILE = Path("/run/secrets/anthropic_api_key")
NONCE_FILE = Path("/run/secrets/control_nonce")


@dataclass(frozen=True)
class Settings:
    """`project` is the subject's Compose project; `max_time` is in seconds. `nonce` is the secret of the run by which
    the monitor knows the host; other containers do not have it."""

    run: str
    subject: str
    project: str
    data: Path = Path("/data")
    max_time: float = 7200.0
    nonce: str = field(default="", repr=False)

    def is_host(self, nonce: str) -> bool:
        """Does whoever gives this nonce speak for the host? Never in a container that is not given the run's."""
        return self.nonce != "" and hmac.compare_digest(nonce.encode(), self.nonce.encode())

    @property
    def store_path(self) -> Path:
        return self.data / "tickets.db"

    @property
    def monitor_socket(self) -> Path:
        return self.data / "monitor.sock"

    @property
    def workload_socket(self) -> Path:
        return self.data / "workload.sock"


def from_environment(environment: Mapping[str, str] = os.environ) -> Settings:
    """Raises `UsageError` naming the variable that is missing or wrong."""
    return Settings(
        run=required(environment, "OPERATOR_RUN"),
        subject=required(environment, "OPERATOR_SUBJECT"),
        project=required(environment, "OPERATOR_PROJECT"),
        data=Path(environment.get("OPERATOR_DATA", "/data")),
        max_time=number(environment, "OPERATOR_MAX_TIME", 7200.0),
        nonce=read_secret(NONCE_FILE),
    )


def read_secret(file: Path) -> str:
    """The text of a secret's file; "" in a container that is not given it."""
    try:
        return file.read_text().strip()
    except OSError:
        return ""


def required(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name, "")
    if not value:
        raise UsageError(f"{name} is not set.", "This command runs inside a container that `operator-demo run` starts.")
    return value


def number(environment: Mapping[str, str], name: str, default: float) -> float:
    text = environment.get(name, "")
    try:
        value = float(text) if text else default
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise UsageError(f"{name} must be a number, not {text!r}.")
    return value
