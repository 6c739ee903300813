"""The Messages API as data: which requests are malformed, and what a message or a stream of events looks like.

The rules are those of the real service that an agent loop can break, so a loop that works here also works there: the
order of roles, a result for each call in the next message, unchanged thinking blocks. Sources: the API reference and
the error messages of the service.
"""

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from typing import Any

from operator_demo.agent.rehearsal.operator import Turn

MODEL = "rehearsal"
_BLOCKS = {"user": {"text", "image", "document", "tool_result"},
           "assistant": {"text", "thinking", "redacted_thinking", "tool_use"}}


class Malformed(Exception):
    """The message names the field, as the service does."""


def check(request: object) -> dict[str, Any]:
    """The request itself when it keeps the rules. Raises `Malformed`."""
    if not isinstance(request, dict):
        raise Malformed("The request body must be a JSON object")
    if not isinstance(request.get("model"), str) or not request["model"]:
        raise Malformed("model: Field required")
    limit = request.get("max_tokens")
    if not isinstance(limit, int) or isinstance(limit, bool):
        raise Malformed("max_tokens: Field required")
    if limit < 1:
        raise Malformed("max_tokens: Input should be greater than or equal to 1")
    if not isinstance(request.get("stream", False), bool):
        raise Malformed("stream: Input should be a valid boolean")
    _check_tools(request.get("tools", []))
    _check_messages(request.get("messages"))
    return request


def _check_tools(tools: object) -> None:
    if not isinstance(tools, list):
        raise Malformed("tools: Input should be a valid list")
    for n, tool in enumerate(tools):
        name = tool.get("name") if isinstance(tool, dict) else None
        if not isinstance(name, str) or not re.fullmatch(r"[a-zA-Z0-9_-]{1,128}", name):
            raise Malformed(f"tools.{n}.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'")
        if "type" not in tool and not isinstance(tool.get("input_schema"), dict):
            raise Malformed(f"tools.{n}.input_schema: Field required")


def _check_messages(messages: object) -> None:
    if not isinstance(messages, list):
        raise Malformed("messages: Field required")
    if not messages:
        raise Malformed("messages: at least one message is required")
    merged: list[tuple[str, list[dict[str, Any]]]] = []
    for n, message in enumerate(messages):
        role, blocks = _check_message(n, message)
        if merged and merged[-1][0] == role:  # the service joins neighbours of one role
            merged[-1][1].extend(blocks)
        else:
            merged.append((role, list(blocks)))
    if merged[0][0] != "user":
        raise Malformed('messages: first message must use the "user" role')
    if merged[-1][0] != "user":
        raise Malformed("This model does not support assistant message prefill. "
                        "The conversation must end with a user message.")
    _check_calls_have_results(merged)


def _check_message(n: int, message: object) -> tuple[str, list[dict[str, Any]]]:
    if not isinstance(message, dict):
        raise Malformed(f"messages.{n}: Input should be an object")
    role, content = message.get("role"), message.get("content")
    if not isinstance(role, str) or role not in _BLOCKS:
        raise Malformed(f"messages.{n}.role: Input should be 'user' or 'assistant'")
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    if not isinstance(content, list) or not content:
        raise Malformed(f"messages.{n}.content: Field required")
    for m, block in enumerate(content):
        _check_block(f"messages.{n}.content.{m}", role, block)
    return role, content


def _check_block(where: str, role: str, block: object) -> None:
    if not isinstance(block, dict) or not isinstance(block.get("type"), str):
        raise Malformed(f"{where}.type: Field required")
    kind = block["type"]
    if kind not in _BLOCKS[role]:
        raise Malformed(f"{where}: `{kind}` blocks are not allowed in messages of the role {role}")
    required = {"text": ("text",), "thinking": ("thinking", "signature"), "tool_use": ("id", "name"),
                "tool_result": ("tool_use_id",)}.get(kind, ())
    for name in required:
        if not isinstance(block.get(name), str):
            raise Malformed(f"{where}.{kind}.{name}: Field required")
    if kind == "text" and not block["text"].strip():
        raise Malformed(f"{where}: text content blocks must contain non-whitespace text")
    if kind == "tool_use" and not isinstance(block.get("input"), dict):
        raise Malformed(f"{where}.tool_use.input: Input should be an object")
    if kind == "thinking" and block["thinking"] and block["signature"] != _sign(block["thinking"]):
        raise Malformed(f"{where}: Invalid `signature` in `thinking` block")


def _check_calls_have_results(merged: list[tuple[str, list[dict[str, Any]]]]) -> None:
    seen: set[str] = set()
    open_calls: list[str] = []
    for n, (role, blocks) in enumerate(merged):
        if role == "user":
            _check_results(n, blocks, open_calls)
            continue
        open_calls = [block["id"] for block in blocks if block["type"] == "tool_use"]
        if len(set(open_calls)) != len(open_calls) or seen & set(open_calls):
            raise Malformed(f"messages.{n}: `tool_use` ids must be unique")
        seen |= set(open_calls)


def _check_results(n: int, blocks: list[dict[str, Any]], open_calls: list[str]) -> None:
    answered: list[str] = []
    for m, block in enumerate(blocks):
        if block["type"] != "tool_result":
            continue
        if m != len(answered) and open_calls:
            raise Malformed(f"messages.{n}: `tool_result` blocks must come before any other content")
        if block["tool_use_id"] not in open_calls or block["tool_use_id"] in answered:
            raise Malformed(f"messages.{n}.content.{m}: unexpected `tool_use_id` found in `tool_result` blocks: "
                            f"{block['tool_use_id']}. Each `tool_result` block must have a corresponding `tool_use` "
                            "block in the previous message.")
        answered.append(block["tool_use_id"])
    missing = [call for call in open_calls if call not in answered]
    if missing:
        raise Malformed(f"messages.{n - 1}: `tool_use` ids were found without `tool_result` blocks immediately after: "
                        f"{', '.join(missing)}. Each `tool_use` block must have a corresponding `tool_result` block in "
                        "the next message.")


def message(request: dict[str, Any], turn: Turn) -> dict[str, Any]:
    """The message of this turn. Ids depend on the request alone, so that the same request gets the same answer."""
    conversation = json.dumps([request["messages"], request.get("system")], sort_keys=True)
    digest = hashlib.sha256(conversation.encode()).hexdigest()
    content = [*_thinking(request, turn.thinking)]
    if turn.text:
        content.append({"type": "text", "text": turn.text, "citations": None})
    for n, call in enumerate(turn.calls):
        content.append({"type": "tool_use", "id": f"toolu_{digest[:20]}{n:02d}", "name": call.tool,
                        "input": call.input, "caller": {"type": "direct"}})
    read = len(json.dumps([request["messages"], request.get("system"), request.get("tools")]))
    written = sum(len(json.dumps(block)) for block in content)
    return {
        "id": f"msg_{digest[:24]}", "type": "message", "role": "assistant", "model": MODEL, "content": content,
        "stop_reason": turn.stop_reason, "stop_sequence": None,
        "usage": {"input_tokens": _tokens(read), "output_tokens": _tokens(written),
                  "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0},
    }


def _tokens(characters: int) -> int:
    """About four characters a token."""
    return max(1, characters // 4)


def _thinking(request: dict[str, Any], text: str) -> Iterator[dict[str, Any]]:
    """As with the real models: no block unless requested, and an empty one unless its display is requested."""
    settings = request.get("thinking")
    if not text or not isinstance(settings, dict) or settings.get("type") not in ("adaptive", "enabled"):
        return
    shown = settings.get("display", "summarized" if settings["type"] == "enabled" else "omitted") == "summarized"
    yield {"type": "thinking", "thinking": text if shown else "", "signature": _sign(text)}


def _sign(thinking: str) -> str:
    """Shows that a thinking block comes back unchanged; it is no secret."""
    return base64.b64encode(hashlib.sha256(f"{MODEL}\n{thinking}".encode("utf-8", "replace")).digest()).decode()


def events(whole: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], int]]:
    """This message as a stream: for each event its name, its data and how many characters of prose it adds."""
    opening = {**whole, "content": [], "stop_reason": None, "usage": {**whole["usage"], "output_tokens": 1}}
    yield _event("message_start", message=opening)
    for index, block in enumerate(whole["content"]):
        empty, deltas = _pieces(block)
        yield _event("content_block_start", index=index, content_block=empty)
        if index == 0:
            yield _event("ping")
        for delta in deltas:
            prose = len(delta.get("text") or delta.get("thinking") or "")
            yield _event("content_block_delta", prose, index=index, delta=delta)
        yield _event("content_block_stop", index=index)
    yield _event("message_delta", delta={"stop_reason": whole["stop_reason"], "stop_sequence": None},
                 usage=whole["usage"])
    yield _event("message_stop")


def _event(name: str, prose: int = 0, /, **data: Any) -> tuple[str, dict[str, Any], int]:
    return name, {"type": name, **data}, prose


def _pieces(block: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The block as it begins, and the deltas that fill it."""
    match block["type"]:
        case "text":
            return {**block, "text": ""}, [{"type": "text_delta", "text": piece} for piece in _split(block["text"])]
        case "thinking":
            pieces = [{"type": "thinking_delta", "thinking": piece} for piece in _split(block["thinking"])]
            signature = {"type": "signature_delta", "signature": block["signature"]}
            return {**block, "thinking": "", "signature": ""}, [*pieces, signature]
        case _:
            pieces = [{"type": "input_json_delta", "partial_json": p} for p in _split(json.dumps(block["input"]), 24)]
            return {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": ""}, *pieces]


def _split(text: str, size: int = 8) -> list[str]:
    return [text[i:i + size] for i in range(0, len(text), size)]
