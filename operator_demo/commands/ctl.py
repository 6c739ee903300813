"""`operator-demo ctl`: requests of the host to the containers, run by exec inside the monitor's.

The request is one JSON object on stdin (`{"op": ...}`), so that the engine's events do not show it. The answer to
`events` is lines of events; the answer to anything else is one JSON object.
"""

import json
import sys

import click

from operator_demo import rpc, settings, wire
from operator_demo.errors import UsageError
from operator_demo.store import Store


@click.command(hidden=True)
def ctl() -> None:
    """For the host, which calls it through the engine."""
    here = settings.from_environment()
    try:
        request = json.loads(sys.stdin.read())
        op = str(request.pop("op"))
    except (ValueError, KeyError, AttributeError) as e:
        raise UsageError("ctl takes one JSON object with `op` on stdin.") from e
    if op == "events":
        with Store(here.store_path, read_only=True) as store:
            for event in store.events(request["run"], source=request["source"], after=int(request["after"])):
                for line in wire.encode(event):
                    sys.stdout.write(line + "\n")
        return
    path = here.workload_socket if op in ("check", "rate") else here.monitor_socket
    timeout = float(request.pop("timeout", 25))
    sys.stdout.write(json.dumps(rpc.call(path, op, timeout=timeout, **request)) + "\n")
