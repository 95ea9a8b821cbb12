"""Texts get their labels without a key: a batch of short ones against the bare embedder, and one at a time.

The batch is one `POST /ai/classification/batch` of 1,000 texts with four labels, until its workflow is closed: every
answer is stored. Bare is the embedder alone on the same texts: one process calls `MiniLMEmbedder.embed` once for each
batch, on the same cores with as many threads, while every process of the product is frozen. All batches in one call
would be quicker by some hundredths, as more texts of one length stand together; ours cannot wait for the next batch
either. Both sides have loaded the model before.

The two take turns, batch by batch, now the one first, now the other, so that a machine that gets slower does so for
both. What is compared are the medians: the disk keeps a batch waiting now and then, and the note says how long the
slowest one took.

One at a time is `POST /ai/classification/enhanced?wait=true` over HTTP, one after the other, with the same labels.
"""

import time
from typing import Any

from bench import product
from bench.evaluation.classification.labelled_texts import MULTI_LABEL, learning_sets, testing_sets
from bench.report import Figure, Options, Target, median, percentile
from bench.timing import timed
from perdure.providers.minilm_embedder import MiniLMEmbedder
from perdure.settings import Settings, home_directory

GROUP = "classification without a key"
LABELS = [{"name": name} for name in ("World", "Sports", "Business", "Sci/Tech")]


async def run(options: Options) -> list[Figure]:
    """Batches of different texts, each by both sides; then single texts."""
    size = options.repeats(1000, 50)
    batches = [short_texts(size, number) for number in range(options.repeats(15, 1))]
    async with product.running() as running:
        embedder = _embedder()
        await running.warm_up()
        await _classified(running, short_texts(20, 99))
        await product.settle()
        options.say(f"{len(batches)} batches of {size} short texts, in turns with the bare embedder")
        ours_s, bare_s = await _in_turns(running, embedder, batches)
        singles = options.repeats(200, 10)
        options.say(f"{singles} single texts")
        asked = short_texts(singles + 20, 7)

        async def ask(run: int) -> None:
            body = {"text": asked[run % len(asked)], "labels": LABELS}
            await running.post("/ai/classification/enhanced", params={"wait": "true"}, json=body)

        taken = await timed(singles, ask)
    characters = sum(len(text) for texts in batches for text in texts) // (len(batches) * size)
    note = (
        f"medians of {len(batches)} batches of {size:,} texts of {characters} characters on the average, "
        f"{len(LABELS)} labels; {_spread(ours_s)}, bare {_spread(bare_s)}"
    )
    return [
        Figure(
            GROUP,
            "batch of short texts",
            "texts/s",
            size / median(ours_s),
            size / median(bare_s),
            Target("ratio", "at least", 0.85),
            note,
        ),
        Figure(GROUP, "one text, wait=true, p50", "ms", median(taken.tolist())),
        Figure(
            GROUP,
            "one text, wait=true, p95",
            "ms",
            percentile(taken.tolist(), 0.95),
            target=Target("value", "at most", 250),
        ),
    ]


def short_texts(count: int, seed: int) -> list[str]:
    """Different short texts, those of the evaluation, each time with another number before it."""
    written = [
        one.text
        for each in (*learning_sets(), *testing_sets())
        if each.name != MULTI_LABEL
        for one in each.texts
    ]
    return [f"{seed}-{n}: {written[n % len(written)]}" for n in range(count)]


async def _in_turns(
    running: product.Product, embedder: MiniLMEmbedder, batches: list[list[str]]
) -> tuple[list[float], list[float]]:
    """Seconds of each batch, ours and bare."""
    ours_s, bare_s = [], []
    for number, texts in enumerate(batches):
        if number % 2:
            bare_s.append(_embedded(running, embedder, texts))
        ours_s.append(await _classified(running, texts))
        if number % 2 == 0:
            bare_s.append(_embedded(running, embedder, texts))
    return ours_s, bare_s


async def _classified(running: product.Product, texts: list[str]) -> float:
    body: dict[str, Any] = {"items": [{"text": text} for text in texts], "labels": LABELS}
    started = time.perf_counter()
    operation = await running.post("/ai/classification/batch", json=body)
    await running.closed(operation)
    seconds = time.perf_counter() - started
    ended = await running.ended(operation["id"])
    outcomes = ended["result"]
    if ended["progress"]["done"] != len(texts):
        msg = f"not every text was classified: {outcomes}"
        raise RuntimeError(msg)
    return seconds


def _embedded(running: product.Product, embedder: MiniLMEmbedder, texts: list[str]) -> float:
    """Seconds that the embedder alone takes; it embeds some texts first, to be warm."""
    with running.frozen():
        embedder.embed(texts[:64])
        started = time.perf_counter()
        embedder.embed(texts)
        return time.perf_counter() - started


def _embedder() -> MiniLMEmbedder:
    settings = Settings()
    models = home_directory() / "models"
    return MiniLMEmbedder(models, settings.embedding_precision, settings.embedding_threads)


def _spread(seconds: list[float]) -> str:
    return f"{min(seconds):.2f} to {max(seconds):.2f} s"
