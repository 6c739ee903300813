import io
import threading
from pathlib import Path

import pytest

from operator_demo import events, tickets
from operator_demo.store import Recorder, Store
from operator_demo.tickets import TicketStateError

RUN = "run-test"


@pytest.fixture
def store(tmp_path: Path):
    with Store(tmp_path / "tickets.db", durable=True) as opened:
        yield opened


@pytest.fixture
def monitor(store: Store) -> Recorder:
    return Recorder(store, RUN, events.MONITOR, io.StringIO())


@pytest.fixture
def agent(store: Store) -> Recorder:
    return Recorder(store, RUN, events.AGENT, io.StringIO())


@pytest.fixture
def ticket(monitor: Recorder) -> str:
    return tickets.open_(monitor, subject="etcd", severity="critical", title="t", violations=[])


def lapse(store: Store) -> None:
    store.execute("UPDATE tickets SET lease_until=1")


def test_one_open_ticket_a_run(monitor: Recorder, ticket: str) -> None:
    with pytest.raises(TicketStateError):
        tickets.open_(monitor, subject="etcd", severity="critical", title="t", violations=[])


def test_of_many_claims_one_wins(store: Store, ticket: str) -> None:
    won: list[str] = []

    def claim(name: str) -> None:
        with Store(store.path, durable=True) as own:
            if tickets.claim(Recorder(own, RUN, events.AGENT, io.StringIO()), name):
                won.append(name)

    threads = [threading.Thread(target=claim, args=(f"ses-{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert tickets.get(store, ticket)["holder"] == won[0]


def test_a_lapsed_lease_may_be_taken_and_its_old_holder_is_out(store: Store, agent: Recorder, ticket: str) -> None:
    assert tickets.claim(agent, "ses-1")
    assert tickets.claim(agent, "ses-2") is None
    lapse(store)
    assert tickets.claim(agent, "ses-2")
    for move in (lambda: tickets.renew(store, ticket, "ses-1"),
                 lambda: tickets.verify(agent, ticket, "ses-1", "", []),
                 lambda: tickets.release(agent, ticket, "ses-1", ""),
                 lambda: tickets.escalate(agent, ticket, "", session="ses-1")):
        with pytest.raises(TicketStateError, match="held by ses-2"):
            move()


def test_returned_once_then_escalated(monitor: Recorder, agent: Recorder, ticket: str) -> None:
    tickets.claim(agent, "ses-1")
    tickets.verify(agent, ticket, "ses-1", "done", [])
    assert tickets.judge(monitor, ticket, False, "no") == "acknowledged"
    tickets.verify(agent, ticket, "ses-1", "done", [])
    assert tickets.judge(monitor, ticket, False, "no") == "escalated"
    with pytest.raises(TicketStateError):
        tickets.judge(monitor, ticket, True, "")


def test_a_held_ticket_is_never_cleared(store: Store, monitor: Recorder, agent: Recorder, ticket: str) -> None:
    tickets.claim(agent, "ses-1")
    with pytest.raises(TicketStateError):
        tickets.clear(monitor, ticket)
    lapse(store)
    tickets.clear(monitor, ticket)
    assert tickets.get(store, ticket)["state"] == "cleared"
    assert tickets.current(store, RUN) is None


def test_the_oracle_judges_only_what_is_said_to_be_repaired(monitor: Recorder, ticket: str) -> None:
    with pytest.raises(TicketStateError):
        tickets.judge(monitor, ticket, True, "")


def test_released_is_open_again(monitor: Recorder, agent: Recorder, store: Store, ticket: str) -> None:
    tickets.claim(agent, "ses-1")
    tickets.release(agent, ticket, "ses-1", "interrupted")
    assert tickets.get(store, ticket)["state"] == "open"
    assert tickets.claim(agent, "ses-2")
