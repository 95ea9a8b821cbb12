"""Texts get their labels without a key: a batch of short ones against the bare embedder, and one at a time.

The batch is one `POST /ai/classification/batch` of 1,000 texts with four labels, until its workflow is closed: every
answer is stored. Bare is the embedder alone on the same texts: the product is stopped, and one process calls
`MiniLMEmbedder.embed` once for each batch, on the same cores with as many threads. All batches in one call would be
quicker by some hundredths, as more texts of one length stand together; ours cannot wait for the next batch either.
Both sides have loaded the model before.

One at a time is `POST /ai/classification/enhanced?wait=true` over HTTP, one after the other, with the same labels.
"""

import asyncio
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
    """Six batches of different texts, single texts, then the embedder on the texts of each."""
    size = options.repeats(1000, 50)
    batches = [short_texts(size, number) for number in range(options.repeats(6, 1))]
    async with product.running() as running:
        await running.warm_up()
        await _classified(running, short_texts(20, 99))
        await product.settle()
        options.say(f"{len(batches)} batches of {size} short texts")
        ours_s = sum([await _classified(running, texts) for texts in batches])
        singles = options.repeats(200, 10)
        options.say(f"{singles} single texts")
        asked = short_texts(singles + 20, 7)

        async def ask(run: int) -> None:
            body = {"text": asked[run % len(asked)], "labels": LABELS}
            await running.post("/ai/classification/enhanced", params={"wait": "true"}, json=body)

        taken = await timed(singles, ask)
    bare_s = await asyncio.to_thread(_embedded, batches)
    texts = [text for batch in batches for text in batch]
    note = f"{len(texts)} texts of {sum(map(len, texts)) // len(texts)} characters on the average, {len(LABELS)} labels"
    return [
        Figure(
            GROUP,
            "batch of short texts",
            "texts/s",
            len(texts) / ours_s,
            len(texts) / bare_s,
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


def _embedded(batches: list[list[str]]) -> float:
    """Seconds that the embedder alone takes; it embeds some texts first, to be warm."""
    settings = Settings()
    embedder = MiniLMEmbedder(
        home_directory() / "models", settings.embedding_precision, settings.embedding_threads
    )
    embedder.embed(batches[0][:64])
    started = time.perf_counter()
    for texts in batches:
        embedder.embed(texts)
    return time.perf_counter() - started
