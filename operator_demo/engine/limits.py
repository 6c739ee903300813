"""What a container may use, what it uses, and what became of it."""

from typing import Any

from operator_demo.engine.connect import Engine
from operator_demo.engine.failures import engine_errors

_PAST = 1.0  # seconds that are allowed for the engine to tell of an event


def supports(engine: Engine, ability: str) -> bool:
    """One of the abilities that the engine's own description tells, such as CpuCfsQuota or MemoryLimit."""
    with engine_errors("asking the engine what it can do"):
        return bool(engine.client.info().get(ability))


def set_limits(engine: Engine, container_id: str, **limits: int) -> None:
    """Changes limits of a container, by the API's own names (CpuQuota, NanoCpus, Memory, MemorySwap).

    The engine takes 0 for unchanged, so a limit is lifted by -1 (CpuQuota) or by a larger one.
    """
    with engine_errors(f"setting limits of {container_id[:12]}"):
        api = engine.api
        api._raise_for_status(api.post(api._url("/containers/{0}/update", container_id), json=limits))


def stats(engine: Engine, container_id: str) -> dict[str, Any]:
    """What a container uses now, as the API tells it."""
    with engine_errors(f"measuring {container_id[:12]}"):
        api = engine.api
        answer = api.get(api._url("/containers/{0}/stats", container_id),
                         params={"stream": "false", "one-shot": "true"})
        api._raise_for_status(answer)
        figures: dict[str, Any] = answer.json()
        return figures


def happened(engine: Engine, container_id: str, action: str, since: float) -> bool:
    """Did the engine tell of such an event of the container since then (engine's clock)? It keeps the last 256."""
    with engine_errors(f"looking for what happened to {container_id[:12]}"):
        events = engine.api.events(since=f"{since:.3f}", until=f"{engine.now() + _PAST:.3f}", decode=True,
                                 filters={"container": [container_id], "event": [action]})
        return any(True for _ in events)
