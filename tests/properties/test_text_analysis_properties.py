"""What is read out of a text stands in it, whatever text it is."""

from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.domain.entities import EntityType
from perdure.domain.entity_amounts import decimal_value
from perdure.domain.entity_finds import EntityFound, without_overlaps
from perdure.domain.evidence import MOST_SENTENCES, evidence, sentences_to_compare
from perdure.domain.outlines import outline
from perdure.domain.sentiment import clauses, of_text, sentences_to_judge
from perdure.providers import entity_patterns
from perdure.providers.date_words import patterns_of
from perdure.providers.entity_patterns import EntityPatterns

PIECES = st.sampled_from(
    [
        "Dear Ann,\n", "$1,234.56", "1.234,56 EUR", "12k", "CHF 1\u2019200", "3 May 2024", "next Friday", "vor 3 Tagen",
        "DE89 3704 0044 0532 0130 00", "+43 1 234 5678", "(212) 555-0187", "a@b.example", "https://x.example/(a)",
        "Invoice no. A-1", "Bestellnr. 77", "12 %", "1,5 kg", "Hauptstr. 5, 1010 Wien", "Acme GmbH", "# Topic\n",
        "We agreed.", "I will send it.", "[00:12] Ben: yes", "- [ ] call", "1. One\n", "\n\n", "e\u0301", "\u0301",
        "\U0001f600", "\U0001f468\u200d\U0001f469\u200d\U0001f466", "\u05e9\u05dc\u05d5\u05dd", "\u202e12\u202c",
        "\u0663\u0664",
        "\u0130", "\u00df", "\ud800", "\x00", "\u00a0", "but", ";", " ",
    ]
)  # fmt: skip
TEXTS = st.one_of(
    st.text(max_size=120), st.lists(st.one_of(PIECES, st.text(max_size=8)), max_size=12).map("".join)
)
REFERENCES = st.one_of(st.none(), st.datetimes(timezones=st.just(UTC)))
LANGUAGES = st.lists(
    st.sampled_from(["en", "de", "fr", "ja", "ar", "xx", "de-AT", "zh-Hant", ""]), max_size=2
)
EXTRACTOR = EntityPatterns()


@given(TEXTS, st.sampled_from([None, "US", "at", "DE", "ZZ", "001"]), REFERENCES, LANGUAGES)
def test_entities_stand_where_they_say_and_do_not_overlap(
    text: str, region: str | None, reference: datetime | None, languages: list[str]
) -> None:
    found = EXTRACTOR.extract(text, region=region, reference=reference, languages=languages)
    assert found == EXTRACTOR.extract(text, region=region, reference=reference, languages=languages)
    end = 0
    for one in found:
        assert text[one.start : one.end] == one.text
        assert end <= one.start < one.end
        assert one.value
        assert 0 < one.confidence < 1
        assert one.type is not EntityType.NAME
        end = one.end


NUMBERS = st.sampled_from(
    [
        "+43 1 234 5678", "0664 1234567", "(212) 555-0187", "06 12 34 56 78", "+49 (0)30 901820", "020 7946 0018",
        "tel. 2345678", "31.12.2026", "2026-05-03", "4711-08", "100 000", "1010", "12", "3.5", "10:30", "(2)", "1)",
        "0", "012345",
    ]
)  # fmt: skip


@given(
    st.lists(
        st.tuples(NUMBERS, st.sampled_from([" ", " - ", " / ", "/", ", ", "\n", ". ", "-"])), max_size=30
    ),
    st.sampled_from(["AT", "US", "DE", "GB", "FR", None]),
)
def test_where_parts_of_numbers_are_looked_at_no_longer_changes_nothing_on_what_people_write(
    said: list[tuple[str, str]], region: str | None
) -> None:
    text = "".join(number + after for number, after in said)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(entity_patterns, "_MANY_NUMBERS", 10**9)
        without = EXTRACTOR.extract(text, region=region)
    assert EXTRACTOR.extract(text, region=region) == without


def test_a_telephone_is_found_after_many_other_numbers() -> None:
    table = "0 123 456\n\n\n\n" * (entity_patterns._MANY_NUMBERS + 1)
    found = EXTRACTOR.extract(f"{table}(212) 555-0187", region="US")
    assert [one.value for one in found if one.type is EntityType.PHONE] == ["+12125550187"]


@given(st.lists(st.tuples(st.sampled_from(EntityType), st.integers(0, 40), st.integers(0, 12)), max_size=30))
def test_what_is_left_out_lies_over_something_that_stays(spans: list[tuple[EntityType, int, int]]) -> None:
    finds = [EntityFound(kind, "", "", start, start + length, 0.5) for kind, start, length in spans]
    kept = without_overlaps(finds, 60)
    for one in finds:
        assert one.start == one.end or any(one.start < each.end and each.start < one.end for each in kept)


@given(st.decimals(0, 10**9, places=2, allow_nan=False), st.sampled_from([",", ".", "'", " ", "\u202f"]))
def test_amounts_are_read_as_they_are_written(value: Decimal, group: str) -> None:
    mark = "," if group in ". \u202f" else "."
    written = f"{value:,.2f}".replace(",", "\0").replace(".", mark).replace("\0", group)
    for comma in (True, False):
        assert decimal_value(written, comma=comma, money=True) == value


@given(
    st.dates(date(1850, 1, 1), date(2199, 12, 31)),
    st.sampled_from(["en", "de", "fr", "es", "it", "nl", "pl"]),
)
def test_whole_dates_are_read_back(day: date, language: str) -> None:
    patterns = patterns_of(language)
    assert patterns is not None
    for word, month in patterns.words.months.items():
        if month == day.month:
            found = EXTRACTOR.extract(f"({day.day} {word} {day.year})", languages=[language])
            assert [one.value for one in found] == [day.isoformat()]


@given(TEXTS)
def test_an_outline_is_made_of_the_text(text: str) -> None:
    found = outline(text)
    assert found == outline(text)
    for item in (*found.topics, *found.decisions, *found.actions):
        assert text[item.start : item.end] == item.text
        assert item.text.strip() == item.text
        assert item.text
    assert [one.start for one in found.topics] == sorted(one.start for one in found.topics)


@given(TEXTS, st.integers(0, 2**32 - 1), st.integers(1, 5))
def test_evidence_is_made_of_the_text_nearest_first(text: str, seed: int, most: int) -> None:
    compared = sentences_to_compare(text)
    dice = np.random.default_rng(seed)
    vectors = dice.normal(size=(len(compared), 8)).astype(np.float32)
    found = evidence(compared, vectors, dice.normal(size=8).astype(np.float32), most)
    assert len(found) <= min(most, len(compared))
    assert bool(found) == bool(compared)
    for passage in found:
        assert text[passage.start : passage.end] == passage.text
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)


@given(TEXTS)
def test_what_is_judged_stands_in_the_text(text: str) -> None:
    for sentence in sentences_to_judge(text * 3):
        assert (text * 3)[sentence.start : sentence.end] == sentence.text
        for clause in clauses(sentence.text) or ():
            assert clause in sentence.text
    assert len(sentences_to_judge("Good. " * 500)) <= MOST_SENTENCES


@given(st.lists(st.tuples(*[st.floats(0.001, 1)] * 4), max_size=20))
def test_a_sentiment_lies_within_its_bounds(shares: list[tuple[float, ...]]) -> None:
    rows = np.array(shares).reshape(-1, 4)
    rows = rows / rows.sum(axis=1, keepdims=True) if len(rows) else rows
    found = of_text(rows)
    assert -1 <= found.polarity <= 1
    assert 0 <= found.confidence <= 1
    swapped = of_text(rows[:, [1, 0, 2, 3]])
    assert swapped.polarity == pytest.approx(-found.polarity, abs=1e-3)
