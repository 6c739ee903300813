"""The run: chapter after chapter, each entered on what the system really does, from the welcome to the verdict.

One loop. It drains the feed, stores, folds, lets the display draw, and looks whether the chapter is over. Whatever
takes long (images, up, down) happens in a thread while the loop goes on. The host never repairs what the agent should.
"""

import queue
import signal
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import FrameType
from typing import Any

from operator_demo import chapters, events
from operator_demo.chaos.journal import FaultJournal
from operator_demo.chaos.primitive import FaultError
from operator_demo.chaos.scenario import BY_HAND, Scenario
from operator_demo.engine import find_socket
from operator_demo.errors import Exit, OperatorError
from operator_demo.events import Event
from operator_demo.score import Expected, grade
from operator_demo.screen.display import Display
from operator_demo.stage import feed, verdict
from operator_demo.stage.environment import Environment
from operator_demo.stage.feed import Feed
from operator_demo.stage.injection import Injection
from operator_demo.stage.journal import Entry, Journal
from operator_demo.stage.situation import STEADY, Situation
from operator_demo.stage.truth import Truth, seal
from operator_demo.store import Store, StoreError

COUNTDOWN = 3  # seconds
BASELINE = 10  # seconds of good load before the fault, to compare with afterwards
START_LIMIT = 90.0  # seconds for a cluster to become healthy, and for the load to flow
STEADY_LIMIT = 180.0  # seconds for both to stay so: a busy machine has its hiccups, and a false ticket takes its time
AGAIN_LIMIT = 60.0  # seconds within which the cluster must be well for a fault to come back
LAST_WORDS = 10.0  # seconds that the agent has to end its session after the verdict
SETTLE = 15.0  # seconds that a run without an agent waits for a cluster that might heal by itself
BEAT = 0.05  # seconds between two turns of the loop at most


@dataclass(frozen=True)
class Options:
    """What the presenter chose. `pace` is the least time of a chapter in seconds."""

    run: str
    scenario: str  # a name, or the path of a file
    mode: str
    brain: str  # claude, rehearsal or none
    model: str
    variables: dict[str, str]  # for agent.compose.yaml
    engine_socket: str | None  # on the engine's own side; None: to be found
    key: str
    manual: bool
    keep: bool
    pace: float
    seed: int
    version: str


class Quit(BaseException):
    """A signal or the presenter's key ends the run; carries the exit status and whether all goes down."""

    def __init__(self, status: int, down: bool, by_key: bool = False) -> None:
        super().__init__()
        self.status, self.down, self.by_key = status, down, by_key


class Stage:
    def __init__(self, environment: Environment, scenario: Scenario, store: Store, journal: Journal,
                 faults: FaultJournal, display: Display, options: Options) -> None:
        self.environment, self.scenario, self.store = environment, scenario, store
        self.journal, self.display, self.options = journal, display, options
        self.situation = Situation()
        self.store.skew = environment.engine.clock_offset()
        self.feed: Feed | None = None
        self._signal: int | None = None
        self._stop = threading.Event()
        self.fault = scenario.fault
        self.injection = Injection(environment, faults, options.run, self.fault, self.say, self._work, self._announce)
        self._striking = False
        self._pressed_next = False
        self._store_failed = False
        self._progress: queue.SimpleQueue[tuple[str, str, str]] = queue.SimpleQueue()

    # -- the whole ---------------------------------------------------------------------------------------------------

    def perform(self, attach: bool = False) -> int:
        """Plays the run (or goes on with one whose host is gone) and returns the exit status."""
        before = {s: signal.signal(s, self._on_signal) for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        try:
            self.display.start()
            try:
                status = self._play(attach)
            finally:
                self.display.stop()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        return status

    def _play(self, attach: bool) -> int:
        down = not self.options.keep
        try:
            status = self._chapters(attach)
        except Quit as quit_:
            status, down = quit_.status, quit_.down and not self.options.keep
            self._finish("interrupted", status)
        except OperatorError as e:
            if self._store_failed:
                e.hint += f" The containers were stopped; `operator-demo down --project {self.environment.project}` " \
                          "takes over what they recorded and removes them."
            self.say("note", level="error", text=e.message)
            self._finish("failed", e.exit_status)
            self._take_down(down)
            raise
        except BaseException:
            self._take_down(down)
            raise
        self._take_down(down)
        return status

    def _chapters(self, attach: bool) -> int:
        acts = {
            "welcome": self._welcome, "healthy": self._healthy, "load": self._load, "fault": self._fault,
            "detection": self._detection, "repair": self._repair, "verified": self._verified, "end": self._end,
        }
        names = list(chapters.NAMES)
        if attach:
            self._replay()
            self._attach()
            self._catch_up()
            names = names[names.index(self.situation.chapter or "welcome"):]
            entry = self._entry()
            if entry.phase == "sealed" and names[0] != "fault":
                self._resume(entry)
        if not attach:
            self._introduce()
        for name in names:
            chapter = next(c for c in chapters.CHAPTERS if c.name == name)
            if self.situation.chapter != name:
                told = self.scenario.telling(name)
                self.say("chapter", name=name, title=chapter.title, narration=told.narration or chapter.narration,
                         notes=told.notes or chapter.notes)
            entered = time.monotonic()
            acts[name]()
            try:
                self._hold(entered)
            except Quit as quit_:
                if name != names[-1] or not quit_.by_key:
                    raise  # (in the last chapter all is said, and any key ends it)
        return self._verdict()

    def _hold(self, entered: float) -> None:
        """Leaves the chapter on the screen: until the key in manual mode, else for the least time."""
        while not self._next_pressed() if self.options.manual else time.monotonic() - entered < self.options.pace:
            self.turn()

    # -- the chapters ------------------------------------------------------------------------------------------------

    def _introduce(self) -> None:
        o, environment = self.options, self.environment
        self.journal.write(Entry(o.run, self.fault.kind, o.scenario, o.seed))
        self.say("run_started", project=environment.project, subject=environment.found.subject.name, mode=o.mode,
                 model=o.model, brain=o.brain, version=o.version, engine=environment.engine.version, seed=o.seed,
                 clock_offset=self.store.skew, manual=o.manual)

    def _welcome(self) -> None:
        o, environment = self.options, self.environment
        image = self._work("images", lambda progress: environment.prepare(progress, self._stop))
        if self.fault.kind != BY_HAND:
            self.injection.probe(image)
        self.injection.clear_up(image)
        self._work("up", lambda progress: environment.up_subject(o.run, o.variables, progress, self._stop))
        for problem in self.injection.clear_up(image):
            self.say("note", level="warning", text=f"A fault of an earlier run may still be there: {problem}")
        for service, url in environment.addresses().items():
            self.say("note", level="info", text=f"{service} can be seen at {url}")
        for text in environment.remarks:
            self.say("note", level="warning", text=text)
        if environment.stand_ins:
            self.say("note", level="warning", stand_ins=environment.stand_ins,
                     text=f"Not the real {environment.found.subject.name}: stand-ins, made for tests, answer in the "
                          f"place of {', '.join(environment.stand_ins)}.")
        socket = self._work("images", lambda _: find_socket(environment.engine, image, o.engine_socket))
        variables = o.variables | {"OPERATOR_IMAGE": image, "OPERATOR_ENGINE_SOCKET": socket}
        if environment.without_load:
            variables |= {"OPERATOR_RATE": "0"}
        profile = None if o.brain == "none" else o.mode
        self._work("up", lambda progress: environment.up_operator(o.run, variables, o.key, profile, progress,
                                                                  self._stop))
        self._attach()

    def _healthy(self) -> None:
        self._until(lambda s: s.healthy_looks >= STEADY, START_LIMIT, "The cluster did not become healthy")

    def _load(self) -> None:
        self._until(lambda s: s.loaded_for(STEADY), START_LIMIT, "The load did not flow")

    def _fault(self) -> None:
        entry = self._entry()
        if entry.phase != "planned":
            self._resume(entry)
            return
        if self.fault.kind == BY_HAND and self.situation.armed:
            return  # somebody may have broken it already
        self._until(lambda s: s.loaded_for(BASELINE) and s.healthy_looks >= STEADY and not s.in_trouble,
                    STEADY_LIMIT, "The system did not stay healthy under load",
                    f"The machine may be too busy: try a lower --rate (now {self.situation.rate:g} a second).")
        self._control("arm", scenario={"allow": list(self.scenario.allow)})
        if self.fault.kind == BY_HAND:
            self.say("note", level="info", text="All is armed. Break it now, by hand.")
            return
        planned = self.injection.plan(self.situation.roles, entry.seed, self._image())
        truth = seal({"scenario": self.scenario.name, "fault": planned.kind, "targets": planned.targets,
                      "parameters": planned.parameters, "again": self.fault.again, "cause": self.scenario.cause,
                      "seed": entry.seed})
        entry.fault = planned.id
        entry.seal(truth)
        self.journal.write(entry)
        self.say("truth_sealed", sha256=truth.sha256)
        for left in range(COUNTDOWN, 0, -1):
            self.say("progress", task="fault", item="fault", status=f"in {left}")
            self._sleep(1)
        self.injection.inject()
        self._report()

    def _report(self) -> None:
        """Somebody reports what is not so: the ticket is opened for it, and nothing is broken."""
        said = self.scenario.ticket
        if said is not None and self.situation.ticket is None:
            self._control("report", invariant=said.invariant, member=said.member, text=said.text)

    def _entry(self) -> Entry:
        """The journal's entry of this run, written when it began."""
        entry = self.journal.read()
        if entry is None or entry.run != self.options.run:
            raise OperatorError(f"The journal of this run is gone ({self.journal.path}).",
                                "It cannot be told which fault was planned; `operator-demo down` clears up.")
        return entry

    def _announce(self, containers: list[str], seconds: float, hold: bool = False) -> None:
        """Tells the monitor that what happens to these containers in the next seconds is the fault, nobody's deed; with
        `hold` no ticket opens meanwhile."""
        self._control("fault", containers=containers, seconds=seconds, hold=hold)

    def _resume(self, entry: Entry) -> None:
        self.injection.resume(entry.fault, self.situation.ticket is not None)
        self._report()

    def _image(self) -> str:
        """That of our containers, which the helpers use too."""
        return next((c.image for c in self.environment.operators()), "")

    def _detection(self) -> None:
        self._until(lambda s: s.ticket is not None, self.scenario.detect_limit, "The monitor opened no ticket")

    def _repair(self) -> None:
        if self.options.brain == "none":
            self._sleep_until(lambda s: s.closed, SETTLE)
            return
        self._sleep_until(lambda s: s.closed or s.ticket_state == "verifying", self.scenario.repair_limit)

    def _verified(self) -> None:
        if self.options.brain != "none":
            self._sleep_until(lambda s: s.closed, self.scenario.repair_limit)
            self._await_return()
            self._sleep_until(lambda s: not s.working, LAST_WORDS)
        elif not self.situation.closed:
            self.say("note", level="info", text="No agent was started; nobody repaired anything.")

    def _await_return(self) -> None:
        """A fault that comes back is waited for, and a second ticket that it opens is seen to its end."""
        if not self.injection.pending:
            return
        if self._sleep_until(lambda _: not self.injection.pending, (self.fault.again or 0.0) + AGAIN_LIMIT):
            self._until(lambda s: s.in_trouble or s.closed, self.scenario.detect_limit,
                        "The monitor opened no second ticket")
            self._sleep_until(lambda s: s.closed, self.scenario.repair_limit)

    def _end(self) -> None:
        self.injection.stop()
        entry = self._entry()
        truth = entry.sealed()
        if truth is not None:
            self.say("truth_opened", nonce=truth.nonce, truth=truth.content, sha256=truth.sha256)
            entry.phase = "opened"
            self.journal.write(entry)
        for text in verdict.shortcomings(self.scenario, self.situation):
            self.say("note", level="warning", text=text)
        outcome, status = verdict.outcome(self.scenario, self.situation), self._verdict()
        self._score(outcome, status == Exit.OK, truth)
        self._finish(outcome, status)

    def _score(self, outcome: str, reached: bool, truth: Truth | None) -> None:
        scenario, sealed = self.scenario, truth.content if truth is not None else {}
        expected = Expected(scenario.outcome, scenario.invariants, sealed.get("cause", ""), sealed.get("targets", []))
        self.say("score", **grade(list(self.store.events(self.options.run)), outcome, expected, reached))

    def _verdict(self) -> int:
        return Exit.OK if verdict.reached(self.scenario, self.situation) else Exit.NOT_REACHED

    # -- the loop ----------------------------------------------------------------------------------------------------

    def turn(self) -> None:
        """One turn: what came in is stored, folded and drawn. Raises `Quit`."""
        batch = self._drain()
        if batch:
            self._take(batch)
        if not self._striking and self.injection.turn(self.situation):
            self._strike_again()
        self.display.tick(time.time() + self.store.skew)
        if self._signal is not None:
            number, self._signal = self._signal, None
            raise Quit(128 + number, down=number != signal.SIGHUP)
        if "quit" in self._keys():
            raise Quit(Exit.INTERRUPTED, down=True, by_key=True)

    def _strike_again(self) -> None:
        self._striking = True
        try:
            self.injection.strike_again()
        except FaultError as e:
            self.say("note", level="warning", text=e.message)
        finally:
            self._striking = False

    def _drain(self) -> list[Event]:
        batch: list[Event] = []
        end = time.monotonic() + BEAT
        while True:
            try:
                task, item, status = self._progress.get_nowait()
                batch.append(events.event(self.options.run, events.STAGE,
                                          events.Progress(task=task, item=item, status=status)))
            except queue.Empty:
                break
        if self.feed is None:
            time.sleep(BEAT)
            return batch
        while (left := end - time.monotonic()) > 0 and len(batch) < 500:
            try:
                item_ = self.feed.items.get(timeout=left)
            except queue.Empty:
                break
            if isinstance(item_, Event):
                batch.append(item_)
            else:
                batch.append(self._note(item_))
        return batch

    def _note(self, text: str) -> Event:
        return events.event(self.options.run, events.STAGE, events.Note(level="warning", text=text))

    def _take(self, batch: Iterable[Event]) -> None:
        """Stores what is new, then folds and shows it. A store that failed once is left alone: the rest is shown."""
        new = list(batch)
        if not self._store_failed:
            try:
                with self.store.transaction():
                    new = [stored for event in new if (stored := self._stored(event))]
            except StoreError:
                self._store_failed = True
                raise
        for event in new:
            if not events.TYPES[event.type].ephemeral:
                self.situation.apply(event)
                self.injection.see(event)
            self.display.event(event)

    def _stored(self, event: Event) -> Event | None:
        """The containers' events keep their number, the stage's get theirs here; None when it was there already."""
        if events.TYPES[event.type].ephemeral:
            return event
        if event.source == events.STAGE:
            return self.store.record(event)
        return event if self.store.import_([event]) else None

    def say(self, type: str, /, **data: Any) -> None:
        self._take([events.event(self.options.run, events.STAGE, events.TYPES[type].of(data))])

    def _until(self, condition: Callable[[Situation], bool], limit: float, failure: str,
               hint: str = "`operator-demo audit show last` and the containers' logs tell more; try `--keep`.") -> None:
        if not self._sleep_until(condition, limit):
            raise OperatorError(f"{failure} within {limit:.0f} seconds.", hint)

    def _sleep_until(self, condition: Callable[[Situation], bool], limit: float) -> bool:
        end = time.monotonic() + limit
        while not condition(self.situation):
            if time.monotonic() > end:
                return False
            self.turn()
        return True

    def _sleep(self, seconds: float) -> None:
        self._sleep_until(lambda _: False, seconds)

    def _work(self, task: str, work: Callable[[Callable[[str, str], None]], Any]) -> Any:
        """Does long work in a thread while the loop turns; its result, or its exception."""
        result: list[Any] = []
        error: list[BaseException] = []

        def run() -> None:
            try:
                result.append(work(lambda item, status: self._progress.put((task, item, status))))
            except BaseException as e:
                error.append(e)

        thread = threading.Thread(target=run, name=task)
        thread.start()
        while thread.is_alive():
            try:
                self.turn()
            except (Quit, OperatorError) as e:  # the work must end before anything can be taken down
                self._stop.set()
                error.insert(0, e)
        if error:
            raise error[0]
        return result[0]

    def _keys(self) -> list[str]:
        pressed = []
        while True:
            try:
                pressed.append(self.display.keys.get_nowait())
            except queue.Empty:
                break
        self._pressed_next = self._pressed_next or "next" in pressed
        return pressed

    def _next_pressed(self) -> bool:
        pressed, self._pressed_next = self._pressed_next, False
        return pressed

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._signal = number

    # -- the containers ----------------------------------------------------------------------------------------------

    def _attach(self) -> None:
        """Follows the logs of our containers from where the store ends."""
        if self.feed is not None:
            self.feed.stop()
        seen = {source: self.store.last_seq(self.options.run, source) for source in events.SOURCES}
        self.feed = Feed(self.environment.engine, self.options.run, seen)
        self.feed.follow(self.environment.operators())

    def _catch_up(self) -> None:
        """Takes over what happened since the last host was gone, before anything is decided."""
        monitor = self.environment.monitor()
        if monitor is None or monitor.state != "running":
            return
        for source in (events.MONITOR, events.AGENT, events.WORKLOAD):
            last = self.store.last_seq(self.options.run, source)
            self._take(feed.read_events(self.environment.engine, monitor.id, self.options.run, source, last))

    def _replay(self) -> None:
        for event in self.store.events(self.options.run):
            self.situation.apply(event)
            self.injection.see(event)
            self.display.event(event)

    def _control(self, op: str, **arguments: Any) -> Any:
        monitor = self.environment.monitor()
        if monitor is None:
            raise OperatorError("The monitor's container is gone.", "`operator-demo down` clears up; then run again.")
        return self._work("monitor", lambda _: feed.control(self.environment.engine, monitor.id, op, **arguments))

    def _finish(self, outcome: str, status: int) -> None:
        self.say("run_finished", outcome=outcome, exit_status=int(status), ttd=self.situation.ttd,
                 ttm=self.situation.ttm)

    def _take_down(self, down: bool) -> None:
        """Everything goes, or, with `--keep` and on hang-up, only our ear at the logs. Nothing is lost either way."""
        self.injection.stop()
        if down or self.options.keep:
            self._revert(containers_go=down)
        self._stop.set()
        if down:
            self._patiently("down", lambda _: self.environment.stop_operators())
        if self.feed is not None:
            self._patiently("down", lambda _: self.feed.stop() if self.feed else None)
            self._take(self._drain())
            self.feed = None
        if self._store_failed:  # the containers' own record is all there is: `down` takes it over later
            self._patiently("down", lambda _: self.environment.halt())
        if self._store_failed or not down:
            return
        for event in self.environment.drain(self.store, self.options.run):
            self.situation.apply(event)
            self.display.event(event)
        self._patiently("down", lambda progress: self.environment.down(volumes=True, progress=progress))
        self.journal.clear()
        self.injection.journal.forget()

    def _revert(self, containers_go: bool) -> None:
        for problem in self.injection.revert(containers_go):
            self.say("note", level="warning", text=f"A fault could not be taken back: {problem}")

    def _patiently(self, task: str, work: Callable[[Callable[[str, str], None]], Any]) -> None:
        """Long work that is carried to its end whatever key or signal comes meanwhile."""
        try:
            self._work(task, work)
        except Quit:
            pass

