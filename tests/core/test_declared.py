"""`subject.yaml`: what is understood of it, and what its subject makes of the answers of members."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operator_demo.declared import parse
from operator_demo.declared_subject import DeclaredSubject, subject_of
from operator_demo.errors import UsageError
from operator_demo.plain_subject import Description
from operator_demo.subject import KEY, VALUE, Member, Probed

MEMBERS = ("pg0", "pg1", "pg2")
POSTGRES = """
title: PostgreSQL, a primary and two replicas
leader: {exec: primary}
invariants:
  replica_not_streaming: {not: leader, exec: streaming, severity: warning, grace: 2, text: the replica does not stream}
oracle:
  write: {only: leader, exec: "write '$KEY' '$VALUE'"}
  read: {exec: "read '$KEY'"}
  same: {exec: digest}
layout: {pg0: database}
"""
FINE = Probed(0, "")


def subject(text: str = POSTGRES) -> DeclaredSubject:
    made = subject_of(Description("pg", "pg", MEMBERS, text))
    assert isinstance(made, DeclaredSubject)
    return made


def members(answer: Callable[[str, str, Sequence[str]], Probed]) -> list[Member]:
    """Members that answer a command line with `answer(member, line, the words after it)`."""
    def member(n: int, name: str) -> Member:
        def probe(command: Sequence[str], timeout: float) -> Probed:
            return answer(name, command[2], command[4:])

        return Member(name, f"p-{name}-1", "running", f"10.0.0.{n}", probe=probe)

    return [member(n, name) for n, name in enumerate(MEMBERS)]


class Cluster:
    """Three databases; `leader` takes writes, and replicas in `behind` never get them."""

    def __init__(self, leader: str | None = "pg0", behind: tuple[str, ...] = ()) -> None:
        self.leader, self.behind = leader, behind
        self.rows: dict[str, str] = {}

    def __call__(self, name: str, line: str, words: Sequence[str]) -> Probed:
        if line == "primary":
            return Probed(0 if name == self.leader else 1, "")
        if line == "streaming":
            return Probed(1, "noise\nnot in recovery\n") if name in self.behind else FINE
        if line == "digest":
            return Probed(0, "old" if name in self.behind else "new")
        if "write" in line:
            self.rows[words[0]] = words[1]
            return FINE
        known = words[0] in self.rows and name not in self.behind
        return Probed(0 if known else 1, "")


def test_what_is_run_in_members_is_declared() -> None:
    commands = subject().probes
    assert ("/bin/sh", "-c", "primary") in commands
    assert ("/bin/sh", "-c", "KEY=$1 VALUE=$2; write '$KEY' '$VALUE'", "probe", KEY, VALUE) in commands
    assert len(commands) == 5


def test_a_healthy_look() -> None:
    seen = subject().observe(members(Cluster()), 2.0)
    assert seen.cluster["leader"] == "pg0"
    assert [m["leader"] for m in seen.members.values()] == [True, False, False]
    assert seen.members["pg0"]["kind"] == "database"
    assert subject().violations(seen) == []


def test_a_rule_is_asked_only_of_whom_it_concerns() -> None:
    violated = subject().violations(subject().observe(members(Cluster(behind=("pg0", "pg2"))), 2.0))
    assert [v.key for v in violated] == ["replica_not_streaming:pg2"]
    assert violated[0].text == "pg2: the replica does not stream (exit status 1: not in recovery)."
    assert violated[0].severity == "warning"


def test_nobody_leads() -> None:
    assert "no_leader" in [v.key for v in subject().violations(subject().observe(members(Cluster(leader=None)), 2.0))]


def test_a_probe_may_be_of_some_members_only() -> None:
    some = subject("invariants: {sick: {of: [pg1, pg2], exec: a}}\noracle: {same: {of: pg1, exec: b}}")
    everybody = members(lambda name, line, _: Probed(1, name))
    assert [v.key for v in some.violations(some.observe(everybody, 2.0))] == ["sick:pg1", "sick:pg2"]
    assert some.agreement(members(lambda name, line, _: Probed(0, name)), [], 1.0).status == "passed"


def test_a_member_that_is_down_is_asked_nothing() -> None:
    some = members(Cluster())
    some[2] = replace(some[2], state="exited", address=None, exit_code=137)
    assert [v.key for v in subject().violations(subject().observe(some, 2.0))] == ["member_down:pg2"]


def test_the_data_plane_writes_through_the_leader_and_reads_everywhere() -> None:
    check = subject().data_plane(members(Cluster()), 2.0)
    assert (check.status, check.saw) == ("passed", "what was written through pg0 was read back through pg0, pg1, pg2")
    check = subject().data_plane(members(Cluster(behind=("pg1",))), 0.5)
    assert (check.status, "pg1 does not return" in check.saw) == ("failed", True)
    assert subject().data_plane(members(Cluster(leader=None)), 0.5).saw == "no member takes writes"


def test_agreement_is_the_same_answer_from_all() -> None:
    assert subject().agreement(members(Cluster()), [], 1.0).status == "passed"
    assert subject().agreement(members(Cluster(behind=("pg1",))), [], 0.4).status == "failed"
    assert subject().agreement(members(lambda *_: Probed(None, "no end")), [], 0.4).saw.startswith("pg0:")


def test_without_an_oracle_nothing_is_checked() -> None:
    plain = subject("title: Mine\n")
    assert (plain.title, plain.probes) == ("Mine", [])
    assert plain.data_plane([], 1.0).status == plain.agreement([], [], 1.0).status == "not_checked"


@pytest.mark.parametrize(("text", "message"), [
    ("titel: x", "subject.yaml:1: the key 'titel' is not supported"),
    ("leader: {}", "subject.yaml:1: leader: exactly one of exec, http and tcp"),
    ("leader: {exec: a, tcp: 1}", "exactly one of exec, http and tcp"),
    ("invariants:\n  Bad: {exec: a}", "subject.yaml:2: .*'Bad' is not the name of an invariant"),
    ("invariants:\n  a: {exec: a, severity: high}", "subject.yaml:2: .*'high' is none of critical, warning"),
    ("invariants: {a: {exec: a, grace: -1}}", "a number of seconds from 0 to 600"),
    ("invariants: {a: {exec: a, only: leader}}", "the key 'leader' is missing"),
    ("leader: {exec: a}\ninvariants: {a: {exec: a, only: leader, not: leader}}", "only and not exclude each other"),
    ("invariants: {a: {http: {path: /}}}", "the port is missing"),
    ("oracle: {write: {exec: a $KEY $VALUE}}", "write and read are given together"),
    ("oracle: {write: {exec: a $KEY}, read: {exec: $KEY}}", r"\$VALUE does not occur"),
    ("oracle: {same: {tcp: 1}}", "exec is expected here"),
    ("invariants: {a: {exec: a, of: pg9}}", "'pg9' is none of pg0, pg1, pg2"),
    ("layout: {other: x}", "the key 'other' is not supported"),
    ("- a", "a mapping is expected here")])
def test_a_mistake_is_named_by_its_place(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse(text, "subject.yaml", MEMBERS)


@given(st.text())
def test_no_text_is_too_strange(text: str) -> None:
    with contextlib.suppress(UsageError):
        parse(text, "subject.yaml", MEMBERS)
