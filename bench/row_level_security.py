"""What row level security costs a search: two organisations in the same tables, with it and without it, in turns.

Without it the same product answers the same queries: only the policies are switched off. Turns are short, so that
what changes on the machine meanwhile meets both.
"""

import asyncpg
import numpy as np

from bench import product
from bench.report import Figure, Options, Target
from bench.timing import timed

GROUP = "row level security, two organisations"
SPACE = "large"
TURNS = 6

_PROTECTED = "SELECT relname FROM pg_class WHERE relrowsecurity AND relnamespace = 'public'::regnamespace"


async def against_none(
    options: Options, running: product.Product, owner: str, asked: list[str], note: str
) -> list[Figure]:
    """Hybrid searches over HTTP as the first organisation."""

    async def search(run: int) -> object:
        return await running.post("/search", json={"query": asked[run], "space": SPACE})

    per_turn = max(len(asked) // TURNS, 10)
    taken: dict[bool, list[float]] = {True: [], False: []}
    connection = await asyncpg.connect(owner)
    try:
        tables = [row["relname"] for row in await connection.fetch(_PROTECTED)]
        for turn in range(2 * TURNS):
            protected = turn % 2 == 0
            options.say(f"turn {turn + 1} of {2 * TURNS}")
            for table in tables:
                await connection.execute(
                    f"ALTER TABLE {table} {'ENABLE' if protected else 'DISABLE'} ROW LEVEL SECURITY"
                )
            taken[protected] += list(await timed(per_turn, search))
    finally:
        await connection.close()
    with_it, without = np.array(taken[True]), np.array(taken[False])
    return [
        Figure(GROUP, "search p50", "ms", float(np.median(with_it)), float(np.median(without))),
        Figure(
            GROUP,
            "search p95",
            "ms",
            float(np.percentile(with_it, 95)),
            float(np.percentile(without, 95)),
            Target("ratio", "at most", 1.1),
            f"{note}; bare: the policies switched off; {len(with_it)} searches each",
        ),
    ]
