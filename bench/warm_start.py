"""A warm start as a user sees it: `perdure up` on a home that has data, until it can be used.

The first start (not measured) makes the home: database, model, the samples ingested. Then each round starts the
product again twice: without the demo until `/health/ready` answers 200, and as `make run` does it, with the demo,
until the question is answered on the screen. The clock starts with the process.
"""

from bench.processes import perdure_up
from bench.product import scratch_home
from bench.report import Figure, Options, Target, median
from perdure.cli.demo import QUESTION

GROUP = "warm start"
LIMIT_S = 15


async def run(options: Options) -> list[Figure]:
    """One cold start, then warm ones."""
    ready: list[float] = []
    answered: list[float] = []
    with scratch_home() as home:
        options.say("the first start, with the samples")
        async with perdure_up(home, "--demo") as up:
            await up.says(QUESTION)
        for _ in range(options.repeats(3, 1)):
            options.say("a warm start, until ready")
            async with perdure_up(home, "--no-demo") as up:
                ready.append(await up.ready())
            options.say("a warm start, until the question is answered")
            async with perdure_up(home, "--demo") as up:
                answered.append(await up.says(QUESTION))
    limit = Target("value", "at most", LIMIT_S)
    return [
        Figure(
            GROUP, "perdure up → ready", "s", median(ready), target=limit, note=f"longest {max(ready):.1f} s"
        ),
        Figure(
            GROUP,
            "make run → question answered",
            "s",
            median(answered),
            note=f"longest {max(answered):.1f} s",
        ),
    ]
