"""Does anything beyond the subject's network answer here, and is the network there at all? Read from the kernel's
routes, not taken on trust."""

import asyncio
import time
from pathlib import Path

ROUTES = Path("/proc/net")
OPEN = "--open-network was given"
_PATIENCE = 10.0  # seconds for the container that holds the network to remove the default route
_LOOK = 0.05  # seconds between two looks
GONE = "The container that holds the agent's network was started again, and this one is outside its new network."
_WATCH = 1.0  # seconds between two looks for the network
_REJECT = 0x200  # the flag of a route that leads nowhere


async def way_out(open_network: bool, routes: Path = ROUTES, patience: float = _PATIENCE) -> str:
    """Why the shell can reach more than the subject's network, in words; "" where it cannot. Waits `patience` seconds
    for the default route to go away."""
    if open_network:
        return OPEN
    end = time.monotonic() + patience
    while device := default_route(routes):
        if time.monotonic() > end:
            return f"the default route through {device} could not be removed"
        await asyncio.sleep(_LOOK)
    return ""


def default_route(routes: Path = ROUTES) -> str:
    """The device of a default route, of IPv4 or IPv6; "" if there is none."""
    for line in _lines(routes / "route")[1:]:  # the first is the heading
        device, destination, _, flags, *_, mask = line.split()[:8]
        if int(destination, 16) == int(mask, 16) == 0 and not int(flags, 16) & _REJECT:
            return device
    for line in _lines(routes / "ipv6_route"):
        destination, length, *_, flags, device = line.split()
        if int(destination, 16) == int(length, 16) == 0 and not int(flags, 16) & _REJECT:
            return device
    return ""


async def network_gone(routes: Path = ROUTES, period: float = _WATCH) -> None:
    """Returns when every route has been gone in two looks one after the other, `period` seconds apart. Without a route
    in the beginning it never returns."""
    had_network = _has_route(routes)
    looks_without = 0
    while not had_network or looks_without < 2:
        await asyncio.sleep(period)
        looks_without = 0 if _has_route(routes) else looks_without + 1


def _has_route(routes: Path) -> bool:
    """Through a device, that is: a route that leads nowhere stays where the devices have gone."""
    devices = [line.split()[0] for line in _lines(routes / "route")[1:]]
    devices += [line.split()[-1] for line in _lines(routes / "ipv6_route")]
    return any(device not in ("*", "lo") for device in devices)


def _lines(file: Path) -> list[str]:
    """None where the kernel has no such family."""
    try:
        return file.read_text().splitlines()
    except FileNotFoundError:
        return []
