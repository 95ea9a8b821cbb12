"""What is read out of long and of many short texts, besides their category: time, and memory that it takes.

The long text has about a million characters: an invoice with a letter, in English and in German, again and again
with other numbers, which is denser in dates, amounts and names than what people write. `worst` is the slowest of
texts that are made to be hard for patterns: one digit, one word, one bracket, a hundred thousand times.
"""

import asyncio
import time
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from bench.report import Figure, Options
from perdure.domain.outlines import outline
from perdure.providers.described_sentiment import DescribedSentiment, review_sentences
from perdure.providers.entity_patterns import EntityPatterns
from perdure.providers.minilm_embedder import MiniLMEmbedder
from perdure.providers.minilm_export import ensure_exported
from perdure.settings import home_directory

GROUP = "text_analysis"
_REFERENCE = datetime(2026, 5, 13, tzinfo=UTC)
_LETTER = """Dear Anna,
please find invoice no. INV-2026-{n:05} of ${n},234.56 for our order {m} of {day} May 2026. It is due next Friday. The
goods (12 pcs, 1.5 kg each) leave 350 Fifth Avenue, New York, NY 10118 in two weeks; call +43 1 234 {n:04} or mail
ann.lee{n}@example.org. We agreed on a discount of 3.5 percent, and I will send the new list tomorrow.
Sehr geehrter Herr Dr. Weber,
die Rechnung Nr. 2026/{n} der Acme Logistik GmbH über 1.{m:03},50 EUR ist bis 12.06. fällig, IBAN DE89 3704 0044 0532
0130 00. Hauptstr. {day}, 1010 Wien. Es wurde beschlossen, dass wir am 3. Mai um 15 Uhr liefern.
Kind regards,
John Smith

"""
_HARD = (
    "1", "1 ", "1,", "$1,", "+1", "1-", "A ", "Ann ", "a@", "www.", "(", "1.1.", "May ", "3 May ", "Via A ",
    "DE89 3704 ",
    "Invoice no. ", "Hauptstr. ", "\n", "[00:1", "Ann: ", "# ", "but ", "é", "٣", "1 rue de la ", "12 A St ", "in 2 ",
)  # fmt: skip


def long_text(characters: int) -> str:
    """About so many characters."""
    letters = characters // len(_LETTER) + 1
    return "".join(_LETTER.format(n=n % 9000 + 1000, m=n % 900 + 100, day=n % 28 + 1) for n in range(letters))


async def run(options: Options) -> list[Figure]:
    """Entities and outlines of a million characters, and sentiment of review sentences."""
    return await asyncio.to_thread(_measured, options)


def _measured(options: Options) -> list[Figure]:
    text = long_text(options.repeats(1_000_000, 50_000))
    extractor = EntityPatterns()

    def extract(given: str) -> list[Any]:
        return list(extractor.extract(given, region="US", reference=_REFERENCE))

    extract("warm on 3 May at +43 1 234 5678")
    options.say("entities and outline of a long text")
    seconds, found = _timed(lambda: extract(text))
    peak = _peak_mib(lambda: extract(text[: len(text) // 4])) * 4
    hard = max(_timed(lambda unit=unit: extract(unit * (100_000 // len(unit))))[0] for unit in _HARD)
    letter = _LETTER.format(n=1234, m=567, day=3)
    outlined, _ = _timed(lambda: outline(text))
    options.say("sentiment of review sentences")
    models = home_directory() / "models"
    ensure_exported(models)
    judge = DescribedSentiment(MiniLMEmbedder(models))
    said = [sentence for _, sentence in review_sentences()]
    loading, _ = _timed(lambda: judge.judge(["Fine."]))
    judged, _ = _timed(lambda: judge.judge(said))
    one = min(
        _timed(lambda: judge.judge(["The room was fine, but the food was cold."]))[0] for _ in range(20)
    )
    of_letter = min(_timed(lambda: extract(letter))[0] for _ in range(20))
    size = f"{len(text):,} characters, {len(found):,} entities given"
    return [
        Figure(GROUP, "entities of a long text", "s", seconds, note=size),
        Figure(GROUP, "memory that it takes, by a quarter of it", "MiB", peak),
        Figure(GROUP, "entities of a letter", "ms", of_letter * 1000, note=f"{len(letter)} characters"),
        Figure(GROUP, "entities, the worst of 100,000 hard characters", "s", hard),
        Figure(GROUP, "outline of a long text", "s", outlined),
        Figure(GROUP, "sentiment of review sentences", "texts/s", len(said) / judged),
        Figure(GROUP, "sentiment of one sentence", "ms", one * 1000),
        Figure(GROUP, "sentiment, first call", "s", loading),
    ]


def _timed(what: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    result = what()
    return time.perf_counter() - started, result


def _peak_mib(what: Callable[[], Any]) -> float:
    tracemalloc.start()
    try:
        what()
        return tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()
