"""`operator-demo ctl`: requests of the host to the containers, run by exec inside the monitor's.

The request is one JSON object on stdin (`{"op": ..., "nonce": ..., "exec": ...}`), so that the engine's events do not
show it. Without the run's nonce it is refused. `exec` is the engine's id of this very exec; the monitor is told it, so
that it does not take the exec for somebody else's. The answer to `events` is lines of events; the answer to anything
else is one JSON object.
"""

import json
import sys
from contextlib import suppress

import click

from operator_demo import rpc, settings, wire
from operator_demo.errors import OperatorError, UsageError
from operator_demo.settings import Settings
from operator_demo.store import Store


@click.command(hidden=True)
def ctl() -> None:
    """For the host, which calls it through the engine."""
    here = settings.from_environment()
    try:
        request = json.loads(sys.stdin.read())
        op = str(request.pop("op"))
        nonce, exec_id = str(request.pop("nonce", "")), str(request.pop("exec", ""))
    except (ValueError, KeyError, AttributeError) as e:
        raise UsageError("ctl takes one JSON object with `op` on stdin.") from e
    if not here.is_host(nonce):
        raise OperatorError("Only the host of the run may use ctl: the request lacks the run's nonce.")
    with suppress(rpc.RpcError):  # a monitor that starts again
        rpc.call(here.monitor_socket, "announce", nonce=nonce, ids=[exec_id])
    if op == "events":
        _print_events(here, request)
        return
    if op in ("check", "rate"):
        answer = rpc.call(here.workload_socket, op, timeout=_timeout(request), **request)
    else:
        answer = rpc.call(here.monitor_socket, op, timeout=_timeout(request), nonce=nonce, **request)
    sys.stdout.write(json.dumps(answer) + "\n")


def _timeout(request: dict[str, object]) -> float:
    return float(str(request.pop("timeout", 25)))


def _print_events(here: Settings, request: dict[str, object]) -> None:
    run, source, after = str(request["run"]), str(request["source"]), int(str(request["after"]))
    types = request.get("types") or []
    assert isinstance(types, list)
    with Store(here.store_path, read_only=True) as store:
        for event in store.events(run, source=source, after=after, types=types):
            for line in wire.encode(event):
                sys.stdout.write(line + "\n")
