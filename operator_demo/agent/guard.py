"""The guard, as the agent's own process uses it: it has ended what a session left running."""

import http.client
import json
import os
import socket

ENGINE = "unix:///run/engine/docker.sock"  # where the shell's docker command finds the guard
_PATH = "/guard/leftovers"

RULES = (
    "The Docker engine is behind a guard. Allowed on the ticket's containers: docker ps, inspect, logs, stats, top, "
    "events, diff; start, stop, restart, kill, pause, unpause; update of limits; exec (not privileged); cp out of a "
    "member, and into its volumes; network connect and disconnect on the subject's networks. For a member that cannot "
    "run: docker run --rm --network none --volumes-from MEMBER IMAGE-OF-THAT-MEMBER COMMAND. Everything else is "
    "refused and recorded: no other run or create, no rm, no build, no pull, no prune, no volume or network rm.")
"""What the model and the shell are told of the guard's policy."""


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str, patience: float) -> None:
        super().__init__("guard", timeout=patience)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def end_leftovers(since: float, patience: float) -> list[str]:
    """Ends what was begun through the guard since then (seconds since the epoch) and still runs; says what, in words.

    Raises `OSError`, `http.client.HTTPException` and `ValueError` where the guard does not answer within `patience`
    seconds.
    """
    path = os.environ.get("DOCKER_HOST", ENGINE).removeprefix("unix://")
    connection = _Connection(path, patience)
    try:
        connection.request("POST", f"{_PATH}?since={since:.6f}")
        answer = connection.getresponse()
        body = json.loads(answer.read())
    finally:
        connection.close()
    if answer.status != 200 or not isinstance(body, list):
        raise ValueError(f"the guard answered {answer.status}")
    return [str(name) for name in body]
