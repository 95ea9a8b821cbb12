"""Which steps of a workflow run when: (steps, state, what ended) -> (state, what to start). No clock, no I/O.

A step that ends leaves a mark with all that need it, and with those it leads to. A step starts

- as soon as somebody leads to it, unless something that it needs is still to come;
- when all that it needs has ended; what it needs and can no longer run is left out, if anything else was there.

What a routing, a condition or a `parallel` leads to is started by that alone, also when it names the step among its
needs. Whose `when` is false is passed over: what needs it runs, what it would lead to does not. A failed step with
`on_error: continue` is as good as done, with `goto` leads there and nowhere else, and with `fail` stops everything.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Generic, TypeVar

from perdure.domain.workflow_definitions import OnError, Step, StepType

TOO_MANY_VISITS = "too-many-visits"
_COMPENSATE = "compensate"


class RunState(StrEnum):
    """Where a step stands."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a step failed: a stable type and a sentence."""

    type: str
    detail: str


@dataclass(frozen=True, slots=True)
class Visit:
    """A visit of a step before the last one, when it ended, and what it gave; None when it did not do its work."""

    number: int
    ended: int
    output: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class StepRun:
    """A step so far. `visit` counts its starts, `uncounted` those that `max_visits` does not count.

    `marks` are the needs that ended since it last started, `sent` how often it was led to, `owed` the needs that an
    `any` join did not wait for. `before` are earlier visits of a step that may have to be undone.
    """

    state: RunState = RunState.PENDING
    visit: int = 0
    uncounted: int = 0
    marks: tuple[str, ...] = ()
    sent: int = 0
    owed: tuple[str, ...] = ()
    ended: int = 0
    output: Mapping[str, Any] | None = None
    error: Failure | None = None
    passed_over: bool = False
    before: tuple[Visit, ...] = ()

    @property
    def waits(self) -> bool:
        """Whether it is to start, now or when others have ended."""
        return bool(self.marks) or self.sent > 0

    def seen(self) -> dict[str, Any]:
        """What expressions see of it."""
        error = {"type": self.error.type, "detail": self.error.detail} if self.error else None
        return {
            **(self.output or {}),
            "done": self.state is RunState.COMPLETED,
            "failed": self.state is RunState.FAILED,
            "skipped": self.state is RunState.SKIPPED,
            "error": error,
        }


State = Mapping[str, StepRun]


@dataclass(frozen=True, slots=True)
class Completed:
    """A step did its work; `leads_to` are the steps that it chose, out of those that it may lead to."""

    step: str
    output: Mapping[str, Any] = field(default_factory=dict)
    leads_to: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A step's `when` was false."""

    step: str


@dataclass(frozen=True, slots=True)
class Failed:
    """A step failed for good."""

    step: str
    failure: Failure


Ended = Completed | PassedOver | Failed


@dataclass(frozen=True, slots=True)
class Moved:
    """What comes of an event. With a `failed` step nothing more starts; `exhausted` are past their `max_visits`."""

    state: dict[str, StepRun]
    starts: tuple[str, ...] = ()
    failed: str | None = None
    exhausted: tuple[Failed, ...] = ()

    @property
    def finished(self) -> bool:
        """Whether nothing runs and nothing will."""
        return not any(run.state is RunState.RUNNING for run in self.state.values())


class Course:
    """Steps that see each other, with what leads where. Made once for a definition."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self.steps: dict[str, Step] = {step.id: step for step in steps}
        self._order = {identifier: number for number, identifier in enumerate(self.steps)}
        self._needed_by: dict[str, list[str]] = {identifier: [] for identifier in self.steps}
        self._leads: dict[str, frozenset[str]] = {}
        self._following: dict[str, tuple[str, ...]] = {}
        for step in steps:
            for need in dict.fromkeys(step.needs):
                self._needed_by[need].append(step.id)
            self._leads[step.id] = frozenset(to for label, to in step.sends if label != _COMPENSATE)
        for step in steps:
            ordered = [to for label, to in step.sends if label != _COMPENSATE]
            self._following[step.id] = tuple(dict.fromkeys([*self._needed_by[step.id], *ordered]))

    def begin(self, visits: int = 0) -> Moved:
        """The first step. `visits` are those of an attempt before, whose effects were undone."""
        state = {identifier: StepRun(visit=visits, uncounted=visits) for identifier in self.steps}
        first = next(iter(self.steps))
        state[first] = StepRun(RunState.RUNNING, visit=visits + 1, uncounted=visits)
        return Moved(self._pass_over(state), (first,))

    def advance(self, state: State, event: Ended) -> Moved:
        """What follows from the end of a step that ran."""
        runs = dict(state)
        starts: list[str] = []
        failed: str | None = None
        events: list[Ended] = [event]
        exhausted: list[Failed] = []
        for ended in events:
            if self._end(runs, ended):
                failed = failed or ended.step
            for ready in [] if failed else self._ready(runs):
                if fault := self._start(runs, ready):
                    events.append(fault)
                    exhausted.append(fault)
                else:
                    starts.append(ready)
        return Moved(runs if failed else self._pass_over(runs), tuple(starts), failed, tuple(exhausted))

    def again(self, state: State) -> Moved:
        """Steps that failed or were stopped with them start again, the others stay as they are."""
        runs = dict(state)
        starts = [
            identifier
            for identifier, run in runs.items()
            if run.state is RunState.CANCELLED
            or (run.state is RunState.FAILED and self.steps[identifier].on_error is OnError.FAIL)
        ]
        for identifier in starts:
            run = runs[identifier]
            # An effect keeps its visit, and with it the id that says whether it was done. Who was asked and did not
            # answer is asked anew; so is a workflow of its own that failed. And a step that was never begun begins.
            anew = run.visit == 0 or self.steps[identifier].type in {StepType.APPROVAL, StepType.SUB_WORKFLOW}
            more = int(anew or _is_exhausted(run))
            runs[identifier] = replace(
                run,
                state=RunState.RUNNING,
                error=None,
                visit=run.visit + more,
                uncounted=run.uncounted + (more if run.visit else 0),
            )
        for identifier, run in runs.items():
            if run.state is RunState.SKIPPED and not run.passed_over:
                runs[identifier] = replace(run, state=RunState.PENDING)
        moved = Moved(self._pass_over(runs), tuple(starts))
        return moved if starts else self._resume(moved)

    @property
    def undoes(self) -> bool:
        """Whether any step declares a compensation, here or in a loop."""
        return any(step.undoes for step in self.steps.values())

    # What one event does

    def _end(self, runs: dict[str, StepRun], event: Ended) -> bool:
        """Note how a step ended, and leave marks with others. Whether that stops everything."""
        step = self.steps[event.step]
        run = runs[event.step]
        order = 1 + max((one.ended for one in runs.values()), default=0)
        chosen: tuple[str, ...] = ()
        match event:
            case Completed(output=output, leads_to=leads_to):
                chosen = leads_to
                run = replace(run, state=RunState.COMPLETED, output=output, error=None, passed_over=False)
            case PassedOver():
                run = replace(run, state=RunState.SKIPPED, output=None, error=None, passed_over=True)
            case Failed(failure=failure):
                run = replace(run, state=RunState.FAILED, error=failure, passed_over=False)
        runs[event.step] = replace(run, ended=order)
        if isinstance(event, Failed):
            if step.on_error is OnError.FAIL:
                return True
            if step.on_error is OnError.GOTO:
                self._lead(runs, event.step, dict(step.sends)["on error"])
                return False
        for target in self._needed_by[event.step]:
            if target not in self._leads[event.step]:
                self._mark(runs, event.step, target)
        for target in chosen:
            self._lead(runs, event.step, target)
        return False

    def _mark(self, runs: dict[str, StepRun], source: str, target: str) -> None:
        run = runs[target]
        if source in run.owed:
            runs[target] = replace(run, owed=tuple(one for one in run.owed if one != source))
        elif source not in run.marks:
            runs[target] = replace(run, marks=(*run.marks, source))

    def _lead(self, runs: dict[str, StepRun], source: str, target: str) -> None:
        if source in self.steps[target].needs:
            self._mark(runs, source, target)
        else:
            runs[target] = replace(runs[target], sent=runs[target].sent + 1)

    # What is ready

    def _ready(self, runs: dict[str, StepRun]) -> Iterable[str]:
        """Steps that can start, one at a time: each that is started may be what others wait for."""
        while True:
            waiting = [one for one, run in runs.items() if run.waits and run.state is not RunState.RUNNING]
            # Who fails for being visited too often fails once: handlers of errors may lead back, too.
            for exhausted in [one for one in waiting if _is_exhausted(runs[one])]:
                runs[exhausted] = replace(runs[exhausted], marks=(), sent=0)
                waiting.remove(exhausted)
            found = next((one for one in waiting if self._complete(runs, one)), None)
            if found is None and waiting:
                found = self._without_what_cannot_come(runs, waiting)
            if found is None:
                return
            yield found

    def _complete(self, runs: Mapping[str, StepRun], identifier: str) -> bool:
        step = self.steps[identifier]
        return step.settings.get("mode") == "any" or len(runs[identifier].marks) == len(
            dict.fromkeys(step.needs)
        )

    def _without_what_cannot_come(self, runs: Mapping[str, StepRun], waiting: list[str]) -> str | None:
        running = [one for one, run in runs.items() if run.state is RunState.RUNNING]
        for identifier in waiting:
            others = [one for one in waiting if one != identifier]
            if not self._to_come(runs, identifier, [*running, *others]):
                return identifier
        # Each waits for another: the first of the definition goes on.
        return None if running else waiting[0]

    def _to_come(self, runs: Mapping[str, StepRun], identifier: str, live: list[str]) -> list[str]:
        """The needs of a step that have left no mark yet and still may, other than through the step itself."""
        missing = [need for need in self.steps[identifier].needs if need not in runs[identifier].marks]
        if not missing:
            return []
        reached = self._reached(live, identifier)
        return [need for need in missing if need in reached]

    def _reached(self, live: Iterable[str], without: str | None = None) -> set[str]:
        found: set[str] = set()
        at_hand = [one for one in live if one != without]
        while at_hand:
            identifier = at_hand.pop()
            if identifier not in found:
                found.add(identifier)
                at_hand.extend(one for one in self._following[identifier] if one != without)
        return found

    def _start(self, runs: dict[str, StepRun], identifier: str) -> Failed | None:
        """Start a step; one that was visited as often as it may fails instead."""
        step, run = self.steps[identifier], runs[identifier]
        owed: tuple[str, ...] = ()
        if step.settings.get("mode") == "any":
            live = [one for one, other in runs.items() if other.state is RunState.RUNNING or other.waits]
            owed = tuple(dict.fromkeys([*run.owed, *self._to_come(runs, identifier, live)]))
        run = replace(run, marks=(), sent=max(0, run.sent - 1), owed=owed)
        if step.max_visits is not None and run.visit - run.uncounted >= step.max_visits:
            runs[identifier] = replace(run, state=RunState.RUNNING)
            detail = f"The step was to run more often than max_visits allows, which is {step.max_visits}."
            return Failed(identifier, Failure(TOO_MANY_VISITS, detail))
        if run.ended and step.undoes and not run.passed_over:
            output = (run.output or {}) if run.state is RunState.COMPLETED else None
            run = replace(run, before=(*run.before, Visit(run.visit, run.ended, output)))
        runs[identifier] = replace(run, state=RunState.RUNNING, visit=run.visit + 1, error=None)
        return None

    def _resume(self, moved: Moved) -> Moved:
        """After nothing had to be started again: what waited may be ready."""
        runs = dict(moved.state)
        starts = [ready for ready in self._ready(runs) if self._start(runs, ready) is None]
        return Moved(self._pass_over(runs), tuple(starts))

    def _pass_over(self, runs: dict[str, StepRun]) -> dict[str, StepRun]:
        """Steps that never ran and cannot any more are skipped."""
        live = [one for one, run in runs.items() if run.waits or run.state is RunState.RUNNING]
        reached = self._reached(live)
        for identifier, run in runs.items():
            if run.state is RunState.PENDING and identifier not in reached:
                runs[identifier] = replace(run, state=RunState.SKIPPED)
        return runs


Place = TypeVar("Place")


@dataclass(frozen=True, slots=True)
class Done(Generic[Place]):
    """What was done in one place: at the top, or for one entry of a loop.

    `cut_off` are the steps whose effect was under way when all was stopped, and may have happened. `entries` are those
    of loops, those that ended first before the others, each with the `visit` of the loop that it belongs to. `place` is
    whatever the caller knows it by.
    """

    place: Place
    course: Course
    state: State
    cut_off: frozenset[str] = frozenset()
    entries: Mapping[str, Sequence["Done[Place]"]] = field(default_factory=dict)
    visit: int = 1


@dataclass(frozen=True, slots=True)
class Undoing(Generic[Place]):
    """A compensation that is due: `step` undoes what `undone` did in a visit, in this place, and sees its `output`."""

    place: Place
    step: str
    undone: str
    visit: int
    output: Mapping[str, Any] | None


def undoings(done: Done[Place]) -> list[Undoing[Place]]:
    """All compensations, the last that was done first. What was under way is later than all that had ended."""
    visits: list[tuple[bool, int, int, str, Visit, bool]] = []
    for place, (identifier, run) in enumerate(done.state.items()):
        visits += [(False, one.ended, place, identifier, one, one.output is not None) for one in run.before]
        is_whole = run.state is RunState.COMPLETED
        last = Visit(run.visit, run.ended, run.output if is_whole else None)
        is_cut_off = run.state in {RunState.RUNNING, RunState.CANCELLED}
        is_done = is_whole or identifier in done.cut_off
        visits.append((is_cut_off, run.ended, place, identifier, last, is_done))
    found: list[Undoing[Place]] = []
    for *_, identifier, visit, is_done in sorted(visits, key=lambda one: one[:3], reverse=True):
        step = done.course.steps[identifier]
        if is_done and step.compensate:
            found.append(Undoing(done.place, step.compensate, identifier, visit.number, visit.output))
        for entry in reversed(done.entries.get(identifier, ())):
            if entry.visit == visit.number:
                found.extend(undoings(entry))
    return found


def _is_exhausted(run: StepRun) -> bool:
    return run.error is not None and run.error.type == TOO_MANY_VISITS


def stopped(state: State) -> dict[str, StepRun]:
    """What runs is not going on."""
    return {
        identifier: replace(run, state=RunState.CANCELLED) if run.state is RunState.RUNNING else run
        for identifier, run in state.items()
    }


def state_json(state: State) -> dict[str, Any]:
    """A state as JSON holds it, without what is as it was at first."""
    return {identifier: held for identifier, run in state.items() if (held := _run_json(run))}


def state_of(steps: Iterable[str], held: Mapping[str, Any]) -> dict[str, StepRun]:
    """The state again, unchanged."""
    return {identifier: _run_of(held.get(identifier, {})) for identifier in steps}


_TEXTS = ("visit", "uncounted", "sent", "ended", "passed_over")


def _run_json(run: StepRun) -> dict[str, Any]:
    held: dict[str, Any] = {name: getattr(run, name) for name in _TEXTS if getattr(run, name)}
    if run.state is not RunState.PENDING:
        held["state"] = run.state.value
    if run.marks:
        held["marks"] = list(run.marks)
    if run.owed:
        held["owed"] = list(run.owed)
    if run.output is not None:
        held["output"] = dict(run.output)
    if run.error:
        held["error"] = [run.error.type, run.error.detail]
    if run.before:
        held["before"] = [[one.number, one.ended, one.output] for one in run.before]
    return held


def _run_of(held: Mapping[str, Any]) -> StepRun:
    return StepRun(
        state=RunState(held.get("state", "pending")),
        marks=tuple(held.get("marks", ())),
        owed=tuple(held.get("owed", ())),
        output=held.get("output"),
        error=Failure(*held["error"]) if held.get("error") else None,
        before=tuple(Visit(*one) for one in held.get("before", ())),
        **{name: held[name] for name in _TEXTS if name in held},
    )
