"""The chapters of a run and their texts."""

from dataclasses import dataclass

from operator_demo.settings import APPROVE, OBSERVE


@dataclass(frozen=True)
class Chapter:
    name: str
    title: str
    narration: str
    notes: str = ""  # for the speaker alone


CHAPTERS = (
    Chapter("welcome", "Welcome", "A real distributed system starts in containers on this machine.",
            "Say what will come: a fault unknown to the agent, and a repair that is verified from outside."),
    Chapter("healthy", "A healthy cluster", "Every member is up, one leads, and all agree on the data.",
            "Name the members, and who leads. Nothing on this screen is a recording."),
    Chapter("load", "Under load", "Clients read and write all the time. Every acknowledged write is remembered.",
            "Let the rate become steady before you go on; what comes after is compared with it."),
    Chapter("fault", "A fault", "Now something breaks."),
    Chapter("detection", "Detection", "The monitor sees an invariant violated and opens a ticket."),
    Chapter("repair", "Diagnosis and repair", "The agent claims the ticket, finds the cause, and repairs it."),
    Chapter("verified", "Verified", "The agent's claim does not count. The oracle verifies the repair from outside.",
            "Read two or three of the checks aloud. They compare with how it was before the fault."),
    Chapter("end", "The end", "What happened, how long it took, and where to read every step.",
            "The summary stays on the screen. `operator-demo audit show last` has every command, if somebody asks."),
)
NAMES = tuple(chapter.name for chapter in CHAPTERS)

_OTHERWISE = {
    "no agent": Chapter("repair", "Nobody repairs it", "This run has no agent. The system is left to itself."),
    "only looks": Chapter("repair", "Diagnosis", "The agent claims the ticket and finds the cause. It may look, and "
                          "change nothing."),
    "asks": Chapter("repair", "Diagnosis and repair", "The agent claims the ticket and finds the cause. It asks before "
                    "it changes anything."),
    "was cleared": Chapter("repair", "Nothing to repair", "The system healed before an agent took the ticket."),
    "was resolved": Chapter("repair", "Repaired", "The agent claimed the ticket, found the cause, and repaired it."),
    "was escalated": Chapter("repair", "With a human", "The ticket went to a human. The agent repairs nothing."),
    "escalated": Chapter("verified", "With a human", "The ticket went to a human. No repair was verified."),
    "cleared": Chapter("verified", "Healed", "The system healed while nobody held the ticket. No repair was verified."),
    "not verified": Chapter("verified", "Not verified", "Nobody has handed a repair to the oracle."),
}


def chapter(name: str, *, brain: str, mode: str, ticket: str, closed: bool) -> Chapter:
    """The chapter as it is true in this run. `ticket` is the state of the incident's ticket."""
    usual = CHAPTERS[NAMES.index(name)]
    if name == "repair":
        if closed:
            return _OTHERWISE[f"was {ticket}"]
        if brain == "none":
            return _OTHERWISE["no agent"]
        return _OTHERWISE.get({OBSERVE: "only looks", APPROVE: "asks"}.get(mode, ""), usual)
    if name == "verified" and ticket not in ("verifying", "resolved"):
        return _OTHERWISE.get(ticket, _OTHERWISE["not verified"])
    return usual
