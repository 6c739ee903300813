"""What the host asks of the monitor's container, and what `ctl` answers there."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from operator_demo import events, rpc, settings, wire
from operator_demo.commands.ctl import ctl
from operator_demo.errors import OperatorError
from operator_demo.events import Event, Reasoning
from operator_demo.stage import control
from operator_demo.stage.control import Control
from operator_demo.store import Recorder, Store

RUN, NONCE = "run-1", "0123456789abcdef"
ENVIRONMENT = {"OPERATOR_RUN": RUN, "OPERATOR_SUBJECT": "etcd", "OPERATOR_PROJECT": "p"}


@pytest.fixture
def volume(tmp_path: Path) -> list[Event]:
    """What an agent said, in the volume."""
    with Store(tmp_path / "tickets.db") as store:
        agent = Recorder(store, RUN, events.AGENT, io.StringIO())
        for n in range(4):
            agent.say(Reasoning(kind="text", text=f"{n}"), session="ses-1")
        return list(store.events(RUN))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """What the monitor was asked at its socket."""
    requests: list[tuple[str, dict[str, Any]]] = []

    def call(path: Path, op: str, timeout: float = 5.0, **arguments: Any) -> dict[str, Any]:
        requests.append((op, arguments))
        return {"done": op}

    monkeypatch.setattr(rpc, "call", call)
    return requests


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], tuple[int, bytes, bytes]]:
    """`operator-demo ctl` in the monitor's container, with this on stdin."""
    nonce_file = tmp_path / "nonce"
    nonce_file.write_text(NONCE)
    monkeypatch.setattr(settings, "NONCE_FILE", nonce_file)

    def run(request: bytes) -> tuple[int, bytes, bytes]:
        result = CliRunner().invoke(ctl, [], input=request, env=ENVIRONMENT | {"OPERATOR_DATA": str(tmp_path)})
        error = str(result.exception) if isinstance(result.exception, OperatorError) else result.stderr
        return result.exit_code, result.stdout_bytes, error.encode()

    return run


@pytest.fixture
def host(inside: Callable[[bytes], tuple[int, bytes, bytes]], monkeypatch: pytest.MonkeyPatch) -> Control:
    """One that runs `ctl` here instead of in a container."""
    def exec_in(engine: object, container: str, argv: list[str], *, stdin: Callable[[str], bytes],
                timeout: float) -> tuple[int, bytes, bytes]:
        return inside(stdin("exec-7"))

    monkeypatch.setattr(control, "exec_in", exec_in)
    monkeypatch.setattr(control, "read_file_from", lambda engine, container, path: f"{NONCE}\n".encode())
    return Control(None, "id-monitor")  # type: ignore[arg-type]


Asked = list[tuple[str, dict[str, Any]]]


def test_a_request_of_the_host_carries_nonce_and_exec(host: Control, asked: Asked) -> None:
    assert host.ask("arm", scenario={"allow": []}) == {"done": "arm"}
    assert asked == [("announce", {"nonce": NONCE, "ids": ["exec-7"]}),
                     ("arm", {"nonce": NONCE, "scenario": {"allow": []}})]


@pytest.mark.parametrize("nonce", [{}, {"nonce": ""}, {"nonce": "guessed"}, {"nonce": None}, {"nonce": [NONCE]}])
@pytest.mark.parametrize("op", ["arm", "events", "rate"])
def test_a_request_without_the_nonce_is_refused(inside: Callable[[bytes], tuple[int, bytes, bytes]], asked: Asked,
                                                volume: list[Event], op: str, nonce: dict[str, object]) -> None:
    request = {"op": op, "run": RUN, "source": "agent", "after": 0, "scenario": {"allow": ["member_id", "data"]}}
    status, out, err = inside(json.dumps(request | nonce).encode())
    assert status != 0 and b"lacks the run's nonce" in err
    assert out == b"" and asked == []


def test_events_are_read_also_where_the_monitor_starts_again(host: Control, volume: list[Event],
                                                             monkeypatch: pytest.MonkeyPatch) -> None:
    def call(*_: object, **__: object) -> None:
        raise rpc.RpcError("Nobody answers.")

    monkeypatch.setattr(rpc, "call", call)
    remarks: list[str] = []
    assert host.events(RUN, events.AGENT, 1, remarks.append) == volume[1:]
    assert host.events(RUN, events.AGENT, 0, remarks.append, types=("finding",)) == []
    assert remarks == []


def test_an_event_of_a_later_version_in_the_volume_is_a_remark(host: Control, volume: list[Event],
                                                               monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [json.dumps({**json.loads(line), "v": 2}, separators=(",", ":")) if n == 2 else line
             for n, line in enumerate(written(volume))]
    monkeypatch.setattr(control, "exec_in", lambda *_, **__: (0, "\n".join(lines).encode(), b""))
    remarks: list[str] = []
    assert host.events(RUN, events.AGENT, 0, remarks.append) == [*volume[:2], *volume[3:]]
    (remark,) = remarks
    assert "schema version 2, expected 1" in remark


def written(volume: list[Event]) -> list[str]:
    return [line for event in volume for line in wire.encode(event)]
