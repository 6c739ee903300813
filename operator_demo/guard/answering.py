"""How a human's answer comes in: `operator-demo guard-answer`, run by the host's exec in the guard's container.

It speaks to the guard over a Unix socket in that container's own /tmp: no other container has it, and the agent cannot
run anything in the guard's.
"""

import asyncio
import json
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from operator_demo import rpc
from operator_demo.errors import UsageError
from operator_demo.guard.approvals import Approvals


def socket_path() -> Path:
    return Path(os.environ.get("OPERATOR_ANSWERS") or "/tmp/operator-guard/answers.sock")


@contextmanager
def served(approvals: Approvals) -> Iterator[None]:
    """Inside, answers come in from a thread of their own. For a running event loop."""
    loop, stop = asyncio.get_running_loop(), threading.Event()

    async def waiting() -> dict[str, Any]:
        return {"waiting": approvals.waiting()}

    async def answer(id: str, digest: str, answer: str, by: str) -> dict[str, Any]:
        approvals.answer(id, digest, answer, by)
        return {}

    handlers: dict[str, rpc.Handler] = {
        "waiting": lambda: asyncio.run_coroutine_threadsafe(waiting(), loop).result(),
        "answer": lambda **given: asyncio.run_coroutine_threadsafe(answer(**given), loop).result()}
    thread = threading.Thread(target=rpc.serve, args=(socket_path(), handlers, stop), name="answers", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()


def pass_on() -> None:
    """Hands the request on stdin (one JSON object, as for `ctl`) to the guard, and prints its answer. Raises
    `OperatorError`."""
    try:
        request = json.loads(sys.stdin.read())
        op = str(request.pop("op"))
    except (ValueError, KeyError, AttributeError) as e:
        raise UsageError("guard-answer takes one JSON object with `op` on stdin.") from e
    sys.stdout.write(json.dumps(rpc.call(socket_path(), op, **request)) + "\n")
