"""Pausing and resuming a running batch, by Temporal's own clock.

*Pause*: from sending `POST /operations/{id}/pause` until the last activity started that still started. What was
under way then may end; afterwards everything must be quiet until `resume` is sent, however long that takes: it is
looked at for some seconds. *Resume*: from sending it until the next activity started.
"""

import asyncio
import time

from bench import product
from bench.history import Timeline
from bench.report import Figure, Options, Target, median
from bench.texts import make_texts

GROUP = "pause and resume of a running batch"
RUN_S, QUIET_S = 1.5, 3.0
STEP_POLL_S = 0.1


async def run(options: Options) -> list[Figure]:
    """Pause and resume a few times, then read the history."""
    rounds = options.repeats(6, 2)
    async with product.running() as running:
        await running.warm_up()
        texts = make_texts(options.repeats(1500, 500), seed=4)
        operation = await running.post("/documents/batch", json={"items": [{"text": text} for text in texts]})
        paused, resumed = [], []
        for number in range(rounds):
            await asyncio.sleep(RUN_S)
            options.say(f"pause {number + 1} of {rounds}")
            paused.append(await _steer(running, operation["id"], "pause"))
            await _until_quiet(running, operation["id"])
            await asyncio.sleep(QUIET_S)
            resumed.append(await _steer(running, operation["id"], "resume"))
        await running.post(f"/operations/{operation['id']}/cancel")
        timeline = await running.timeline(operation["workflow_id"])
    stopped = [_still_started(timeline, at, until) for at, until in zip(paused, resumed, strict=True)]
    went_on = [_next_started(timeline, at) for at in resumed]
    limit = Target("value", "at most", 1)
    note = f"longest of {rounds}; median"
    return [
        Figure(
            GROUP, "pause → no further activity starts", "s", max(stopped), target=limit,
            note=f"{note} {median(stopped):.3f} s",
        ),
        Figure(
            GROUP, "resume → the next activity starts", "s", max(went_on), target=limit,
            note=f"{note} {median(went_on):.3f} s",
        ),
    ]  # fmt: skip


async def _steer(running: product.Product, operation_id: str, verb: str) -> float:
    """When the verb was sent."""
    sent = time.time()
    operation = await running.post(f"/operations/{operation_id}/{verb}")
    expected = {"pause": "paused", "resume": "running"}[verb]
    if operation["status"] != expected:
        msg = f"after `{verb}` the operation is {operation['status']}: it ended too early, or did not obey"
        raise RuntimeError(msg)
    return sent


async def _until_quiet(running: product.Product, operation_id: str) -> None:
    """Wait until every step that was under way has ended."""
    while True:
        steps = await running.get(f"/operations/{operation_id}/steps", limit=200)
        if all(step["state"] != "running" for step in steps["items"]):
            return
        await asyncio.sleep(STEP_POLL_S)


def _still_started(timeline: Timeline, paused: float, resumed: float) -> float:
    """How long after a pause activities started; 0 when none did."""
    late = [a.started for a in timeline.activities if paused < a.started < resumed]
    return max(late, default=paused) - paused


def _next_started(timeline: Timeline, resumed: float) -> float:
    later = [activity.started for activity in timeline.activities if activity.started > resumed]
    if not later:
        msg = "nothing started after a resume: the batch was over; make it larger"
        raise RuntimeError(msg)
    return min(later) - resumed
