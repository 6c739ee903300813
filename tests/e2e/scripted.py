"""A stand-in for Claude's API: answers by a script of the test, through the server of the rehearsal.

It listens where containers reach this machine: the address of Docker's default bridge.
"""

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from operator_demo.agent.rehearsal.operator import Call, Turn
from operator_demo.agent.rehearsal.server import RehearsalServer

Script = Callable[[int, str, list[str]], Turn]


def bridge_address() -> str:
    shown = subprocess.run(["ip", "-4", "-json", "addr", "show", "docker0"], capture_output=True, check=True).stdout
    return str(json.loads(shown)[0]["addr_info"][0]["local"])


def turn(tool: str, /, **given: Any) -> Turn:
    return Turn("", "As the script says.", (Call(tool, given),))


def shell(command: str) -> Turn:
    return turn("shell", command=command, reasoning="scripted")


@contextmanager
def scripted(script: Script) -> Iterator[dict[str, str]]:
    """The environment of a run whose brain is `script(number of the turn, first user message, results so far)`."""
    def brain(request: dict[str, Any]) -> Turn:
        messages = request["messages"]
        results = [text(block.get("content")) for message in messages if message["role"] == "user"
                   for block in message["content"] if isinstance(block, dict) and block.get("type") == "tool_result"]
        number = sum(message["role"] == "assistant" for message in messages)
        return script(number, text(messages[0]["content"]), results)

    server = RehearsalServer(brain, pace=0, host=bridge_address())
    server.start()
    try:
        yield {"ANTHROPIC_BASE_URL": server.base_url, "ANTHROPIC_API_KEY": "sk-stand-in-0123456789abcdef"}
    finally:
        server.stop()


def text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(block.get("text", "") for block in content or [] if isinstance(block, dict))
