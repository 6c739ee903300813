"""The chapters of a run and their texts."""

from dataclasses import dataclass


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
