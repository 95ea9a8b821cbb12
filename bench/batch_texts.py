"""A batch of 1,000 texts of 2 KB against the bare embedder.

Ours is the whole job: one `POST /documents/batch` with 1,000 inline texts, until its workflow is closed: stored,
detected, parsed, cut, embedded, indexed for search by words and by meaning, every step recorded. Bare is the
embedder alone: the product is stopped, and one process calls `MiniLMEmbedder.embed` once on all passages that the
batch made of the same texts, on the same cores with as many threads. Tokens are those of the passages as they
were embedded; both sides embed the same ones, and models are loaded before the clock starts.
"""

import asyncio
import time
from collections import defaultdict
from dataclasses import dataclass

import psutil
from rich import box
from rich.table import Table
from sqlalchemy import select

from bench import product
from bench.history import Timeline, covered_s
from bench.report import Figure, Options, Target, number
from bench.texts import make_texts
from perdure.db.models import ChunkRow, DocumentRow, SpaceRow
from perdure.db.session import Database
from perdure.domain.chunking import contextual_text
from perdure.providers.minilm_embedder import MiniLMEmbedder, MiniLMTokenizer
from perdure.settings import Settings, home_directory

GROUP = "batch of 1,000 texts of 2 KB"
MAX_TOKENS = 254


@dataclass(frozen=True)
class Batch:
    """What one batch took, by the clock and by process, and the passages it made."""

    seconds: float
    documents: int
    passages: list[str]
    timeline: Timeline
    cpu_s: dict[str, float]


async def run(options: Options) -> list[Figure]:
    """Two batches of different texts, then the embedder on the passages of both."""
    size = options.repeats(1000, 100)
    async with product.running() as running:
        await running.warm_up()
        await product.settle()
        batches = []
        for seed in range(1, options.repeats(2, 1) + 1):
            options.say(f"batch {seed} of {size} texts")
            batches.append(await _batch(running, make_texts(size, seed=seed), f"batch-{seed}"))
    if options.profile:
        for batch in batches:
            _show_profile(options, batch)
    passages = [passage for batch in batches for passage in batch.passages]
    options.say(f"the bare embedder on the same {len(passages)} passages")
    bare_s, bare_cpu_s = await asyncio.to_thread(_embed, passages)
    tokenizer = MiniLMTokenizer(home_directory() / "models")
    tokens = sum(min(len(tokenizer.offsets(passage)), MAX_TOKENS) for passage in passages)
    ours_s = sum(batch.seconds for batch in batches)
    documents = sum(batch.documents for batch in batches)
    note = f"{documents} texts, {len(passages)} passages, {tokens:,} tokens"
    return [
        Figure(
            GROUP,
            "throughput",
            "tokens/s",
            tokens / ours_s,
            tokens / bare_s,
            Target("ratio", "at least", 0.85),
            note,
        ),
        Figure(GROUP, "documents", "docs/s", documents / ours_s),
        Figure(
            GROUP,
            "CPU of all processes",
            "s",
            sum(sum(batch.cpu_s.values()) for batch in batches),
            bare_cpu_s,
        ),
    ]


async def _batch(running: product.Product, texts: list[str], space: str) -> Batch:
    before = cpu_by_process(running)
    started = time.perf_counter()
    items = [{"text": text, "space": space} for text in texts]
    operation = await running.post("/documents/batch", json={"items": items})
    await running.closed(operation)
    seconds = time.perf_counter() - started
    after = cpu_by_process(running)
    ended = await running.ended(operation["id"])
    outcomes = ended["result"]["outcomes"]
    if outcomes != {"indexed": len(texts)}:
        msg = f"not every text was indexed: {outcomes}"
        raise RuntimeError(msg)
    return Batch(
        seconds,
        len(texts),
        await _passages(running, space),
        await running.timeline(operation["workflow_id"]),
        {name: spent - before.get(name, 0.0) for name, spent in after.items()},
    )


async def _passages(running: product.Product, space: str) -> list[str]:
    """What was embedded, out of the database."""
    database = Database(running.settings.database_url, 1)
    statement = (
        select(DocumentRow.title, ChunkRow.heading_path, ChunkRow.text)
        .join(DocumentRow, DocumentRow.id == ChunkRow.document_id)
        .join(SpaceRow, SpaceRow.id == ChunkRow.space_id)
        .where(SpaceRow.name == space)
        .order_by(ChunkRow.document_id, ChunkRow.ordinal)
    )
    try:
        async with database.transaction(running.organisation_id) as session:
            rows = (await session.execute(statement)).all()
    finally:
        await database.aclose()
    return [contextual_text(title, path, text) for title, path, text in rows]


def _embed(passages: list[str]) -> tuple[float, float]:
    """Seconds and CPU seconds that the embedder alone takes; it embeds some first, to be warm."""
    settings = Settings()
    embedder = MiniLMEmbedder(
        home_directory() / "models", settings.embedding_precision, settings.embedding_threads
    )
    embedder.embed(passages[:64])
    started, spent = time.perf_counter(), time.process_time()
    embedder.embed(passages)
    return time.perf_counter() - started, time.process_time() - spent


def cpu_by_process(running: product.Product) -> dict[str, float]:
    """CPU seconds of every process of the product so far; children that a worker started count apart."""
    spent: dict[str, float] = defaultdict(float)
    for record in running.stack.files.leftovers():
        process = record.find()
        if process is None:
            continue
        spent[record.name] += _cpu_s(process)
        for child in process.children(recursive=True):
            name = record.name if record.name == "postgres" else f"children of {record.name}"
            spent[name] += _cpu_s(child)
    spent["this client"] = _cpu_s(psutil.Process())
    return dict(spent)


def _cpu_s(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)


def _show_profile(options: Options, batch: Batch) -> None:
    table = Table(box=box.SIMPLE_HEAD, title="Where the time of the batch goes", title_justify="left")
    table.add_column("what")
    table.add_column("seconds", justify="right")
    table.add_column("share of the wall clock", justify="right")

    def row(name: str, seconds: float) -> None:
        table.add_row(name, number(seconds), f"{seconds / batch.seconds:.0%}")

    timeline = batch.timeline
    row("wall clock", batch.seconds)
    row(
        "POST until the workflow started and after it closed",
        batch.seconds - (timeline.closed - timeline.started),
    )
    spans: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for activity in timeline.activities:
        spans[activity.name].append((activity.started, activity.ended))
    for name, found in spans.items():
        row(f"at least one {name} ({len(found)} of them)", covered_s(found))
    embedding = spans["embed_document"]
    if embedding:
        first, last = min(start for start, _ in embedding), max(end for _, end in embedding)
        row("before the first embedding", first - timeline.started)
        row("between embeddings", last - first - covered_s(embedding))
        row("after the last embedding", timeline.closed - last)
    table.add_section()
    for name, seconds in sorted(batch.cpu_s.items(), key=lambda entry: -entry[1]):
        row(f"CPU of {name}", seconds)
    row("CPU of all", sum(batch.cpu_s.values()))
    options.console.print(table)
    options.say(f"{timeline.workflow_tasks} workflow tasks, {len(timeline.activities)} activities")
