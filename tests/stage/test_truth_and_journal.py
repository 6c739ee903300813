import hashlib
import json
from pathlib import Path

from operator_demo.stage.journal import Entry, Journal
from operator_demo.stage.truth import Truth, seal


def test_what_was_sealed_can_be_checked_by_anyone() -> None:
    truth = seal({"fault": "kill", "targets": ["etcd1"]})
    by_hand = hashlib.sha256((truth.nonce + '\n{"fault":"kill","targets":["etcd1"]}').encode()).hexdigest()
    assert truth.sha256 == by_hand
    assert Truth(truth.content | {"fault": "stop"}, truth.nonce).sha256 != truth.sha256
    assert seal(truth.content).sha256 != truth.sha256  # the nonce hides what can be guessed


def test_the_journal_comes_back_and_is_private(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "AB:CD/..", "demo-etcd")
    truth = seal({"fault": "kill"})
    entry = Entry("run-1", "kill", "member-kill", 7)
    journal.write(entry)
    planned = journal.read()
    assert planned == entry
    assert planned.sealed() is None
    entry.fault = "flt-1"
    entry.seal(truth)
    journal.write(entry)
    assert journal.path.parent == tmp_path / "journal"
    assert journal.path.stat().st_mode & 0o077 == 0
    again = journal.read()
    assert again == entry
    assert again.sealed().sha256 == truth.sha256
    journal.clear()
    assert journal.read() is None


def test_a_journal_of_another_version_is_none(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "e", "p")
    journal.path.parent.mkdir()
    journal.path.write_text(json.dumps({"run": "x", "new": 1}))
    assert journal.read() is None
