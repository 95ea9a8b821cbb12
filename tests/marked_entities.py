"""Texts whose entities are marked, so that the marks tell where they stand: `Pay [[$5]] now`."""

import re
from datetime import UTC, datetime

from perdure.domain.entities import EntityType
from perdure.providers.entity_patterns import EntityPatterns

# A Wednesday.
REFERENCE = datetime(2026, 5, 13, 9, 0, tzinfo=UTC)
_MARKED = re.compile(r"\[\[(.+?)\]\]", re.DOTALL)
_PATTERNS = EntityPatterns()


def unmarked(marked: str) -> tuple[str, list[tuple[int, int]]]:
    """The text without marks, and where what was marked stands in it."""
    spans, shift = [], 0
    for match in _MARKED.finditer(marked):
        start = match.start() - shift
        shift += 4
        spans.append((start, match.end() - shift))
    return _MARKED.sub(r"\1", marked), spans


def check(kind: EntityType, language: str, region: str | None, marked: str, values: tuple[str, ...]) -> None:
    """Exactly what is marked is found of a kind, with these values."""
    text, spans = unmarked(marked)
    languages = [language] if language else []
    found = _PATTERNS.extract(text, region=region, reference=REFERENCE, languages=languages)
    assert all(text[one.start : one.end] == one.text for one in found)
    of_kind = [one for one in found if one.type is kind]
    assert [(one.text, one.value) for one in of_kind] == [
        (text[start:end], value) for (start, end), value in zip(spans, values, strict=True)
    ]
    assert [(one.start, one.end) for one in of_kind] == spans
