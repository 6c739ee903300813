"""The headline: what is true now, in each situation, and never two things that cannot both be."""

import re
from collections.abc import Callable

import pytest
from any_event import any_event
from hypothesis import given, settings
from hypothesis import strategies as st
from story import SESSION, TICKET, Author, members, story, until

from operator_demo import events
from operator_demo.events import AGENT, GUARD, MONITOR, STAGE, Event
from operator_demo.headline import headline
from operator_demo.run_state import RunState

Sentence = Callable[["Script"], None]
MINE = {"ticket": TICKET, "session": SESSION}
VIOLATION = {"key": "member_down:etcd1", "invariant": "member_down", "member": "etcd1"}


class Script(Author):
    """Sentences of a run; each is said a second after the one before."""

    def __init__(self) -> None:
        super().__init__()
        self._at = 0.0

    def tell(self, source: str, type: str, **data: object) -> None:
        self._at += 1
        self.say(self._at, source, type, **data)


def look(down: str | None = None, state: str = "exited", *, quorum: bool = True,
         violated: tuple[str, ...] = ()) -> Sentence:
    def tell(s: Script) -> None:
        seen = members(down)
        if down:
            seen[down]["state"] = state
        s.tell(MONITOR, "observation", members=seen, cluster={"quorum": quorum}, violations=violated, duration=0.1)
    return tell


def say(source: str, type: str, **data: object) -> Sentence:
    return lambda s: s.tell(source, type, **data)


def told(*sentences: Sentence) -> str:
    script, state = Script(), RunState()
    for sentence in sentences:
        sentence(script)
    for e in script.events:
        state.apply(e)
    return headline(state)


def chapter(name: str) -> Sentence:
    return say(STAGE, "chapter", name=name, title=name, narration="")


WELL, DOWN = look(), look("etcd1")
ARMED = say(MONITOR, "armed", fingerprint={}, checks=[])
SEALED = say(STAGE, "truth_sealed", sha256="ab")
STRIKE = say(STAGE, "fault", phase="injecting", kind="kill", targets=["etcd1"])
OPEN = say(MONITOR, "ticket_opened", ticket=TICKET, subject="etcd", severity="critical", title="t",
           violations=[VIOLATION])
REPORTED = say(MONITOR, "ticket_opened", ticket=TICKET, subject="etcd", severity="critical", title="t",
               violations=[VIOLATION], reported=True)
HOLD, GO = say(MONITOR, "agent_order", order="hold"), say(MONITOR, "agent_order", order="go")
PAUSE, STOP = say(MONITOR, "agent_order", order="pause"), say(MONITOR, "agent_order", order="stop")
LOAD = say(events.WORKLOAD, "load", ops=201, p50=0.1, p99=0.2, errors={})
FINDING = say(AGENT, "finding", **MINE, member="etcd1", cause="process_killed", text="killed")
START = say(GUARD, "guard", caller="agent", ruling="allow", rule="docker start", method="POST", path="/",
            member="etcd1")
LOOKED = say(GUARD, "guard", caller="agent", ruling="allow", rule="docker exec: without privileges", method="POST",
             path="/", member="etcd1")
VERIFYING = say(AGENT, "ticket_verifying", **MINE, summary="done", actions=[])
RETURNED = say(MONITOR, "ticket_returned", ticket=TICKET, session=SESSION, words="no")
PASSED = say(MONITOR, "verdict", ticket=TICKET, phase="final", passed=True, checks=[])
RESOLVED = say(MONITOR, "ticket_resolved", ticket=TICKET, outcome="repaired")
ASKED = say(GUARD, "approval_requested", id="a", rule="docker stop", method="POST", path="/", digest="d", limit=90.0,
            member="etcd1")


def started(mode: str = "execute") -> Sentence:
    return say(STAGE, "run_started", project="p", subject="etcd", mode=mode, model="m", brain="rehearsal", version="v",
               engine="e", seed=1, manual=True)


def claim(mode: str = "execute") -> Sentence:
    def tell(s: Script) -> None:
        s.tell(AGENT, "ticket_claimed", **MINE, holder=SESSION)
        s.tell(AGENT, "session_started", **MINE, model="m", brain="rehearsal", mode=mode)
    return tell


def escalated(source: str, by: str = "") -> Sentence:
    return say(source, "ticket_escalated", ticket=TICKET, reason="r", by=by)


def finished(status: str) -> Sentence:
    return say(AGENT, "session_finished", **MINE, status=status, summary="")


def over(outcome: str) -> Sentence:
    return say(STAGE, "run_finished", outcome=outcome, exit_status=0)


STRUCK = (ARMED, SEALED, STRIKE)
AT_WORK = (started(), *STRUCK, OPEN, claim())


@pytest.mark.parametrize(("sentences", "words"), [
    ((), "The system starts."),
    ((started(), say(MONITOR, "monitor_started", subject="etcd", members=["etcd1"])), "The system starts."),
    ((started(), DOWN, say(MONITOR, "readiness", missing=["etcd1 does not answer."])),
     "The system starts: 2 of 3 members are healthy. Not ready yet: etcd1 does not answer."),
    ((started(), WELL), "All 3 members are healthy, and etcd1 leads."),
    ((started(), WELL, LOAD),
     "All 3 members are healthy, and etcd1 leads. Clients read and write, 201 times a second."),
    ((started(), WELL, LOAD, chapter("fault")),
     "All 3 members are healthy, and etcd1 leads. A fault comes next, and nobody has told the agent which."),
    ((started(), WELL, ARMED, SEALED),
     "All 3 members are healthy, and etcd1 leads. The fault is chosen and sealed; it strikes in a moment."),
    ((started(), WELL, ARMED, chapter("detection")),
     "All 3 members are healthy, and etcd1 leads. All is armed: somebody breaks it now, by hand."),
    ((started(), *STRUCK, DOWN), "etcd1 is down. The fault has struck, and the monitor has not noticed it yet."),
    ((started(), *STRUCK, look("etcd1", "paused")),
     "etcd1 is frozen. The fault has struck, and the monitor has not noticed it yet."),
    ((started(), *STRUCK, look("etcd1", "running")),
     "etcd1 does not answer. The fault has struck, and the monitor has not noticed it yet."),
    ((started(), *STRUCK, OPEN, DOWN), "etcd1 is down. A ticket is open, and the agent is about to take it."),
    ((started(), HOLD, *STRUCK, OPEN, DOWN), "etcd1 is down. A ticket is open, and the agent waits for its go."),
    ((started(), HOLD, *STRUCK, OPEN, STOP, DOWN),
     "etcd1 is down. A ticket is open. The presenter has stopped the agent."),
    ((started(), REPORTED, WELL),
     "All 3 members are healthy, and etcd1 leads. A fault was reported, and the agent is about to take it."),
    ((say(STAGE, "run_started", project="p", subject="etcd", mode="execute", model="none", brain="none", version="v",
          engine="e", seed=1), *STRUCK, OPEN, DOWN), "etcd1 is down. A ticket is open. This run has no agent."),
    ((*AT_WORK, DOWN), "etcd1 is down. The agent looks for the cause."),
    ((*AT_WORK, LOOKED, DOWN), "etcd1 is down. The agent looks for the cause."),
    ((*AT_WORK, PAUSE, DOWN), "etcd1 is down. The agent stands still after this step."),
    ((*AT_WORK, PAUSE, say(AGENT, "agent_paused", **MINE), DOWN),
     "etcd1 is down. The agent stands still until the presenter lets it go on."),
    ((*AT_WORK, STOP, DOWN), "etcd1 is down. The agent stops after this step."),
    ((*AT_WORK, FINDING, DOWN), "etcd1 is down. The agent has named the cause, process killed."),
    ((*AT_WORK, FINDING, START, DOWN),
     "etcd1 is down. The agent has named the cause, process killed, and starts etcd1 again."),
    ((*AT_WORK, START, DOWN), "etcd1 is down. The agent starts etcd1 again."),
    ((started("observe"), *STRUCK, OPEN, claim("observe"), FINDING, DOWN),
     "etcd1 is down. The agent has named the cause, process killed, and may change nothing."),
    ((*AT_WORK, ASKED, DOWN), "etcd1 is down. The agent waits for an answer: docker stop on etcd1."),
    ((*AT_WORK, finished("error"), DOWN),
     "etcd1 is down. The agent's session has ended, and its ticket is still open."),
    ((*AT_WORK, VERIFYING, WELL), "All 3 members are healthy, and etcd1 leads. The agent says that it is repaired; "
                                  "the oracle checks it from outside."),
    ((*AT_WORK, START, VERIFYING, RETURNED, DOWN),
     "etcd1 is down. The oracle did not accept the repair. The agent looks again."),
    ((*AT_WORK, VERIFYING, RETURNED, START, DOWN),
     "etcd1 is down. The oracle did not accept the repair. The agent starts etcd1 again."),
    ((*AT_WORK, VERIFYING, PASSED, RESOLVED, WELL),
     "All 3 members are healthy, and etcd1 leads. It is repaired, and the oracle has verified it from outside."),
    ((*AT_WORK, VERIFYING, PASSED, RESOLVED, DOWN), "etcd1 is down. Its ticket was closed before."),
    ((*AT_WORK, VERIFYING, PASSED, RESOLVED, say(STAGE, "fault", phase="injected", kind="kill", targets=["etcd1"]),
      say(STAGE, "fault", phase="again", kind="kill", targets=["etcd1"]), DOWN),
     "etcd1 is down. The fault has struck again, and the monitor has not noticed it yet."),
    ((*AT_WORK, escalated(AGENT), DOWN), "etcd1 is down. The agent gave it up, and the ticket is with a human."),
    ((*AT_WORK, escalated(AGENT, "presenter"), DOWN),
     "etcd1 is down. The presenter stopped the agent, and the ticket is with a human."),
    ((*AT_WORK, escalated(AGENT), finished("error"), DOWN),
     "etcd1 is down. The agent failed, and the ticket is with a human."),
    ((*AT_WORK, escalated(AGENT), finished("budget"), DOWN),
     "etcd1 is down. The agent's budget is used up, and the ticket is with a human."),
    ((*AT_WORK, escalated(STAGE), DOWN), "etcd1 is down. The agent is gone, and the ticket is with a human."),
    ((*AT_WORK, VERIFYING, RETURNED, VERIFYING, escalated(MONITOR), DOWN),
     "etcd1 is down. The oracle did not accept the repair, and the ticket is with a human."),
    ((started(), *STRUCK, OPEN, say(MONITOR, "ticket_cleared", ticket=TICKET), WELL),
     "All 3 members are healthy, and etcd1 leads. It healed while nobody held the ticket."),
    ((started(), OPEN, say(MONITOR, "ticket_cleared", ticket=TICKET), WELL),
     "All 3 members are healthy, and etcd1 leads."),
    ((*AT_WORK, look("etcd1", quorum=False)), "etcd1 is down: the quorum is lost. The agent looks for the cause."),
    ((*AT_WORK, look(quorum=False)), "The quorum is lost. The agent looks for the cause."),
    ((*AT_WORK, look(violated=("client_errors",))),
     "All 3 members are up, but not all is well. The agent looks for the cause."),
    ((*AT_WORK, DOWN, over("interrupted")), "The run was interrupted."),
    ((*AT_WORK, DOWN, over("failed")), "The run could not go on."),
    ((*AT_WORK, DOWN, over("escalated")), "It is not repaired: the ticket is with a human."),
    ((*AT_WORK, DOWN, over("unverified")), "The run is over, and no repair is proved."),
    ((*AT_WORK, DOWN, over("repaired"), say(STAGE, "contradiction", text="no")),
     "The record is contradicted, so nothing is proved."),
])
def test_each_situation_is_told(sentences: tuple[Sentence, ...], words: str) -> None:
    assert told(*sentences) == words


def test_the_end_of_the_story_tells_how_long_it_took() -> None:
    state = RunState()
    for e in story():
        state.apply(e)
    assert headline(state) == ("The agent repaired it, and the oracle verified that from outside, 25 s after the "
                               "fault.")


def test_two_members_and_many() -> None:
    names = [f"m{n}" for n in range(9)]
    gone = {"state": "exited", "healthy": False}

    def seen(down: int) -> Sentence:
        return say(MONITOR, "observation", cluster={}, violations=[], duration=0.1,
                   members={name: gone if n < down else {"state": "running", "healthy": True}
                            for n, name in enumerate(names)})

    assert told(ARMED, seen(2)) == "m0 and m1 are down."
    assert told(ARMED, seen(5)) == "5 members are not well."


# -- never a contradiction --------------------------------------------------------------------------------------------


def check(state: RunState) -> None:
    words = headline(state)
    assert words
    assert "\n" not in words
    assert not (state.quorum is False and state.outcome is None and " leads" in words.split(". ")[0]), words
    if "members are healthy" in words and "of" not in words.partition(" members")[0]:
        assert all(m.healthy for m in state.members.values()), words
    verified = any(t.verified is not None for t in state.tickets.values()) or state.outcome is not None
    assert verified or not re.search("has verified|is repaired, and", words), words
    assert not ("waits for its go" in words and state.agent.order == "go"), words
    assert not ("stands still until" in words and not state.agent.paused), words


@settings(max_examples=300, deadline=None)
@given(st.lists(any_event(), max_size=12))
def test_no_event_leaves_it_without_words(many: list[Event]) -> None:
    state = RunState()
    for e in many:
        state.apply(e)
        assert headline(state)


SENTENCES = (
    WELL, DOWN, look("etcd2", quorum=False), look(quorum=False), look(violated=("client_errors",)), *STRUCK, OPEN,
    REPORTED, claim(), HOLD, GO, PAUSE, STOP, say(AGENT, "agent_paused", **MINE), FINDING, START, VERIFYING,
    say(AGENT, "agent_resumed", **MINE, seconds=1.0), RETURNED, PASSED, RESOLVED, ASKED, escalated(AGENT),
    escalated(STAGE), finished("error"), LOAD, chapter("fault"), chapter("detection"),
    say(MONITOR, "ticket_cleared", ticket=TICKET), over("repaired"))


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(SENTENCES), max_size=15))
def test_it_never_contradicts_the_state_or_itself(sentences: list[Sentence]) -> None:
    script, state = Script(), RunState()
    for sentence in sentences:
        sentence(script)
    for e in script.events:
        state.apply(e)
        check(state)


@pytest.mark.parametrize("at", range(45))
def test_it_holds_in_every_second_of_a_run(at: int) -> None:
    state = RunState()
    for e in until(at):
        state.apply(e)
    check(state)
