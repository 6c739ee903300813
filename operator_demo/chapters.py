"""The chapters of a run and what is said in them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Chapter:
    name: str
    title: str
    narration: str
    notes: str = ""  # for the speaker alone


CHAPTERS = (
    Chapter("welcome", "Welcome", "A real distributed system starts in containers on this machine.",
            "Say what will come: a fault that the agent is not told of, and a repair that is checked from outside."),
    Chapter("healthy", "A healthy cluster", "Every member is up, one leads, and all agree on the data.",
            "Name the members, and who leads. Nothing on this screen is a recording."),
    Chapter("load", "Under load", "Clients read and write all the time. Every acknowledged write is remembered.",
            "Let the rate become steady before you go on; what comes after is compared with it."),
    Chapter("fault", "A fault", "Now something breaks."),
    Chapter("detection", "Detection", "The monitor sees an invariant violated and opens a ticket."),
    Chapter("repair", "Diagnosis and repair", "The agent takes the ticket: it looks, finds the cause, and acts."),
    Chapter("verified", "Verified", "Nobody takes the agent's word. The oracle checks the repair from outside.",
            "Read two or three of the checks aloud. They compare with how it was before the fault."),
    Chapter("end", "The end", "What happened, how long it took, and where to read every step.",
            "The summary stays on the screen. `operator-demo audit show last` has every command, if somebody asks."),
)
NAMES = tuple(chapter.name for chapter in CHAPTERS)
