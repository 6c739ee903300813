"""Who thinks: Claude over the Messages API, or the rehearsal, a local server that speaks the same API."""

from collections.abc import Callable
from dataclasses import dataclass

import httpx2
from anthropic import AsyncAnthropic, DefaultAsyncHttpxClient

from operator_demo import settings
from operator_demo.agent.config import AgentSettings

_TIMEOUT = httpx2.Timeout(60.0, connect=10.0)  # seconds, per read; the whole request is bounded where it is made


@dataclass
class Brain:
    """A client, and how to shut down what stands behind it."""

    client: AsyncAnthropic
    _stop: Callable[[], None] | None = None

    async def close(self) -> None:
        await self.client.close()
        if self._stop is not None:
            self._stop()


def open_brain(agent: AgentSettings) -> Brain:
    """Raises `UsageError` for Claude without a key. Retries are ours: the client makes none."""
    if agent.brain == settings.REHEARSAL:
        return _rehearsal(agent.pace)
    agent.require_key()
    # Without a relay the service is called directly.
    http = DefaultAsyncHttpxClient(transport=httpx2.AsyncHTTPTransport(uds=agent.relay), timeout=_TIMEOUT)
    return Brain(AsyncAnthropic(api_key=agent.key, base_url=agent.base_url, max_retries=0, http_client=http))


def _rehearsal(pace: float) -> Brain:
    from operator_demo.agent.rehearsal.server import RehearsalServer

    server = RehearsalServer(pace=pace)
    server.start()
    # A proxy from the environment would be asked for the loopback address too.
    client = AsyncAnthropic(api_key="rehearsal", base_url=server.base_url, max_retries=0, timeout=_TIMEOUT,
                            http_client=httpx2.AsyncClient(trust_env=False, timeout=_TIMEOUT))
    return Brain(client, server.stop)
