"""Which steps run when: branches, joins, errors, ways back, compensation; each on a small graph."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from perdure.domain.workflow_definitions import OnError, Step, StepType
from perdure.domain.workflow_execution import (
    TOO_MANY_VISITS,
    Completed,
    Course,
    Done,
    Ended,
    Failed,
    Failure,
    Moved,
    PassedOver,
    RunState,
    StepRun,
    state_json,
    state_of,
    stopped,
    undoings,
)
from perdure.domain.workflow_reading import parse_definition
from perdure.errors import InvalidInputError

BROKEN = Failure("broken", "It broke.")
Outcome = Callable[[str, int], Ended]


def a(identifier: str, *needs: str, to: str = "", kind: StepType = StepType.JOIN, **more: Any) -> Step:
    """A step; `to` are the names that it may lead to."""
    sends = tuple(("", name) for name in to.split())
    return Step(identifier, kind, needs=needs, sends=sends, **more)


def handled(identifier: str, *needs: str, by: str) -> Step:
    return Step(identifier, StepType.HTTP, needs=needs, on_error=OnError.GOTO, sends=(("on error", by),))


def done(**leads: str) -> Outcome:
    """Each step completes; those that are named lead there."""
    return lambda step, visit: Completed(step, {"visit": visit}, tuple(leads.get(step, "").split()))


class Played:
    """A course that is played to its end, always ending what has run longest, or what is named first."""

    def __init__(self, steps: Sequence[Step], outcome: Outcome, late: str = "") -> None:
        self.course = Course(steps)
        self.started: list[str] = []
        self._late = late.split()
        self.failed: str | None = None
        self.state: Mapping[str, StepRun] = {}
        self._play(self.course.begin(), outcome)

    def _play(self, moved: Moved, outcome: Outcome) -> None:
        running = list(moved.starts)
        self.started += moved.starts
        while running:
            step = next((one for one in running if one not in self._late), running[0])
            running.remove(step)
            moved = self.course.advance(moved.state, outcome(step, moved.state[step].visit))
            running += moved.starts
            self.started += moved.starts
            assert len(self.started) < 1_000
            if moved.failed:
                self.failed = moved.failed
                break
        assert self.failed or moved.finished
        self.state = moved.state

    def again(self, outcome: Outcome) -> None:
        self.failed, self.started = None, []
        self._play(self.course.again(stopped(self.state)), outcome)

    def states(self) -> dict[str, str]:
        return {identifier: run.state.value for identifier, run in self.state.items()}


ROUTED = (
    a("classify"),
    a("kind", "classify", to="extract file"),
    a("extract"),
    a("dear", "extract", to="approve file"),
    a("approve"),
    a("book", "approve"),
    a("file"),
    a("end", "book", "file"),
)


def test_only_the_branch_that_was_chosen_runs() -> None:
    played = Played(ROUTED, done(kind="file"))
    assert played.started == ["classify", "kind", "file", "end"]
    skipped = {step for step, state in played.states().items() if state == "skipped"}
    assert skipped == {"extract", "dear", "approve", "book"}


def test_a_join_does_not_wait_for_what_cannot_come() -> None:
    played = Played(ROUTED, done(kind="extract", dear="approve"))
    assert played.started == ["classify", "kind", "extract", "dear", "approve", "book", "end"]
    assert played.states()["file"] == "skipped"


def test_a_step_that_names_the_routing_among_its_needs_still_runs_only_when_chosen() -> None:
    steps = (a("kind", to="left right"), a("left", "kind"), a("right", "kind"))
    played = Played(steps, done(kind="right"))
    assert played.started == ["kind", "right"]
    assert played.states()["left"] == "skipped"


def test_a_join_waits_for_all_branches_of_a_parallel() -> None:
    steps = (
        a("fork", to="left right"),
        a("left"),
        a("right"),
        a("longer", "right"),
        a("join", "left", "longer"),
    )
    for late in ("left", "right", "longer"):
        played = Played(steps, done(fork="left right"), late)
        assert played.started[-1] == "join"
        assert played.started.count("join") == 1


def test_a_join_of_any_goes_on_with_the_first_and_does_not_run_again_for_the_others() -> None:
    first = a("first", "left", "right", settings={"mode": "any"})
    steps = (a("fork", to="left right"), a("left"), a("right"), first, a("end", "first"))
    played = Played(steps, done(fork="left right"), "right")
    assert played.started == ["fork", "left", "right", "first", "end"]


def test_a_way_back_runs_a_join_of_any_anew() -> None:
    first = a("first", "left", "right", settings={"mode": "any"})
    steps = (
        a("fork", to="left right", max_visits=3),
        *(a("left"), a("right"), first),
        a("more", "first", to="fork end"),
        a("end"),
    )
    visits = iter(["fork", "fork", "end"])
    played = Played(
        steps,
        lambda step, visit: Completed(
            step,
            {},
            {"fork": ("left", "right"), "more": (next(visits),) if step == "more" else ()}.get(step, ()),
        ),
    )
    assert played.started.count("first") == 3
    assert played.started[-1] == "end"


def test_what_needs_a_step_that_was_passed_over_runs() -> None:
    steps = (a("first"), a("second", "first"), a("third", "second"))
    played = Played(steps, lambda step, _: PassedOver(step) if step == "second" else Completed(step))
    assert played.states() == {"first": "completed", "second": "skipped", "third": "completed"}


def test_a_condition_that_is_passed_over_leads_nowhere() -> None:
    steps = (a("if", to="then"), a("then"), a("after", "then"), a("beside", "if"))
    played = Played(steps, lambda step, _: PassedOver(step) if step == "if" else Completed(step))
    assert played.started == ["if", "beside"]


def test_a_failure_stops_and_is_tried_again_in_its_place() -> None:
    steps = (a("fork", to="good bad"), a("good"), a("bad"), a("after", "bad"), a("end", "good", "after"))
    fails = done(fork="good bad")
    played = Played(steps, lambda step, n: Failed(step, BROKEN) if step == "bad" else fails(step, n), "bad")
    assert (played.failed, played.states()["good"], played.states()["after"]) == (
        "bad",
        "completed",
        "pending",
    )
    played.again(fails)
    assert played.started == ["bad", "after", "end"]
    assert played.state["bad"].visit == 1
    assert played.state["end"].state is RunState.COMPLETED


def test_what_was_stopped_beside_a_failure_starts_again_with_it() -> None:
    steps = (a("fork", to="slow bad"), a("slow", kind=StepType.APPROVAL), a("bad"), a("end", "slow", "bad"))
    whole = done(fork="slow bad")
    played = Played(steps, lambda step, n: Failed(step, BROKEN) if step == "bad" else whole(step, n), "slow")
    assert played.states()["slow"] == "running"
    played.again(whole)
    assert played.started == ["slow", "bad", "end"]
    # Who was asked is asked anew; the step that failed keeps the id of its effect.
    assert (played.state["slow"].visit, played.state["bad"].visit) == (2, 1)


def test_a_failure_that_is_allowed_is_seen_by_those_after_it() -> None:
    steps = (a("bad", on_error=OnError.CONTINUE), a("after", "bad"))
    played = Played(steps, lambda step, n: Failed(step, BROKEN) if step == "bad" else done()(step, n))
    assert played.states() == {"bad": "failed", "after": "completed"}
    seen = played.state["bad"].seen()
    assert (seen["failed"], seen["done"], seen["error"]) == (
        True,
        False,
        {"type": "broken", "detail": "It broke."},
    )


def test_a_failure_with_a_handler_leads_there_and_nowhere_else() -> None:
    steps = (handled("bad", by="rescue"), a("after", "bad"), a("rescue"), a("end", "after", "rescue"))
    played = Played(steps, lambda step, n: Failed(step, BROKEN) if step == "bad" else done()(step, n))
    assert played.started == ["bad", "rescue", "end"]
    assert Played(steps, done()).started == ["bad", "after", "end"]


def test_a_way_back_ends_where_its_bound_is() -> None:
    steps = (a("ask", max_visits=3), a("check", "ask", to="ask end"), a("end"))
    played = Played(steps, done(check="ask"))
    assert played.started.count("ask") == 3
    assert played.failed == "ask"
    error = played.state["ask"].error
    assert error is not None
    assert error.type == TOO_MANY_VISITS
    played.again(done(check="end"))
    assert played.started == ["ask", "check", "end"]
    assert played.state["ask"].visit == 4


def test_what_was_led_to_twice_runs_twice() -> None:
    steps = (a("fork", to="left right"), a("left", to="file"), a("right", to="file"), a("file"))
    played = Played(steps, done(fork="left right", left="file", right="file"), "file")
    assert played.started.count("file") == 2


def test_steps_that_wait_for_each_other_do_not_wait_for_ever() -> None:
    # Each join needs what comes after the other one; ways back make that possible.
    steps = (
        a("fork", to="left right"),
        *(a("left"), a("right")),
        a("one", "left", "back_two", to="back_one", max_visits=2),
        a("two", "right", "back_one", to="back_two", max_visits=2),
        *(a("back_one"), a("back_two")),
    )
    played = Played(steps, done(fork="left right", one="back_one", two="back_two"))
    assert {"one", "two"} <= set(played.started)


def test_the_last_that_was_done_is_compensated_first() -> None:
    steps = (
        Step("book", StepType.HTTP, compensate="cancel_booking", sends=(("compensate", "cancel_booking"),)),
        Step("pay", StepType.HTTP, needs=("book",), compensate="refund", sends=(("compensate", "refund"),)),
        Step("send", StepType.HTTP, needs=("pay",), compensate="recall", sends=(("compensate", "recall"),)),
        *(a("cancel_booking"), a("refund"), a("recall")),
    )
    played = Played(steps, lambda step, n: Failed(step, BROKEN) if step == "send" else done()(step, n))
    assert due(Done("top", played.course, played.state)) == ["refund of pay", "cancel_booking of book"]
    assert played.course.undoes
    assert played.states()["refund"] == "skipped"
    assert Played(steps, done()).started == ["book", "pay", "send"]


def due(done: Done[str]) -> list[str]:
    return [
        f"{one.step} of {one.undone}" if one.place == "top" else f"{one.place}: {one.step} of {one.undone}"
        for one in undoings(done)
    ]


def test_what_was_under_way_when_all_was_stopped_is_compensated_before_what_had_ended() -> None:
    course = Course(
        (
            Step("book", StepType.HTTP, compensate="unbook", sends=(("compensate", "unbook"),)),
            Step(
                "pay", StepType.HTTP, needs=("book",), compensate="refund", sends=(("compensate", "refund"),)
            ),
            Step("held", StepType.HTTP, needs=("book",), compensate="free", sends=(("compensate", "free"),)),
            *(a("unbook"), a("refund"), a("free")),
        )
    )
    moved = course.advance(course.begin().state, Completed("book"))
    assert moved.starts == ("pay", "held")
    state = stopped(moved.state)
    # `held` waited for a pause to end: nothing of it happened.
    assert due(Done("top", course, state, frozenset({"pay"}))) == ["refund of pay", "unbook of book"]


def test_each_visit_is_compensated_with_what_it_gave() -> None:
    book = Step("book", StepType.HTTP, max_visits=9, compensate="unbook", sends=(("compensate", "unbook"),))
    each = Step("each", StepType.FOR_EACH, needs=("book",), body=(replace(book, id="pay"), a("unbook")))
    steps = (book, each, a("again", "each", to="book"), a("unbook"))

    def outcome(step: str, visit: int) -> Ended:
        if step == "book" and visit == 3:
            return PassedOver(step)
        return done(**({"again": "book"} if visit < 4 else {}))(step, visit)

    played = Played(steps, outcome)
    assert played.started.count("book") == 4
    inner = Course(each.body)
    paid = inner.advance(inner.begin().state, Completed("pay")).state
    entries = [Done(f"{visit}", inner, paid, visit=visit) for visit in (1, 1, 2, 4)]
    undone = undoings(Done("top", played.course, played.state, entries={"each": entries}))
    assert [(one.place, one.visit, one.output) for one in undone if one.place == "top"] == [
        ("top", visit, {"visit": visit}) for visit in (4, 2, 1)
    ]
    assert [one.place for one in undone] == ["4", "top", "2", "top", "1", "1", "top"]
    assert state_of(played.course.steps, json.loads(json.dumps(state_json(played.state)))) == played.state


def test_entries_of_a_loop_are_compensated_the_last_first() -> None:
    body = (
        Step("open", StepType.HTTP, compensate="close", sends=(("compensate", "close"),)),
        Step("fill", StepType.HTTP, needs=("open",), compensate="empty", sends=(("compensate", "empty"),)),
        *(a("close"), a("empty")),
    )
    each = Step("each", StepType.FOR_EACH, compensate="sweep", body=body, sends=(("compensate", "sweep"),))
    top = Course((each, Step("last", StepType.HTTP, needs=("each",), compensate="sweep"), a("sweep")))
    inner = Course(body)
    whole = inner.advance(
        inner.advance(inner.begin().state, Completed("open")).state, Completed("fill")
    ).state
    half = stopped(inner.advance(inner.begin().state, Completed("open")).state)
    running = stopped(top.begin().state)
    entries = [Done("1", inner, whole), Done("0", inner, whole), Done("2", inner, half, frozenset({"fill"}))]
    stopped_within = Done("top", top, running, entries={"each": entries})
    of_entries = [
        *("2: empty of fill", "2: close of open"),
        *("0: empty of fill", "0: close of open"),
        *("1: empty of fill", "1: close of open"),
    ]
    assert due(stopped_within) == of_entries
    ended = top.advance(top.advance(top.begin().state, Completed("each")).state, Completed("last")).state
    assert due(Done("top", top, ended, entries={"each": entries})) == [
        *("sweep of last", "sweep of each"),
        *of_entries,
    ]
    assert (top.undoes, inner.undoes, Course((a("send"),)).undoes) == (True, True, False)


@pytest.mark.parametrize("route", ["file", "extract"])
def test_a_state_is_the_same_after_json(route: str) -> None:
    played = Played(ROUTED, done(kind=route, dear="approve"))
    held = state_json(played.state)
    assert state_of(played.course.steps, held) == played.state


def test_a_loop_beside_one_with_bounds_is_refused() -> None:
    steps = [
        {"id": "ask", "type": "parallel", "max_visits": 3, "with": {"branches": ["check"]}},
        {
            "id": "check",
            "type": "routing",
            "with": {"branches": [{"when": "true", "goto": "ask"}], "default": "mend"},
        },
        {"id": "mend", "type": "parallel", "with": {"branches": ["check"]}},
    ]
    with pytest.raises(InvalidInputError) as refused:
        parse_definition({"name": "Loops", "steps": steps})
    assert [error.detail for error in refused.value.errors] == [
        "is in a loop without bounds: check, mend; give one of them max_visits"
    ]


def test_an_attempt_after_one_that_was_undone_has_effects_of_its_own() -> None:
    course = Course((a("ask", max_visits=1), a("end", "ask")))
    moved = course.begin(1_000)
    moved = course.advance(moved.state, Completed("ask"))
    assert moved.starts == ("end",)
    assert (moved.state["ask"].visit, moved.state["end"].visit) == (1_001, 1_001)
