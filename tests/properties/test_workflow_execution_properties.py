"""Any workflow of any shape comes to an end, whatever its steps do and in whatever order they end."""

import json
import random
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from perdure.domain.workflow_definitions import OnError, Step, StepType
from perdure.domain.workflow_execution import (
    Completed,
    Course,
    Ended,
    Failed,
    Failure,
    Moved,
    PassedOver,
    RunState,
    state_json,
    state_of,
    stopped,
)

MOST = 5_000


def any_steps(seed: int, count: int, *, ways_back: bool) -> tuple[Step, ...]:
    """Steps that need and lead to others; ways back are bounded at each step, so that any loop is."""
    chance = random.Random(seed)
    names = [f"s{number}" for number in range(count)]
    steps: list[Step] = []
    led: set[str] = set()
    for number, name in enumerate(names):
        before = names[:number]
        # What others lead to needs nothing, unless there are ways back: then anything goes.
        needs = chance.sample(before, min(len(before), chance.choice([0, 1, 1, 2, 3])))
        needs = needs if ways_back or name not in led else []
        later = [one for one in names[number + 1 :] if one not in led]
        targets = names if ways_back else later
        leads = chance.sample(targets, min(len(targets), chance.choice([0, 0, 0, 1, 2])))
        led |= set(leads)
        on_error = chance.choice(list(OnError))
        handlers = (names if ways_back else [one for one in later if one not in leads]) or [""]
        handler = chance.choice(handlers) if on_error is OnError.GOTO else ""
        on_error = OnError.CONTINUE if on_error is OnError.GOTO and not handler else on_error
        led |= {handler} - {""}
        sends = [("", one) for one in leads] + ([("on error", handler)] if handler else [])
        steps.append(
            Step(
                name,
                StepType.JOIN,
                needs=tuple(needs),
                on_error=on_error,
                max_visits=chance.choice([1, 2, 3]) if ways_back else None,
                settings={"mode": chance.choice(["all", "all", "any"])} if ways_back else {},
                sends=tuple(sends),
            )
        )
    return tuple(steps)


def outcome(seed: int, step: Step, visit: int, *, fails: bool) -> Ended:
    """What a visit of a step comes to: always the same for the same seed."""
    chance = random.Random(f"{seed}:{step.id}:{visit}")
    drawn = chance.random()
    if drawn < 0.15:
        return PassedOver(step.id)
    if drawn < 0.3 and (fails or step.on_error is not OnError.FAIL):
        return Failed(step.id, Failure("broken", "It broke."))
    targets = [to for label, to in step.sends if label == ""]
    return Completed(step.id, {"n": visit}, tuple(one for one in targets if chance.random() < 0.6))


class Play:
    """Plays a course to its end, with what ends next drawn by chance; looks at each move."""

    def __init__(self, steps: tuple[Step, ...], seed: int, order: int, *, fails: bool) -> None:
        self._steps, self._seed, self._fails = {step.id: step for step in steps}, seed, fails
        self.course = Course(steps)
        self._chance = random.Random(order)
        self.starts: Counter[str] = Counter()
        self.rounds = 0
        self.moved = self._to_the_end(self.course.begin())

    def _to_the_end(self, moved: Moved) -> Moved:
        running: list[str] = []
        while True:
            for start in moved.starts:
                assert start not in running
                running.append(start)
                self.starts[start] += 1
            assert sorted(running) == sorted(
                one for one, run in moved.state.items() if run.state is RunState.RUNNING
            )
            if moved.failed or not running:
                return moved
            self.rounds += 1
            assert self.rounds < MOST
            step = running.pop(self._chance.randrange(len(running)))
            visit = moved.state[step].visit
            held = state_of(self.course.steps, json.loads(json.dumps(state_json(moved.state))))
            assert held == moved.state
            moved = self.course.advance(
                held, outcome(self._seed, self._steps[step], visit, fails=self._fails)
            )

    def retry(self) -> None:
        """After a failure: what failed works now."""
        before = {one: run for one, run in self.moved.state.items() if run.state is RunState.COMPLETED}
        self._fails = False
        again = self.course.again(stopped(self.moved.state))
        assert all(again.state[one] == run for one, run in before.items() if one not in again.starts)
        assert not set(again.starts) & set(before)
        self.moved = self._to_the_end(again)


seeds = st.integers(0, 10_000_000)


@settings(max_examples=300)
@given(seed=seeds, order=seeds, count=st.integers(1, 14))
def test_any_workflow_ends(seed: int, order: int, count: int) -> None:
    steps = any_steps(seed, count, ways_back=True)
    play = Play(steps, seed, order, fails=True)
    bounds = {step.id: step.max_visits or 0 for step in steps}
    if not play.moved.failed:
        assert play.moved.finished
        assert not any(run.waits for run in play.moved.state.values())
    assert all(play.starts[step] <= bound for step, bound in bounds.items())


@settings(max_examples=150)
@given(seed=seeds, order=seeds, count=st.integers(2, 14))
def test_whatever_failed_goes_on_from_there(seed: int, order: int, count: int) -> None:
    play = Play(any_steps(seed, count, ways_back=False), seed, order, fails=True)
    if play.moved.failed:
        play.retry()
        assert play.moved.finished
        assert play.moved.failed is None


@settings(max_examples=300)
@given(seed=seeds, orders=st.lists(seeds, min_size=2, max_size=4), count=st.integers(1, 14))
def test_the_order_in_which_steps_end_changes_nothing(seed: int, orders: list[int], count: int) -> None:
    steps = any_steps(seed, count, ways_back=False)
    ends = []
    for order in orders:
        play = Play(steps, seed, order, fails=False)
        ends.append({one: (run.state, run.visit, run.output) for one, run in play.moved.state.items()})
    assert all(end == ends[0] for end in ends)


@settings(max_examples=100)
@given(seed=seeds, order=seeds, count=st.integers(1, 14))
def test_a_step_starts_after_all_that_it_needs_and_that_ran(seed: int, order: int, count: int) -> None:
    steps = any_steps(seed, count, ways_back=False)
    play = Play(steps, seed, order, fails=False)
    for step in steps:
        run = play.moved.state[step.id]
        if run.visit and step.needs:
            ended = [play.moved.state[need].ended for need in step.needs if play.moved.state[need].ended]
            assert ended
            assert run.ended > max(ended)
