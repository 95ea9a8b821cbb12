"""Steps under way in one place of a definition: at its top, or for one entry of a loop; and what is kept of them."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from perdure.domain.workflow_definitions import Step
from perdure.domain.workflow_execution import (
    Course,
    Done,
    Failure,
    StepRun,
    state_json,
    state_of,
    stopped,
)
from perdure.domain.workflow_values import size_of

# What loops may go over, and what becomes of their results beyond that.
MAX_LOOP_BYTES = 512 * 1024
MAX_RESULT_BYTES = 128 * 1024


class Frame:
    """The steps of a definition, or of a loop's body for one entry."""

    def __init__(
        self,
        course: Course,
        state: Mapping[str, StepRun],
        prefix: str = "",
        outer: "Frame | None" = None,
        scope: Mapping[str, Any] | None = None,
    ) -> None:
        self.course, self.state, self.prefix, self.outer = course, state, prefix, outer
        self.scope: Mapping[str, Any] = {**(outer.scope if outer else {}), **(scope or {})}
        self.failure: Failure | None = None
        self.failed_step = ""
        self.is_halted = False
        self.over = asyncio.Event()
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self.waits: dict[str, str] = {}
        self.loops: dict[str, Loop] = {}
        # What has an effect and was begun; entries of loops that have ended, as far as they can be undone.
        self.under_way: set[str] = set()
        self.entries: dict[str, list[dict[str, Any]]] = {}

    def name_of(self, step_id: str) -> str:
        """A step's id within the whole execution."""
        return f"{self.prefix}{step_id}"

    def seen(self, step_id: str) -> dict[str, Any]:
        """What expressions see of a step, here or around this place."""
        frame: Frame | None = self
        while frame is not None:
            if step_id in frame.state:
                return frame.state[step_id].seen()
            frame = frame.outer
        return StepRun().seen()

    def kept(self) -> dict[str, Any]:
        """All of it as JSON."""
        held: dict[str, Any] = {"steps": state_json(self.state)}
        if self.waits:
            held["waits"] = dict(self.waits)
        if self.loops:
            held["loops"] = {name: loop.kept() for name, loop in self.loops.items()}
        if self.entries:
            held["entries"] = {name: list(entries) for name, entries in self.entries.items()}
        return held

    @classmethod
    def of(
        cls,
        course: Course,
        held: Mapping[str, Any],
        prefix: str = "",
        outer: "Frame | None" = None,
        scope: Mapping[str, Any] | None = None,
    ) -> "Frame":
        """The frame again. Loops come when their step runs."""
        frame = cls(course, state_of(course.steps, held.get("steps", {})), prefix, outer, scope)
        frame.waits = dict(held.get("waits", {}))
        frame.loops = {name: Loop.of(loop) for name, loop in held.get("loops", {}).items()}
        frame.entries = {name: list(entries) for name, entries in held.get("entries", {}).items()}
        return frame

    def entry(self, step_id: str, index: int, item: Any, course: Course, held: Mapping[str, Any]) -> "Frame":
        """The place of an entry of one of its loops."""
        prefix = f"{self.name_of(step_id)}[{index}]."
        return Frame.of(course, held, prefix, self, {"item": item, "index": index})

    def keep_entry(self, step_id: str, index: int, item: Any, inner: "Frame") -> None:
        """Keep an entry that has ended for as long as it may have to be undone."""
        if inner.course.undoes:
            visit = self.state[step_id].visit
            kept = {"index": index, "item": item, "frame": inner.kept(), "visit": visit}
            self.entries.setdefault(step_id, []).append(kept)

    def stop(self) -> None:
        """Nothing runs any more, here and in loops."""
        self.state = stopped(self.state)
        for loop in self.loops.values():
            for frame in loop.frames.values():
                frame.stop()


@dataclass(eq=False)
class Loop:
    """A step that goes over entries: those under way, those that were left by a run before, and what came of others."""

    items: list[Any]
    next: int = 0
    frames: dict[int, Frame] = field(default_factory=dict)
    left: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    results: dict[int, Any] = field(default_factory=dict)
    size: int = 0
    failure: Failure | None = None

    def take(self) -> tuple[int, Mapping[str, Any] | None] | None:
        """The next entry, and where it was left."""
        for index in self.left:
            return index, self.left.pop(index)
        if self.next == len(self.items):
            return None
        self.next += 1
        return self.next - 1, None

    def conclude(self, index: int, frame: Frame) -> None:
        """Keep what came of an entry, as far as that is not too long."""
        del self.frames[index]
        result = {name: dict(run.output) for name, run in frame.state.items() if run.output}
        self.size += size_of(result)
        if self.size <= MAX_RESULT_BYTES:
            self.results[index] = result

    def output(self) -> dict[str, Any]:
        """What other steps see of it."""
        results = [self.results.get(index) for index in range(len(self.items))]
        is_whole = len(self.results) == len(self.items)
        return {"count": len(self.items), "results": results if is_whole else [], "truncated": not is_whole}

    def kept(self) -> dict[str, Any]:
        """All of it as JSON."""
        frames = {str(index): held for index, held in self.left.items()}
        frames |= {str(index): frame.kept() for index, frame in self.frames.items()}
        results = {str(index): result for index, result in self.results.items()}
        return {
            "items": self.items,
            "next": self.next,
            "frames": frames,
            "results": results,
            "size": self.size,
        }

    @classmethod
    def of(cls, held: Mapping[str, Any]) -> "Loop":
        """The loop again."""
        return cls(
            items=list(held["items"]),
            next=held["next"],
            left={int(index): frame for index, frame in held["frames"].items()},
            results={int(index): result for index, result in held["results"].items()},
            size=held["size"],
        )


def all_frames(frame: Frame) -> Iterator[Frame]:
    """A frame and those within its loops."""
    yield frame
    for loop in frame.loops.values():
        for inner in loop.frames.values():
            yield from all_frames(inner)


def done_in(frame: Frame, course_of: Callable[[Step], Course], visit_of_loop: int = 1) -> Done[Frame]:
    """What was done in a frame and in its loops, now that nothing runs any more."""
    entries: dict[str, list[Done[Frame]]] = {}
    for step_id in dict.fromkeys((*frame.entries, *frame.loops)):
        course = course_of(frame.course.steps[step_id])
        visit = frame.state[step_id].visit
        places = [
            (frame.entry(step_id, one["index"], one["item"], course, one["frame"]), one.get("visit", visit))
            for one in frame.entries.get(step_id, ())
        ]
        if (loop := frame.loops.get(step_id)) is not None:
            places += [
                (frame.entry(step_id, index, loop.items[index], course, held), visit)
                for index, held in loop.left.items()
            ]
            places += [(inner, visit) for inner in loop.frames.values()]
        entries[step_id] = [done_in(place, course_of, number) for place, number in places]
    return Done(frame, frame.course, stopped(frame.state), frozenset(frame.under_way), entries, visit_of_loop)
