"""Document workflows beside the same activities in a workflow that was written by hand, in the same run.

*One at a time*: from start to end of the workflow by Temporal's clock, in turn. *At once*: so many are started as fast
as they are accepted; ours through the API, with their records, the others at Temporal. Twice each, the others first and
last, because who comes later meets a Temporal with more in memory, and the machine is not always equally quick. Before
each turn, timers run out that what has ended left behind.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

from bench import product
from bench.hand_written import QUEUE, STEPS, HandWritten, hand_written
from bench.report import Figure, Options, Target, median
from perdure.domain.ids import new_id
from perdure.schemas.workflow_executions import StepJob

GROUP = "document workflows"
TEXT = "Ann paid 1,200 EUR to Acme GmbH on 3 March 2026; call +49 30 1234567 or write to ann@example.com."
SETTINGS = {"task": "entities", "text": TEXT}
# As many as the client has connections. It looks through all that wait for one whenever an answer comes: 500 of them
# took 10 ms of its own CPU for each, on the machine that is measured.
_POSTING = 100
# The longest time-out of a workflow task or of an activity's heartbeat, on either side.
_LEFT_BEHIND_S = 10.0


async def run(options: Options) -> list[Figure]:
    """Both in turn, one at a time; then both at once."""
    async with product.running() as running, hand_written(running):
        steps = [
            {
                "id": f"s{number}",
                "type": "analysis",
                "needs": [f"s{number - 1}"] if number else [],
                "with": SETTINGS,
            }
            for number in range(STEPS)
        ]
        made = await running.post("/ai/workflows", json={"name": "Five steps", "steps": steps})
        pair = _Pair(running, made["id"])
        for _ in range(options.repeats(20, 3)):
            await pair.ours()
            await pair.theirs()
        options.say("one at a time")
        ours, theirs = [], []
        for _ in range(options.repeats(60, 5)):
            ours.append(await pair.ours())
            theirs.append(await pair.theirs())
        count = options.repeats(500, 20)
        options.say(f"{count} at once")
        theirs_at_once, ours_at_once = _Turns(pair.theirs), _Turns(pair.ours)
        for side in (theirs_at_once, ours_at_once, ours_at_once, theirs_at_once):
            await product.settle(_LEFT_BEHIND_S)
            await side.take(count)
    return [
        Figure(
            GROUP,
            f"{STEPS} steps, one execution at a time",
            "ms",
            1000 * median(ours),
            1000 * median(theirs),
            Target("ratio", "at most", 1.3),
            note=f"median of {len(ours)}; the same activities in a workflow written by hand",
        ),
        Figure(
            GROUP,
            f"{count} executions of {STEPS} steps, started at once",
            "1/s",
            ours_at_once.rate,
            theirs_at_once.rate,
            Target("ratio", "at least", 0.7),
            note=f"ours accepted over HTTP and recorded; in turns: ours {ours_at_once}, by hand {theirs_at_once}",
        ),
    ]


class _Pair:
    """The two ways to do the same."""

    def __init__(self, running: product.Product, workflow_id: str) -> None:
        self._running, self._workflow_id = running, workflow_id
        self._posting = asyncio.Semaphore(_POSTING)

    async def ours(self) -> float:
        """An execution of the definition; how long it took."""
        async with self._posting:
            operation = await self._running.post(f"/ai/workflows/{self._workflow_id}/execute", json={})
        return await self._took(operation["workflow_id"])

    async def theirs(self) -> float:
        """The workflow written by hand; how long it took."""
        job = StepJob(
            organisation_id=self._running.organisation_id,
            operation_id=new_id("op"),
            execution_id=new_id("exe"),
            step_id="s0",
            type="analysis",
            settings=SETTINGS,
        )
        await self._running.temporal.start_workflow(
            HandWritten.run, job, id=job.operation_id, task_queue=QUEUE
        )
        return await self._took(job.operation_id)

    async def _took(self, workflow_id: str) -> float:
        handle = self._running.temporal.get_workflow_handle(workflow_id)
        await handle.result()
        description = await handle.describe()
        if description.close_time is None:
            msg = f"{workflow_id} has not ended"
            raise RuntimeError(msg)
        return (description.close_time - description.start_time).total_seconds()


class _Turns:
    """How one of them does when many are wanted at once."""

    def __init__(self, one: Callable[[], Awaitable[float]]) -> None:
        self._one = one
        self._turns: list[tuple[int, float]] = []

    async def take(self, count: int) -> None:
        """A turn of so many."""
        started = time.perf_counter()
        await asyncio.gather(*(self._one() for _ in range(count)))
        self._turns.append((count, time.perf_counter() - started))

    @property
    def rate(self) -> float:
        """How many a second, of all turns."""
        return sum(count for count, _ in self._turns) / sum(seconds for _, seconds in self._turns)

    def __str__(self) -> str:
        return " and ".join(f"{count / seconds:.1f}" for count, seconds in self._turns)
