"""Texts that look real: sentences of the sample documents, put together anew. The same seed, the same texts."""

import random
import re
from functools import cache
from pathlib import Path

SAMPLES = Path(__file__).parents[1] / "samples"
_SOURCES = ("field-service-handbook.txt", "minutes.md")
_SENTENCE = re.compile(r"[A-Z][^.!?|#]{30,240}[.!?](?=\s|$)")
_TOPICS = (
    "Site visit", "Service report", "Calibration", "Complaint", "Delivery", "Inspection", "Training", "Repair",
)  # fmt: skip
_PLACES = (
    "Arden",
    "Lowmoor",
    "Skerry Point",
    "the pilot station",
    "Eastquay",
    "Mill Bay",
    "Harrow Lock",
    "Thornsea",
)


@cache
def sentences() -> tuple[str, ...]:
    """Whole sentences of the samples, each once."""
    found: dict[str, None] = {}
    for name in _SOURCES:
        flat = re.sub(r"\s+", " ", (SAMPLES / name).read_text())
        found.update(dict.fromkeys(match.group() for match in _SENTENCE.finditer(flat)))
    return tuple(found)


def make_text(number: int, size_bytes: int = 2048, seed: int = 1) -> str:
    """A note of at most so many bytes and nearly as many, in paragraphs, different for every number."""
    source = random.Random(f"{seed}/{number}")
    text = f"{source.choice(_TOPICS)} at {source.choice(_PLACES)}, note {seed}-{number:05d}"
    paragraph = 0
    while True:
        sentence = source.choice(sentences())
        if len((text + sentence).encode()) + 2 > size_bytes:
            return text + "\n"
        text += ("\n\n" if paragraph % 4 == 0 else " ") + sentence
        paragraph += 1


def make_texts(count: int, size_bytes: int = 2048, seed: int = 1) -> list[str]:
    """So many different ones."""
    return [make_text(number, size_bytes, seed) for number in range(count)]
