"""What the stage must know to go on: the run's state, and how long all has been well."""

from operator_demo import events
from operator_demo.events import Event
from operator_demo.run_state import RunState
from operator_demo.ticket_state import Ticket

STEADY = 3  # observations or seconds of load in a row that must be good
GOOD_RATE = 0.8  # of the operations that the workload aims at


class Situation:
    """A view of `run`, in the words of the stage; of its own it counts only what is good in a row."""

    def __init__(self) -> None:
        self.run = RunState()
        self.healthy_looks = 0
        self.loaded_seconds = 0
        self._load_lost = False  # nothing makes load any more

    def apply(self, e: Event) -> None:
        self.run.apply(e)
        match e.data:
            case events.Observation(members=members, violations=violations):
                good = bool(members) and not violations and all(m.healthy for m in members.values())
                self.healthy_looks = self.healthy_looks + 1 if good else 0
            case events.Load() as load:
                good = load.ops >= GOOD_RATE * self.rate and not load.failed
                self.loaded_seconds = self.loaded_seconds + 1 if good else 0

    def lose_load(self) -> None:
        """From now on nothing makes load."""
        self._load_lost = True

    def loaded_for(self, seconds: int) -> bool:
        """Has the load been good for so long, or is there none to wait for?"""
        return self.without_load or self.loaded_seconds >= seconds

    def well_for(self, seconds: int) -> bool:
        """Is the cluster healthy, and has the load been good for so long? Without a load the looks of the monitor
        count, about one a second."""
        return self.loaded_for(seconds) and self.healthy_looks >= (seconds if self.without_load else STEADY)

    @property
    def without_load(self) -> bool:
        return self._load_lost or self.run.rate == 0

    @property
    def chapter(self) -> str:
        return self.run.chapter.name

    @property
    def roles(self) -> dict[str, str]:
        """Member -> leader or follower, of those that are healthy."""
        return {name: "leader" if m.leader else "follower" for name, m in self.run.members.items() if m.healthy}

    @property
    def rate(self) -> float:
        return self.run.rate or 0.0

    @property
    def armed(self) -> bool:
        return self.run.armed is not None

    @property
    def working(self) -> bool:
        """A session of the agent is under way."""
        return self.run.agent.working

    @property
    def waits_for_presenter(self) -> bool:
        """A request waits for an answer, or the agent stands still: limits stand still as well."""
        return bool(self.run.waiting) or self.run.agent.paused

    @property
    def incident(self) -> Ticket | None:
        """The fault's ticket once the fault has struck, or may have by somebody's hand; before, the last one."""
        struck = self.run.fault.strikes or self.run.by_hand
        return self.run.fault_ticket if struck else self.run.ticket

    @property
    def ticket(self) -> str | None:
        return self.incident.id if self.incident is not None else None

    @property
    def ticket_state(self) -> str:
        return self.incident.state if self.incident is not None else ""

    @property
    def ticket_invariants(self) -> set[str]:
        return self.incident.invariants if self.incident is not None else set()

    @property
    def closed(self) -> bool:
        return self.incident is not None and self.incident.closed is not None

    @property
    def in_trouble(self) -> bool:
        """A ticket is open."""
        return self.incident is not None and self.incident.closed is None

    @property
    def ttd(self) -> float | None:
        return self.run.ttd

    @property
    def ttm(self) -> float | None:
        return self.run.ttm

    @property
    def waited(self) -> float | None:
        """None where the agent never waited for the presenter."""
        return round(self.run.waited, 3) or None
