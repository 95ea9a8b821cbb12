"""What one document costs each part: CPU, transactions, bytes, events. `docs/scale.md` multiplies these.

One client posts texts of 2 KB, first as documents of their own, a few under way at a time, then as one batch; the
growth of every counter between is divided by the documents. CPU is that of the processes, transactions and bytes are
those of PostgreSQL's own statistics, events those of Temporal's histories.
"""

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from bench import product
from bench.batch_texts import cpu_by_process
from bench.report import Figure, Options
from bench.texts import make_texts

UNDER_WAY = 8
_TRANSACTIONS = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"
_BYTES = "SELECT pg_database_size(current_database())"
_WRITTEN = "SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint"
_PASSAGES = "SELECT count(*) FROM chunks"
# Milliseconds in which a connection worked, or stood in a transaction.
_HELD = (
    "SELECT active_time + idle_in_transaction_time FROM pg_stat_database WHERE datname = current_database()"
)
_CONNECTIONS = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'perdure_app'"
)


@dataclass(frozen=True)
class Counters:
    """All of them at one moment."""

    cpu_s: dict[str, float]
    transactions: int
    held_ms: float
    database_bytes: int
    written_bytes: int
    passages: int
    temporal_bytes: int
    object_bytes: int


async def run(options: Options) -> list[Figure]:
    """Documents one by one, then a batch."""
    count = options.repeats(400, 40)
    figures: list[Figure] = []
    async with product.running() as running:
        await running.warm_up()
        owner = await asyncpg.connect(running.stack.environment["DATABASE_OWNER_URL"])
        try:
            options.say(f"{count} documents, {UNDER_WAY} under way")
            before = await _counters(running, owner)
            events = await _single(running, make_texts(count, seed=31))
            connections = await owner.fetchval(_CONNECTIONS)
            await product.settle(3)
            after = await _counters(running, owner)
            figures += _figures("one document of 2 KB", before, after, count)
            figures.append(Figure("one document of 2 KB", "events of Temporal", "", events))
            figures.append(Figure("one document of 2 KB", "connections of all processes", "", connections))
            options.say(f"a batch of {count} texts")
            before = after
            operation = await running.ingest(make_texts(count, seed=32), "batch")
            await product.settle(3)
            figures += _figures("one text of 2 KB in a batch", before, await _counters(running, owner), count)
            history = await running.timeline(operation["workflow_id"])
            figures.append(
                Figure(
                    "one text of 2 KB in a batch",
                    "activities of Temporal",
                    "",
                    len(history.activities) / count,
                )
            )
        finally:
            await owner.close()
    return figures


async def _single(running: product.Product, texts: list[str]) -> float:
    """Post them; the mean number of events of their workflows."""
    places = asyncio.Semaphore(UNDER_WAY)
    events: list[int] = []

    async def one(text: str) -> None:
        async with places:
            operation = await running.post("/documents", json={"text": text, "space": "single"})
            await running.closed(operation)
            history = await running.temporal.get_workflow_handle(operation["workflow_id"]).fetch_history()
            events.append(len(history.events))

    await asyncio.gather(*map(one, texts))
    return sum(events) / len(events)


async def _counters(running: product.Product, owner: asyncpg.Connection) -> Counters:
    home = running.stack.settings.home
    return Counters(
        cpu_by_process(running),
        await owner.fetchval(_TRANSACTIONS),
        await owner.fetchval(_HELD),
        await owner.fetchval(_BYTES),
        await owner.fetchval(_WRITTEN),
        await owner.fetchval(_PASSAGES),
        _size(home / "temporal"),
        _size(home / "objects"),
    )


def _size(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())


def _figures(group: str, before: Counters, after: Counters, count: int) -> list[Figure]:
    cpu: dict[str, float] = defaultdict(float)
    for name, spent in after.cpu_s.items():
        cpu[name] += 1000 * (spent - before.cpu_s.get(name, 0.0)) / count
    cpu.pop("this client", None)
    passages = (after.passages - before.passages) / count
    return [
        *(Figure(group, f"CPU of {name}", "ms", spent) for name, spent in sorted(cpu.items())),
        Figure(group, "transactions", "", (after.transactions - before.transactions) / count),
        Figure(group, "connections are held for", "ms", (after.held_ms - before.held_ms) / count),
        Figure(group, "passages", "", passages),
        Figure(group, "PostgreSQL", "kB", (after.database_bytes - before.database_bytes) / count / 1000),
        Figure(group, "PostgreSQL's log", "kB", (after.written_bytes - before.written_bytes) / count / 1000),
        Figure(group, "Temporal", "kB", (after.temporal_bytes - before.temporal_bytes) / count / 1000),
        Figure(group, "objects", "kB", (after.object_bytes - before.object_bytes) / count / 1000),
    ]
