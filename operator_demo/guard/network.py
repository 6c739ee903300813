"""The container that holds the agent's network: that of the subject, with no way out of it.

The agent's container shares this one's network. The default route is removed here, and the gateway, which is the host,
is made unreachable. The engine's resolver knows the members; it forwards every other name to the resolver on 127.0.0.1,
which answers that there is no such name. A restart of the container does all of this again.
"""

import signal
import socket
import subprocess
import sys
from collections.abc import Callable

RESOLVER = ("127.0.0.1", 53)
_LARGEST = 512  # bytes of a query over UDP
_HEADER = 12  # bytes
_NO_SUCH_NAME = 3

Ip = Callable[..., str]
"""Runs iproute2's `ip` with these arguments, and returns what it prints."""


def run(open_network: bool) -> int:
    """Holds the network until SIGTERM. With `open_network`, its routes stay as they are."""
    # Process 1 of a container gets no signal that it does not handle.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if open_network:
        signal.pause()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as resolver:
        resolver.bind(RESOLVER)
        remove_ways_out(_ip)
        while True:
            query, sender = resolver.recvfrom(_LARGEST)
            answer = no_such_name(query)
            if answer:
                resolver.sendto(answer, sender)


def remove_ways_out(ip: Ip) -> None:
    """Removes every default route and makes its gateway unreachable."""
    for family in ("-4", "-6"):
        for route in ip(family, "route", "show", "default").splitlines():
            ip(family, "route", "del", "default")
            words = route.split()
            if "via" in words:
                ip(family, "route", "add", "unreachable", words[words.index("via") + 1])


def _ip(*arguments: str) -> str:
    """What fails is printed and left: the agent looks for itself whether there is a way out."""
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"ip {' '.join(arguments)}: {done.stderr.strip()}", file=sys.stderr, flush=True)
    return done.stdout


def no_such_name(query: bytes) -> bytes:
    """The DNS answer NXDOMAIN to a query; empty for what is no query."""
    is_answer = len(query) > 2 and query[2] & 0x80
    if len(query) < _HEADER or is_answer:
        return b""
    flags = bytes([query[2] | 0x80, _NO_SUCH_NAME])
    counts = query[4:6] + bytes(6)  # the question alone follows
    return query[:2] + flags + counts + _question(query)


def _question(query: bytes) -> bytes:
    """The first question: labels up to an empty one, then type and class. The rest (EDNS) is left out."""
    end = _HEADER
    while end < len(query) and query[end]:
        end += 1 + query[end]
    return query[_HEADER:end + 5]
