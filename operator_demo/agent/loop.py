"""The loop: ask the model, run the tools it calls, give back the results, until the session ends.

Tools run only when the model stopped for them, one after the other.
"""

from typing import Any

from anthropic.types import Message

from operator_demo import tickets
from operator_demo.agent import presenter, prompts
from operator_demo.agent.dispatch import Dispatch
from operator_demo.agent.request import Model, RequestFailed
from operator_demo.agent.work import End, LeaseLost, Work
from operator_demo.events import Refusal
from operator_demo.orders import PRESENTER, STOPPED

_MAX_CUT = 2  # answers in a row that were too long
_MAX_PAUSES = 5  # in a row


class Loop:
    """One conversation about one ticket."""

    def __init__(self, work: Work, model: Model, dispatch: Dispatch) -> None:
        self._work, self._model, self._dispatch = work, model, dispatch
        self._reminded = False
        self._cut = self._pauses = 0

    async def run(self, first_message: str) -> End:
        """Raises `LeaseLost` and `StoreError`."""
        messages: list[dict[str, Any]] = [{"role": "user", "content": first_message}]
        while True:
            if await presenter.stops(self._work):
                return self._stopped()
            if used_up := self._work.budget.exceeded():
                return self._over_budget(used_up)
            try:
                message = await self._model.ask(messages)
            except RequestFailed as e:
                if used_up := self._work.budget.exceeded():
                    return self._over_budget(used_up)
                self._work.say(Refusal(reason=f"{e}."))
                return self._hand_over("error", f"{e}.")
            blocks = _sendable(message)
            if blocks:
                messages.append({"role": "assistant", "content": blocks})
            answer = await self._answer(message)
            if isinstance(answer, End):
                return answer
            if answer:
                messages.append({"role": "user", "content": answer})

    async def _answer(self, message: Message) -> End | list[dict[str, Any]]:
        """The next message to the model (empty: it continues by itself), or how the session ended."""
        reason = message.stop_reason
        self._cut = self._cut + 1 if reason == "max_tokens" else 0
        self._pauses = self._pauses + 1 if reason == "pause_turn" else 0
        calls = [block for block in message.content if block.type == "tool_use"]
        if reason == "tool_use" and calls:
            return await self._run_tools(calls)
        if reason == "refusal":
            explanation = _text_of(message) or "no reason given"
            self._work.say(Refusal(reason=f"The model declined: {explanation}"))
            return self._hand_over("escalated", f"The model declined to go on: {explanation}")
        if reason == "max_tokens" and self._cut <= _MAX_CUT:
            too_long = _text_block("Your answer was cut off at its limit. Be briefer.")
            return [*(_not_run(call.id) for call in calls), too_long]
        if reason == "pause_turn" and self._pauses <= _MAX_PAUSES:
            return []
        if reason in ("end_turn", "stop_sequence", "tool_use") and not self._reminded:
            self._reminded = True
            return [_text_block(prompts.reminder(self._work.agent.mode))]
        return self._hand_over("escalated", _GAVE_UP.get(reason or "", f"The model stopped ({reason})."))

    async def _run_tools(self, calls: list[Any]) -> End | list[dict[str, Any]]:
        results = []
        for call in calls:
            if await presenter.stops(self._work):
                return self._stopped()
            if used_up := self._work.budget.exceeded_before_tool():
                return self._over_budget(used_up)
            result = await self._dispatch(call.id, call.name, call.input)
            if result.ends:
                return result.ends
            results.append({"type": "tool_result", "tool_use_id": call.id, "content": result.text,
                            "is_error": result.status != "ok"})
        return results

    def _over_budget(self, reason: str) -> End:
        self._work.say(Refusal(reason=reason))
        return self._hand_over("budget", reason)

    def _stopped(self) -> End:
        return self._hand_over("escalated", STOPPED, by=PRESENTER)

    def _hand_over(self, status: str, reason: str, by: str = "") -> End:
        try:
            tickets.escalate(self._work.recorder, self._work.ticket, reason, self._work.session, by)
        except tickets.TicketStateError as e:
            raise LeaseLost(e.message) from e
        return End(status, reason)


_GAVE_UP = {
    "max_tokens": "The model's answers were cut off at their limit again and again.",
    "pause_turn": "The model paused again and again.",
    "end_turn": "The model ended without saying that it is repaired, and without handing it over.",
    "model_context_window_exceeded": "The conversation grew too long for the model.",
}


def _sendable(message: Message) -> list[dict[str, Any]]:
    """The blocks to send back, unchanged, without a thought that was cut off: the API refuses one without signature."""
    blocks = [block.to_dict(mode="json") for block in message.content]
    if message.stop_reason != "max_tokens":
        return blocks
    return [block for block in blocks if block["type"] != "thinking" or block.get("signature")]


def _not_run(id: str) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": id, "content": "not run: the call was cut off", "is_error": True}


def _text_block(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _text_of(message: Message) -> str:
    return " ".join(block.text for block in message.content if block.type == "text").strip()
