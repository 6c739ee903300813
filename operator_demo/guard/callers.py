"""The guard, as the programs of its callers use it: it ends what they began and left running."""

import http.client
import json
import os
import socket

ENGINE = "unix:///run/engine/docker.sock"  # where a caller's container has the guard
_PATH = "/guard/leftovers"


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str, patience: float) -> None:
        super().__init__("guard", timeout=patience)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def end_leftovers(since: float, patience: float, exec_id: str = "") -> list[str]:
    """Ends what was begun through the guard since then (seconds since the epoch) and still runs, or this exec alone;
    says what, in words.

    Raises `OSError`, `http.client.HTTPException` and `ValueError` where the guard does not answer within `patience`
    seconds.
    """
    path = os.environ.get("DOCKER_HOST", ENGINE).removeprefix("unix://")
    connection = _Connection(path, patience)
    try:
        connection.request("POST", f"{_PATH}?since={since:.6f}&exec={exec_id}")
        answer = connection.getresponse()
        body = json.loads(answer.read())
    finally:
        connection.close()
    if answer.status != 200 or not isinstance(body, list):
        raise ValueError(f"the guard answered {answer.status}")
    return [str(name) for name in body]
