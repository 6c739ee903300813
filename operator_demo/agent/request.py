"""One model request: streamed to the screen, limited in time, retried where that can help, and recorded."""

import asyncio
import json
import math
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import anthropic
import httpx2
import jiter
from anthropic.lib.streaming import AsyncMessageStream
from anthropic.types import Message

from operator_demo import events, text
from operator_demo.agent.budget import Usage
from operator_demo.agent.record import Live
from operator_demo.agent.work import Work
from operator_demo.events import Reasoning, Retry

MAX_TOKENS = 16_000  # of one answer, thinking included
REQUEST_TIMEOUT = 300.0  # seconds for one whole request, also if the server sends a byte now and then
MAX_ATTEMPTS = 6
_FIRST_DELAY, _LONGEST_DELAY = 1.0, 30.0  # seconds
_LONGEST_RETRY_AFTER = 120.0  # seconds; a request to wait longer ends the attempts

_RETRYABLE_STATUS = (408, 409, 429)  # and all from 500
_RETRYABLE_TYPES = ("api_error", "overloaded_error", "rate_limit_error", "timeout_error")
_REASONS = {
    400: "The model's service did not accept the request",
    401: "The API key was refused",
    402: "The account of the API key has no credit",
    403: "The API key may not use this model",
    404: "The model, or the address of its service, does not exist",
    413: "The conversation grew too large for the model's service",
}


class RequestFailed(Exception):
    """The model did not answer, and a retry would not help; the text is for people."""


@dataclass(frozen=True)
class Failure:
    """Why one attempt failed; `after`: seconds that the server asked to wait, if it did."""

    reason: str
    retryable: bool
    after: float | None = None


class Model:
    """Asks the model on behalf of one session."""

    def __init__(self, client: anthropic.AsyncAnthropic, work: Work, system: str, tools: list[dict[str, Any]],
                 sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._client, self._work, self._sleep = client, work, sleep
        self._fixed: dict[str, Any] = {
            "model": work.agent.model,
            "max_tokens": MAX_TOKENS,
            "system": [{"type": "text", "text": system, "cache_control": {"type": "ephemeral"}}],
            "tools": tools,
            "thinking": {"type": "adaptive", "display": "summarized"},
            "cache_control": {"type": "ephemeral"},  # the end of the conversation so far
        }

    async def ask(self, messages: list[dict[str, Any]]) -> Message:
        """Raises `RequestFailed` when there is no answer, or when waiting for one would exceed the time budget."""
        for attempt in range(1, MAX_ATTEMPTS + 1):
            try:
                return await self._once(messages)
            except (anthropic.AnthropicError, httpx2.HTTPError, TimeoutError, ValueError) as e:
                failure = classify(e)
            if not failure.retryable:
                raise RequestFailed(failure.reason)
            if attempt == MAX_ATTEMPTS:
                break
            delay = _delay(attempt, failure.after)
            if delay > _LONGEST_RETRY_AFTER:
                raise RequestFailed(f"{failure.reason}, and it asks to wait {delay:.0f} s")
            if delay >= self._work.budget.seconds_left() or self._work.budget.exceeded():
                raise RequestFailed(f"{failure.reason}, and the budget does not allow another attempt")
            self._work.say(Retry(reason=failure.reason, attempt=attempt, delay=round(delay, 3)))
            await self._sleep(delay)
        raise RequestFailed(f"{failure.reason} ({MAX_ATTEMPTS} attempts)")

    async def _once(self, messages: list[dict[str, Any]]) -> Message:
        began = time.monotonic()
        limit = min(REQUEST_TIMEOUT, max(self._work.budget.seconds_left(), 1.0))
        request: dict[str, Any] = {**self._fixed, "messages": messages}
        async with asyncio.timeout(limit), self._client.messages.stream(**request) as stream:
            whole = False
            try:
                torn = await self._show(stream)
                message = _message(stream)
                if message is None or message.stop_reason is None:
                    raise ValueError("it ended in the middle")
                if torn and message.stop_reason == "tool_use":
                    raise ValueError("the arguments of a tool are not JSON")
                whole = True
                return message
            finally:
                self._account(stream, whole, time.monotonic() - began)

    async def _show(self, stream: AsyncMessageStream[None]) -> bool:
        """Sends what arrives to the screen; each finished block of prose becomes an entry. True when the arguments
        of a tool were not JSON (with eager streaming the service does not check them)."""
        live: Live | None = None
        arguments, torn = "", False
        try:
            async for event in stream:
                match event.type:
                    case "content_block_start":
                        arguments, live = "", self._live_for(event.content_block.type)
                    case "thinking" if live:
                        live.feed(event.thinking)
                    case "text" if live:
                        live.feed(event.text)
                    case "input_json":
                        arguments += event.partial_json
                        if live:
                            live.set(string_so_far(arguments, "command"))
                    case "content_block_stop":
                        if live:
                            live.close()
                        self._record_prose(event.content_block)
                        torn = torn or not _is_json(arguments)
        finally:
            if live:
                live.close()
        return torn

    def _live_for(self, block: str) -> Live | None:
        kind = {"thinking": "thinking", "text": "text", "tool_use": "command"}.get(block)
        return self._work.live(kind) if kind else None

    def _record_prose(self, block: Any) -> None:
        if block.type in ("thinking", "text"):
            prose = block.thinking if block.type == "thinking" else block.text
            if prose.strip():
                self._work.say(Reasoning(kind=block.type, text=prose))

    def _account(self, stream: AsyncMessageStream[None], whole: bool, duration: float) -> None:
        """Tokens of an answer that was cut short count too, as far as they are known."""
        message = _message(stream)
        if message is None:
            return  # it never began
        counts = message.usage
        usage = Usage(counts.input_tokens, counts.output_tokens, counts.cache_read_input_tokens or 0,
                      counts.cache_creation_input_tokens or 0)
        self._work.say(events.Usage(
            **usage.__dict__, cost_usd=self._work.budget.cost(usage), duration=round(duration, 6),
            request_id=stream.request_id, stop_reason=message.stop_reason if whole else "cut"))


def _message(stream: AsyncMessageStream[None]) -> Message | None:
    try:
        return stream.current_message_snapshot
    except AssertionError:
        return None


def _is_json(arguments: str) -> bool:
    try:
        json.loads(arguments or "{}")
    except ValueError:
        return False
    return True


def string_so_far(arguments: str, name: str) -> str:
    """The text of one argument in JSON that is still being written; empty before it begins."""
    try:
        value = jiter.from_json(arguments.encode("utf-8", "replace"), partial_mode="trailing-strings")
    except ValueError:
        return ""
    argument = value.get(name) if isinstance(value, dict) else None
    return argument if isinstance(argument, str) else ""


def classify(error: Exception) -> Failure:
    """What an exception of the SDK means. An error in the middle of a stream comes with the status 200."""
    match error:
        case anthropic.APIStatusError():
            return _classify_status(error)
        case anthropic.APITimeoutError() | TimeoutError():
            return Failure("The model did not answer in time", True)
        case anthropic.APIConnectionError():
            return Failure(f"The model's service could not be reached ({error.__cause__ or error})", True)
        case httpx2.HTTPError():
            return Failure(f"The connection to the model's service broke ({error or type(error).__name__})", True)
        case ValueError():
            return Failure(f"The model's service sent no valid answer ({error})", True)
        case _:
            return Failure(f"The request could not be made ({error})", False)


def _classify_status(error: anthropic.APIStatusError) -> Failure:
    status, (kind, detail) = error.status_code, _body(error.body)
    retryable = kind in _RETRYABLE_TYPES if status == 200 else status in _RETRYABLE_STATUS or status >= 500
    if status == 200:
        reason = "The model's service broke off with an error"
    else:
        reason = _REASONS.get(status, f"The model's service answered with status {status}")
    details = ": ".join(part for part in (kind, text.one_line(detail, 300)) if part)
    return Failure(f"{reason} ({details})" if details else reason, retryable, retry_after(error.response.headers))


def _body(body: object) -> tuple[str, str]:
    """The type and the message of an API error; empty where they are missing."""
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict):
        return "", ""
    return str(error.get("type") or ""), str(error.get("message") or "")


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds to wait, from a number of seconds or a date; None without a valid header."""
    value = headers.get("retry-after", "").strip()
    try:
        seconds = float(value)
    except ValueError:
        try:
            date = parsedate_to_datetime(value)
        except ValueError:
            return None
        date = date if date.tzinfo else date.replace(tzinfo=UTC)
        seconds = (date - (now or datetime.now(UTC))).total_seconds()
    return max(seconds, 0.0) if math.isfinite(seconds) else None


def _delay(attempt: int, after: float | None) -> float:
    """Seconds before the next attempt: what the server asks for, else exponential; with jitter, never less."""
    if after is not None:
        return after + random.uniform(0.0, 0.25)
    return float(min(_FIRST_DELAY * 2 ** (attempt - 1), _LONGEST_DELAY) * random.uniform(0.5, 1.0))
