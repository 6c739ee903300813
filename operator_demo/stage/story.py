"""The chapters of a run and what is said in them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Chapter:
    name: str
    title: str
    narration: str


CHAPTERS = (
    Chapter("welcome", "Welcome", "A real distributed system starts in containers on this machine."),
    Chapter("healthy", "A healthy cluster", "Every member is up, one leads, and all agree on the data."),
    Chapter("load", "Under load", "Clients read and write all the time. Every acknowledged write is remembered."),
    Chapter("fault", "A fault", "Now something breaks."),
    Chapter("detection", "Detection", "The monitor sees an invariant violated and opens a ticket."),
    Chapter("repair", "Diagnosis and repair", "The agent takes the ticket: it looks, finds the cause, and acts."),
    Chapter("verified", "Verified", "Nobody takes the agent's word. The oracle checks the repair from outside."),
    Chapter("end", "The end", "What happened, how long it took, and where to read every step."),
)
NAMES = tuple(chapter.name for chapter in CHAPTERS)
