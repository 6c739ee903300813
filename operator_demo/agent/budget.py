"""Budgets: how much one run may use, whatever the number of sessions and restarts.

What was used is read from the store each time, so that a restart resets nothing. Dollars need a price for the model.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from operator_demo import events, settings
from operator_demo.agent.waiting import waited
from operator_demo.errors import UsageError
from operator_demo.store import Store


@dataclass(frozen=True)
class Limits:
    """`steps` are model requests; `seconds` are those in which a session works on a ticket; None: no limit."""

    steps: int | None = 100
    seconds: float | None = 1800.0
    tokens: int | None = 5_000_000
    usd: float | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Limits":
        def given(name: str, default: float | None) -> float | None:
            text = environment.get(name, "")
            return settings.number(environment, name, 0.0) if text else default

        steps, tokens = given("OPERATOR_BUDGET_STEPS", cls.steps), given("OPERATOR_BUDGET_TOKENS", cls.tokens)
        return cls(
            steps=None if steps is None else int(steps),
            seconds=given("OPERATOR_BUDGET_SECONDS", cls.seconds),
            tokens=None if tokens is None else int(tokens),
            usd=given("OPERATOR_BUDGET_USD", cls.usd),
        )


@dataclass(frozen=True)
class Price:
    """US dollars per million tokens."""

    input: float
    output: float
    cache_write: float
    cache_read: float

    def cost(self, usage: "Usage") -> float:
        return (usage.input_tokens * self.input + usage.output_tokens * self.output
                + usage.cache_write_tokens * self.cache_write + usage.cache_read_tokens * self.cache_read) / 1e6


@dataclass(frozen=True)
class Usage:
    """The tokens of one request; `input_tokens` are those that were neither read from nor written to the cache."""

    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int


def price_of(model: str) -> Price | None:
    """The price of a model, by its name or by its name with a date; None when it is not known."""
    table: dict[str, Any] = json.loads(files(__package__).joinpath("prices.json").read_text())["models"]
    undated = model[:-9] if model[-9:-8] == "-" and model[-8:].isdigit() else model
    prices = table.get(undated)
    return Price(**prices) if prices else None


class Budget:
    """The budget of a run. Raises `UsageError` for a dollar limit on a model whose price is not known.

    The rehearsal costs nothing, so a dollar limit does not bind it.
    """

    def __init__(self, store: Store, run: str, limits: Limits, model: str) -> None:
        self.price = price_of(model)
        self._store, self._run, self._limits = store, run, limits
        self._free = model == settings.REHEARSAL
        if limits.usd is not None and self.price is None and not self._free:
            raise UsageError(f"The price of {model} is not known, so a budget in dollars cannot be kept.",
                             "Leave out --budget-usd, or limit tokens with --budget-tokens.")

    def exceeded(self) -> str | None:
        """Which budget forbids another request, in words; None while there is some of each left."""
        limit = self._limits.steps
        if limit is not None and self._store.spent(self._run)["steps"] >= limit:
            return f"The budget of {limit} steps is used up."
        return self.exceeded_before_tool()

    def exceeded_before_tool(self) -> str | None:
        """The same for a tool: it belongs to the step that asked for it."""
        used, limits = self._store.spent(self._run), self._limits
        if limits.tokens is not None and used["tokens"] >= limits.tokens:
            return f"The budget of {limits.tokens:,} tokens is used up ({used['tokens']:,} used)."
        if limits.seconds is not None and self.seconds_left() <= 0:
            return f"The budget of {limits.seconds:g} seconds is used up."
        if limits.usd is not None and not self._free:
            cost = used["cost_usd"]
            if cost is None:
                return f"The budget of ${limits.usd:.2f} cannot be kept: the cost of an earlier request is not known."
            if cost >= limits.usd:
                return f"The budget of ${limits.usd:.2f} is used up (${cost:.2f} used)."
        return None

    def seconds_left(self) -> float:
        """Infinite without a limit. Counts the time that sessions took, not the time in which there was no ticket, or a
        human was waited for."""
        if self._limits.seconds is None:
            return float("inf")
        now = time.time()
        rows = self._store.rows("SELECT started, finished FROM agent_sessions WHERE run=? AND started IS NOT NULL",
                                self._run)
        used = sum((events.parse_ts(row["finished"]) if row["finished"] else now) - events.parse_ts(row["started"])
                   for row in rows)
        return self._limits.seconds - used + waited(self._store, self._run)

    def cost(self, usage: Usage) -> float | None:
        return self.price.cost(usage) if self.price else None
