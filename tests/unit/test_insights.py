"""Insights say what memories have in common, in their own words."""

from datetime import UTC, datetime, timedelta

from perdure.domain.insights import Insight, Source, insight

CLIMBING = (
    "I went climbing with Ruth on Tuesday, it was brilliant.",
    "Climbing again! I made it up the blue route at the gym.",
    "My fingers hurt from climbing at the gym.",
    "I bought new climbing shoes yesterday.",
)


def sources(*texts: str, days: int = 7, session: str | None = None) -> list[Source]:
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    return [Source(f"m{n}", text, begin + timedelta(days=days * n), session) for n, text in enumerate(texts)]


def drawn(*texts: str, days: int = 7) -> Insight:
    found = insight(sources(*texts, days=days), "Ann")
    assert found is not None
    return found


def test_what_memories_share_is_said_with_their_own_sentences() -> None:
    found = drawn(*CLIMBING)
    assert found.content.startswith(
        "Ann: climbing \u2014 4 times, 2026-01-01 to 2026-01-22: \u201cI went climbing"
    )
    assert found.memory_ids == ("m0", "m1", "m2", "m3")
    assert found.reason == "4 of 4 memories from 4 occasions speak of climbing"
    for quote in found.content.split("\u201c")[1:]:
        assert any(quote.split("\u201d")[0] in text for text in CLIMBING)


def test_the_order_of_memories_changes_nothing() -> None:
    assert insight(sources(*CLIMBING)[::-1], "Ann") == drawn(*CLIMBING)


def test_memories_that_do_not_speak_of_it_are_not_cited() -> None:
    found = drawn(*CLIMBING, "The tram was late today.")
    assert found.memory_ids == ("m0", "m1", "m2", "m3")
    assert found.confidence < drawn(*CLIMBING).confidence


def test_more_memories_are_surer() -> None:
    assert drawn(*CLIMBING[:3]).confidence < drawn(*CLIMBING).confidence < 0.96


def test_nothing_in_common_is_no_insight() -> None:
    assert insight(sources("I like trams.", "The cake was good.", "Rain fell on the hill.")) is None


def test_one_occasion_is_no_habit() -> None:
    assert insight(sources(*CLIMBING, days=0)) is None
    assert insight(sources(*CLIMBING, session="s")) is None


def test_the_same_statement_repeated_is_a_duplicate_and_no_insight() -> None:
    assert insight(sources(*["I love climbing at the gym."] * 4)) is None


def test_questions_and_too_few_memories_say_nothing() -> None:
    assert (
        insight(sources("Do you go climbing?", "Is climbing fun for you?", "Who likes climbing here?"))
        is None
    )
    assert insight(sources(*CLIMBING[:2])) is None
    assert insight([]) is None
