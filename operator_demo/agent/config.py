"""What the agent alone is told by its environment, and the key, which is never in the environment."""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from operator_demo import settings
from operator_demo.agent.budget import Limits
from operator_demo.errors import UsageError


@dataclass(frozen=True)
class AgentSettings:
    """`pace` is in characters a second (0: as fast as it goes); `key` is kept out of every repr.

    `relay` is the Unix socket through which `base_url` is reached; None where it is reached directly.

    `container` tells our own unfinished sessions from those of another agent: it survives a restart of the container
    and is another one's in any other container.
    """

    mode: str
    brain: str
    model: str
    limits: Limits
    base_url: str = settings.ANTHROPIC_API
    key: str | None = field(default=None, repr=False)
    pace: float = 0.0
    container: str = ""
    open_network: bool = False
    relay: str | None = None

    def require_key(self) -> None:
        """Raises `UsageError` for Claude without a key (the SDK would say something misleading, and late)."""
        if self.brain == settings.CLAUDE and not self.key:
            raise UsageError("There is no API key for Claude.",
                             "Set ANTHROPIC_API_KEY before `operator-demo run`, or use --model rehearsal.")


def from_environment(environment: Mapping[str, str] = os.environ, key_file: Path | None = None) -> AgentSettings:
    """Raises `UsageError` naming the variable that is missing or wrong."""
    brain = _one_of(environment, "OPERATOR_BRAIN", (settings.CLAUDE, settings.REHEARSAL))
    model = environment.get("OPERATOR_MODEL") or settings.DEFAULT_MODEL
    return AgentSettings(
        mode=_one_of(environment, "OPERATOR_SAFETY_MODE", (settings.EXECUTE, settings.APPROVE, settings.OBSERVE)),
        brain=brain,
        model=settings.REHEARSAL if brain == settings.REHEARSAL else model,
        limits=Limits.from_environment(environment),
        base_url=environment.get("ANTHROPIC_BASE_URL") or settings.ANTHROPIC_API,
        key=_read_key(key_file or settings.KEY_FILE),
        pace=settings.number(environment, "OPERATOR_PACE", 0.0),
        container=socket.gethostname(),
        open_network=bool(environment.get("OPERATOR_OPEN_NETWORK")),
        relay=environment.get("OPERATOR_RELAY") or None,
    )


def _one_of(environment: Mapping[str, str], name: str, allowed: tuple[str, ...]) -> str:
    value = settings.required(environment, name)
    if value not in allowed:
        raise UsageError(f"{name} must be {', '.join(allowed[:-1])} or {allowed[-1]}, not {value!r}.")
    return value


def _read_key(path: Path) -> str | None:
    """None without a file, and for an empty one: a secret whose variable was not set arrives empty."""
    try:
        return path.read_text(encoding="utf-8").strip() or None
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as e:
        raise UsageError(f"The API key in {path} cannot be read ({type(e).__name__}).") from e
