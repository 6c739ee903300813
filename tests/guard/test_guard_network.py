"""The agent's network: the default route goes, the gateway is unreachable, and no name outside exists."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operator_demo.agent import confinement
from operator_demo.guard.network import no_such_name, remove_ways_out

QUERY = b"\x12\x34\x01\x20" + b"\x00\x01\x00\x00\x00\x00\x00\x01"
QUESTION = b"\x07example\x03com\x00\x00\x01\x00\x01"
EDNS = b"\x00\x00\x29\x10\x00\x00\x00\x00\x00\x00\x00"
HEADING = "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n"


class FakeIp:
    def __init__(self, **routes: str) -> None:
        self.routes, self.changes = {"-4": routes.get("v4", ""), "-6": routes.get("v6", "")}, list[str]()

    def __call__(self, family: str, *words: str) -> str:
        if words == ("route", "show", "default"):
            return self.routes[family]
        self.changes.append(" ".join([family, *words]))
        return ""


def test_each_default_route_goes_and_its_gateway_is_unreachable() -> None:
    ip = FakeIp(v4="default via 172.19.0.1 dev eth0\ndefault dev eth1\n", v6="default via fd00::1 dev eth0 metric 1\n")
    remove_ways_out(ip)
    assert ip.changes == ["-4 route del default", "-4 route add unreachable 172.19.0.1", "-4 route del default",
                          "-6 route del default", "-6 route add unreachable fd00::1"]


def test_without_a_default_route_nothing_changes() -> None:
    ip = FakeIp()
    remove_ways_out(ip)
    assert ip.changes == []


def test_there_is_no_such_name() -> None:
    assert no_such_name(QUERY + QUESTION + EDNS) == b"\x12\x34\x81\x03" + b"\x00\x01" + bytes(6) + QUESTION


def test_an_answer_is_not_answered() -> None:
    assert no_such_name(QUERY[:2] + b"\x81" + QUERY[3:] + QUESTION) == b""


@given(st.binary(max_size=600))
def test_any_bytes_get_an_answer_that_is_no_longer_than_they_are(query: bytes) -> None:
    answer = no_such_name(query)
    assert len(answer) <= len(query)
    assert answer == b"" or (answer[:2] == query[:2] and answer[2] & 0x80)


def routes(folder: Path, v4: str = "", v6: str = "") -> Path:
    (folder / "route").write_text(HEADING + v4)
    (folder / "ipv6_route").write_text(v6)
    return folder


@pytest.mark.parametrize(("v4", "v6", "device"), [
    ("eth0 000013AC 00000000 0001 0 0 0 0000FFFF 0 0 0\n* 010013AC 00000000 0205 0 0 0 FFFFFFFF 0 0 0\n", "", ""),
    ("eth0 00000000 010013AC 0003 0 0 0 00000000 0 0 0\n", "", "eth0"),
    ("* 00000000 00000000 0205 0 0 0 00000000 0 0 0\n", "", ""),
    ("", f"{'0' * 32} 00 {'0' * 32} 00 {'0' * 32} ffffffff 00000001 00000000 00200200       lo\n", ""),
    ("", f"{'0' * 32} 00 {'0' * 32} 00 {'f' * 32} 00000400 00000001 00000000 00000003     eth1\n", "eth1"),
])
def test_a_default_route_is_seen(tmp_path: Path, v4: str, v6: str, device: str) -> None:
    assert confinement.default_route(routes(tmp_path, v4, v6)) == device


def test_without_ipv6_there_is_no_file(tmp_path: Path) -> None:
    routes(tmp_path).joinpath("ipv6_route").unlink()
    assert confinement.default_route(tmp_path) == ""


def test_what_is_not_enforced_is_said(tmp_path: Path) -> None:
    routes(tmp_path, "eth0 00000000 010013AC 0003 0 0 0 00000000 0 0 0\n")
    said = asyncio.run(confinement.way_out(False, tmp_path, patience=0.1))
    assert said == "the default route through eth0 could not be removed"
    assert asyncio.run(confinement.way_out(True, tmp_path)) == confinement.OPEN


def test_the_agent_waits_until_the_route_is_gone(tmp_path: Path) -> None:
    async def wait() -> str:
        routes(tmp_path, "eth0 00000000 010013AC 0003 0 0 0 00000000 0 0 0\n")
        waiting = asyncio.create_task(confinement.way_out(False, tmp_path, patience=30))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        routes(tmp_path)
        return await waiting

    assert asyncio.run(wait()) == ""


LINK = "eth0 000013AC 00000000 0001 0 0 0 0000FFFF 0 0 0\n"
LO = f"{'0' * 32} 00 {'0' * 32} 00 {'0' * 32} ffffffff 00000001 00000000 00200200       lo\n"


def test_the_network_is_gone_when_every_route_is(tmp_path: Path) -> None:
    async def lose() -> None:
        routes(tmp_path, LINK, LO)
        watching = asyncio.create_task(confinement.network_gone(tmp_path, period=0.02))
        await asyncio.sleep(0.2)
        assert not watching.done()
        routes(tmp_path, "* 010013AC 00000000 0205 0 0 0 FFFFFFFF 0 0 0\n", LO)
        await asyncio.wait_for(watching, 30)

    asyncio.run(lose())


def test_where_no_network_was_none_is_lost(tmp_path: Path) -> None:
    async def watch() -> None:
        routes(tmp_path, "", LO)
        await asyncio.wait_for(confinement.network_gone(tmp_path, period=0.01), 0.3)

    with pytest.raises(TimeoutError):
        asyncio.run(watch())
