"""The chapters of a run, each entered on what the system really does, from the welcome to the verdict.

The host never repairs what the agent should.
"""

import time

from operator_demo import chapters, events, settings
from operator_demo.chaos.primitive import FaultError
from operator_demo.chaos.scenario import BY_HAND
from operator_demo.errors import Exit, OperatorError
from operator_demo.events import Chapter, Note, Progress, RunFinished, RunStarted, TruthOpened, TruthSealed
from operator_demo.score import Expected, grade
from operator_demo.stage import verdict
from operator_demo.stage.agent_control import AgentControl
from operator_demo.stage.context import Context
from operator_demo.stage.fallback import FallBack
from operator_demo.stage.journal import Entry
from operator_demo.stage.judging import Judging
from operator_demo.stage.loop import NO_HINT, Job, Quit
from operator_demo.stage.situation import STEADY, Situation
from operator_demo.stage.truth import Truth, seal
from operator_demo.store import StoreBusy

COUNTDOWN = 3  # seconds
DWELL = 2.0  # seconds that a chapter stays at least, where what happens brings the next one
AIM = 1.5  # seconds of the chapter "fault" in which no press can strike yet
BASELINE = 10  # seconds of good load before the fault, to compare with afterwards
START_LIMIT = 90.0  # seconds for a cluster to become healthy, and for the load to become steady
STEADY_LIMIT = 180.0  # seconds for both to stay so: a busy machine has its hiccups, and a false ticket takes its time
AGAIN_LIMIT = 60.0  # seconds within which the cluster must be healthy for a fault to come back
LAST_WORDS = 10.0  # seconds that the agent has to end its session after the verdict
STORE_LIMIT = 30.0  # seconds that another process may hold the store before the run goes without a score
SETTLE = 15.0  # seconds that a run without an agent waits for a cluster that might heal by itself


class Chapters:
    def __init__(self, context: Context) -> None:
        self.environment, self.scenario, self.options = context.environment, context.scenario, context.options
        self.journal, self.injection = context.journal, context.injection
        self.loop, self.recording = context.loop, context.recording
        self.situation, self.say = context.recording.situation, context.recording.say
        self.fault, self.judging = context.scenario.fault, Judging(context)
        self.agent = AgentControl(context)
        if self.options.fallback is not None:
            self.loop.presses.offer_recording()
        self._injecting_again: Job[None] | None = None
        self._since = 0.0  # when the chapter was entered, or the fault struck
        self.loop.each_turn.append(self._look_at_fault)
        self.recording.listeners.append(self.injection.see)

    def play(self, attach: bool) -> int:
        """Plays the run, or goes on with one whose host is gone; returns the exit status. Raises `Quit`."""
        if attach:
            self._catch_up()
            first = self.situation.chapter or chapters.NAMES[0]
        else:
            self._introduce()
            first = chapters.NAMES[0]
        names = chapters.NAMES[chapters.NAMES.index(first):]
        if attach and first != "fault" and self._entry().phase == "sealed":
            self._resume(self._entry())
        for name in names:
            self._enter(name)
            self._since = time.monotonic()
            self._perform(name)
            if name == names[-1]:
                self.loop.presses.end()
            try:
                self._hold(name)
            except Quit as quit_:
                if name != names[-1] or not quit_.by_key:
                    raise  # (in the last chapter all is said, and any key ends it)
        return self._exit_status()

    def _enter(self, name: str) -> None:
        if self.situation.chapter == name:
            return  # it was entered by a host that is gone
        s = self.situation
        chapter = chapters.chapter(name, brain=self.options.brain, mode=self.options.mode, ticket=s.ticket_state,
                                   closed=s.closed)
        own = self.scenario.telling(name)
        as_planned = chapter in chapters.CHAPTERS or s.ticket_state == self.scenario.outcome
        narration = own.narration if own.narration and as_planned else chapter.narration
        self.say(Chapter(name=name, title=chapter.title, narration=narration, notes=own.notes or chapter.notes))

    def _perform(self, name: str) -> None:
        match name:
            case "welcome":
                self._welcome()
            case "healthy":
                self._healthy()
            case "load":
                self._load()
            case "fault":
                self._fault()
            case "detection":
                self._detection()
            case "repair":
                self._repair()
            case "verified":
                self._verified()
            case "end":
                self._end()

    def _hold(self, name: str) -> None:
        """Leaves the chapter on the screen: until the key in manual mode, else for the minimum time. Between the strike
        and the verdict what happens brings the next chapter; there the presenter lets the agent begin."""
        dwell = DWELL if self.options.manual else min(DWELL, self.options.pace)
        if name in ("fault", "repair"):
            self._stay(dwell)
        elif self.options.manual:
            self.loop.await_next(self._next_step(name))
        else:
            self._stay(dwell if name == "detection" else self.options.pace)

    def _stay(self, seconds: float) -> None:
        while time.monotonic() - self._since < seconds:
            self.loop.turn()

    def _next_step(self, name: str) -> str:
        """What the key does at the end of a chapter."""
        if name == chapters.NAMES[-1]:
            return "take everything down" if not self.options.keep else "end"
        if name == "detection" and self.options.brain != "none":
            return "the agent may begin"
        return f"next: {chapters.CHAPTERS[chapters.NAMES.index(name) + 1].title}"

    # -- before the first --------------------------------------------------------------------------------------------

    def _introduce(self) -> None:
        options, environment = self.options, self.environment
        self.journal.write(Entry(options.run, self.fault.kind, options.scenario, options.seed))
        self.say(RunStarted(project=environment.project, subject=environment.found.subject.name, mode=options.mode,
                 model=options.model, brain=options.brain, version=options.version,
                 engine=environment.engine_version, seed=options.seed, clock_offset=self.recording.store.skew,
                 manual=options.manual, talk=options.talk, title=environment.found.subject.title))

    def _catch_up(self) -> None:
        """Takes in what the store holds, and what happened since the last host was gone, before anything is decided."""
        self.loop.read_store(self.recording.replay)
        self._follow()
        for source in events.OF_CONTAINERS:
            self._read_recorded(source, self.recording.seen()[source])
        if self.situation.chapter in chapters.NAMES[chapters.NAMES.index("load"):]:
            self._control_agent()

    def _read_recorded(self, source: str, after: int) -> None:
        remark = self.recording.incoming.put
        recorded = self.loop.work("monitor",
                                  lambda _: self.environment.recorded(self.options.run, source, after, remark))
        self.recording.import_(recorded)

    def _follow(self) -> None:
        """Follows the logs of our containers from where the store ends."""
        seen, incoming = self.recording.seen(), self.recording.incoming
        feed = self.loop.work("up", lambda _: self.environment.follow(self.options.run, seen, incoming))
        self.recording.follow(feed)

    # -- the system comes up -----------------------------------------------------------------------------------------

    def _welcome(self) -> None:
        environment, loop, run = self.environment, self.loop, self.options.run
        image = loop.work("images", lambda progress: environment.prepare(progress, loop.stop))
        if self.fault.kind != BY_HAND:
            loop.work("fault", lambda _: environment.check_fault(self.fault.kind, image))
        loop.work("fault", lambda _: self.injection.clear_up(image))
        loop.work("up", lambda progress: environment.up_subject(run, self.options.variables, progress, loop.stop))
        for problem in loop.work("fault", lambda _: self.injection.clear_up(image)):
            self.say(Note(level="warning", text=f"A fault of an earlier run may still be there: {problem}"))
        self._tell_about_environment()
        variables = self.options.variables | self._more_variables(image)
        profiles = self._profiles()
        loop.work("up", lambda progress: environment.up_operator(run, variables, self.options.key, profiles, progress,
                                                                 loop.stop))
        self._follow()

    def _profiles(self) -> list[str]:
        """Of our Compose file: without an agent none, with Claude also what connects it to its service."""
        agent = settings.OBSERVE if self.options.mode == settings.OBSERVE else settings.EXECUTE
        match self.options.brain:
            case "none":
                return []
            case settings.CLAUDE:
                return [agent, settings.CLAUDE]
            case _:
                return [agent]

    def _tell_about_environment(self) -> None:
        environment = self.environment
        for service, url in self.loop.work("up", lambda _: environment.addresses()).items():
            self.say(Note(level="info", text=f"{service} can be seen at {url}"))
        if environment.added_load:
            self.say(Note(level="info", text=f"{environment.added_load} makes load too; the figures are those of the "
                                             "program's own load."))
        for text in environment.remarks:
            self.say(Note(level="warning", text=text))
        stand_ins = self.loop.work("up", lambda _: environment.stand_ins)
        if stand_ins:
            text = (f"Not the real {environment.found.subject.name}: stand-ins, made for tests, answer in the place of "
                    f"{', '.join(stand_ins)}.")
            self.say(Note(level="warning", text=text, stand_ins=tuple(stand_ins)))

    def _more_variables(self, image: str) -> dict[str, str]:
        socket = self.loop.work("images", lambda _: self.environment.socket(image, self.options.engine_socket))
        variables = {"OPERATOR_IMAGE": image, "OPERATOR_ENGINE_SOCKET": socket}
        if self.environment.without_load:
            variables["OPERATOR_RATE"] = "0"
        return variables

    def _healthy(self) -> None:
        if not self.loop.wait_for(lambda s: s.healthy_looks >= STEADY, START_LIMIT):
            missing = " ".join(self.situation.run.missing)
            text = f"The cluster did not become healthy within {START_LIMIT:.0f} seconds. {missing}"
            raise OperatorError(text.strip(), NO_HINT)
        self._control_agent()

    def _control_agent(self) -> None:
        """In manual mode the agent claims no ticket before the chapter "repair" is entered."""
        before = chapters.NAMES[:chapters.NAMES.index("repair")]
        self.agent.start(hold=self.options.manual and self.situation.chapter in before)

    def _load(self) -> None:
        self.loop.require(lambda s: s.loaded_for(STEADY), START_LIMIT, "The workload never became steady")

    # -- the fault ---------------------------------------------------------------------------------------------------

    def _fault(self) -> None:
        entry = self._entry()
        if entry.phase != "planned":
            self._resume(entry)
            return
        if self.fault.kind == BY_HAND and self.situation.armed:
            return  # somebody may have broken it already
        self._await_steady()
        if self.fault.kind == BY_HAND:
            self._arm()
            self.say(Note(level="info", text="All is armed. Break it now, by hand."))
            self.loop.wait_for(lambda s: bool(s.run.strikes), self.scenario.detect_limit)
            self._since = time.monotonic()
            return
        if self.options.manual:
            self.loop.sleep(AIM)
            self.loop.await_next("strike")
            self._await_steady()  # (the presenter may have taken time)
        self._arm()
        self._plan_and_seal(entry)
        for left in range(COUNTDOWN, 0, -1):
            self.say(Progress(task="fault", item="fault", status=f"in {left}"))
            self.loop.sleep(1)
        self.loop.work("fault", lambda _: self.injection.inject())
        self._since = time.monotonic()
        self._report()

    def _arm(self) -> None:
        self._ask("arm", scenario={"allow": list(self.scenario.allow)})

    def _await_steady(self) -> None:
        """By hand, a ticket that opens before all is armed ends the run: what is broken already cannot be judged."""
        by_hand = self.fault.kind == BY_HAND

        def steady_or_broken(s: Situation) -> bool:
            if s.in_trouble:
                return by_hand
            return s.well_for(BASELINE)

        self.loop.require(steady_or_broken, STEADY_LIMIT, "The system did not stay healthy under load",
                          f"The machine may be too busy: try a lower --rate (now {self.situation.rate:g} a second).")
        if by_hand and self.situation.in_trouble:
            violated = ", ".join(sorted(self.situation.ticket_invariants))
            raise OperatorError(f"The system was broken before all was armed ({violated}).",
                                "Run it again, and break it when the screen says that all is armed.")

    def _plan_and_seal(self, entry: Entry) -> None:
        roles = self.situation.roles
        planned = self.loop.work("fault", lambda _: self.injection.plan(roles, entry.seed, self.environment.image()))
        truth = seal({"scenario": self.scenario.name, "fault": planned.kind, "targets": planned.targets,
                      "parameters": planned.parameters, "again": self.fault.again, "cause": self.scenario.cause,
                      "seed": entry.seed})
        entry.fault = planned.id
        entry.seal(truth)
        self.journal.write(entry)
        self.say(TruthSealed(sha256=truth.sha256))

    def _resume(self, entry: Entry) -> None:
        in_trouble = self.situation.ticket is not None
        self.loop.work("fault", lambda _: self.injection.resume(entry.fault, in_trouble))
        self._report()

    def _report(self) -> None:
        """A false report, where the scenario has one: a ticket opens for it, and nothing is broken."""
        ticket = self.scenario.ticket
        if ticket is not None and self.situation.ticket is None:
            self._ask("report", invariant=ticket.invariant, member=ticket.member, text=ticket.text)

    def _ask(self, op: str, **arguments: object) -> None:
        self.loop.work("monitor", lambda _: self.environment.ask(op, **arguments))

    def _look_at_fault(self) -> None:
        """In each turn: has the fault ended, and is it time for it to come back?"""
        job = self._injecting_again
        if job is None:
            if self.injection.turn(self.situation.healthy_looks >= STEADY) and not self.loop.stopping:
                self._injecting_again = self.loop.start("fault", lambda _: self.injection.inject_again())
        elif job.done:
            self._injecting_again = None
            try:
                job.result()
            except FaultError as e:
                self.say(Note(level="warning", text=e.message))

    # -- until the verdict -------------------------------------------------------------------------------------------

    def _detection(self) -> None:
        self.loop.require(lambda s: s.ticket is not None, self.scenario.detect_limit, "The monitor opened no ticket")

    def _repair(self) -> None:
        self.agent.release()
        if self.options.brain == "none":
            self.loop.wait_for(lambda s: s.closed, SETTLE)
            return
        limit = self.scenario.repair_limit
        in_time = self.loop.wait_for(lambda s: s.closed or s.ticket_state == "verifying", limit)
        if self.options.fallback is not None and not self.options.manual:  # (else the presenter decides)
            self._fall_back_unless(in_time, limit)

    def _fall_back_unless(self, in_time: bool, limit: float) -> None:
        if not in_time:
            raise FallBack(f"The agent did not finish within {limit:.0f} seconds.")
        if self.situation.run.agent.session.status == "error":
            raise FallBack("The agent could not go on: its session ended with an error.")

    def _verified(self) -> None:
        if self.options.brain != "none":
            self.loop.wait_for(lambda s: s.closed, self.scenario.repair_limit)
            self._await_return()
            self.loop.wait_for(lambda s: not s.working, LAST_WORDS)
        elif not self.situation.closed:
            self.say(Note(level="info", text="No agent was started; nobody repaired anything."))

    def _await_return(self) -> None:
        """Waits for a fault that comes back, and for the end of the second ticket, where it opens one."""
        if not self.injection.pending:
            return
        if self.loop.wait_for(lambda _: not self.injection.pending, (self.fault.again or 0.0) + AGAIN_LIMIT):
            self.loop.wait_for(lambda _: self._injecting_again is None, AGAIN_LIMIT)
            self.loop.require(lambda s: s.in_trouble or s.closed, self.scenario.detect_limit,
                              "The monitor opened no second ticket")
            self.loop.wait_for(lambda s: s.closed, self.scenario.repair_limit)

    # -- the end -----------------------------------------------------------------------------------------------------

    def _end(self) -> None:
        self.loop.work("fault", lambda _: self.injection.stop())
        entry = self._entry()
        truth = entry.sealed()
        if truth is not None:
            self.say(TruthOpened(nonce=truth.nonce, truth=truth.content, sha256=truth.sha256))
            entry.phase = "opened"
            self.journal.write(entry)
        self.judging.settle()
        for text in verdict.shortcomings(self.scenario, self.situation):
            self.say(Note(level="warning", text=text))
        outcome, status = verdict.outcome(self.scenario, self.situation), self._exit_status()
        self._score(outcome, status == Exit.OK, truth)
        self.say(RunFinished(outcome=outcome, exit_status=int(status), ttd=self.situation.ttd,
                 ttm=self.situation.ttm, waited=self.situation.waited))

    def _score(self, outcome: str, reached: bool, truth: Truth | None) -> None:
        scenario, sealed = self.scenario, truth.content if truth is not None else {}
        expected = Expected(scenario.outcome, scenario.invariants, sealed.get("cause", ""), sealed.get("targets", []))
        self.loop.wait_for(lambda _: self.recording.settled, STORE_LIMIT)
        try:
            recorded = self.loop.read_store(lambda: list(self.recording.store.events(self.options.run)), STORE_LIMIT)
        except StoreBusy as e:
            self.say(Note(level="warning", text=f"The run has no score: {e.message}"))
            return
        self.say(grade(recorded, outcome, expected, reached))

    def _exit_status(self) -> int:
        return Exit.OK if verdict.reached(self.scenario, self.situation) else Exit.NOT_REACHED

    def _entry(self) -> Entry:
        """The journal's entry of this run, written when it began."""
        entry = self.journal.read()
        if entry is None or entry.run != self.options.run:
            raise OperatorError(f"The journal of this run is gone, or another version wrote it ({self.journal.path}).",
                                "It cannot be told which fault was planned; `operator-demo down` clears up.")
        return entry
