"""Where a memory stands in a profile, and which statements a profile shows."""

from datetime import UTC, datetime, timedelta

import pytest

from perdure.domain.preferences import who_prefer
from perdure.domain.profiles import Section, Statement, current, entries

MONDAY = datetime(2025, 3, 3, tzinfo=UTC)


def told(content: str, kind: str = "evidence", subject: str = "", speaker: str | None = "Ann") -> set[str]:
    """Sections and attributes in the profile of Ann."""
    return {
        f"{entry.section.value} {entry.attribute}".strip()
        for entry in entries(content, kind, subject, speaker)
        if entry.subject == "Ann" and entry.section is not Section.CONTEXT
    }


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("I moved to Lisbon.", {"fact home"}),
        ("I live in Porto, and I love coffee.", {"fact home", "preference"}),
        ("My favourite colour is blue.", {"preference favourite colour"}),
        ("I don't like tea.", {"preference"}),
        ("I can\N{RIGHT SINGLE QUOTATION MARK}t stand noise.", {"preference"}),
        ("I'm allergic to nuts.", {"preference"}),
        ("Do you like tea?", set()),
        ("I would like some tea.", set()),
        ("We met at noon.", set()),
    ],
)
def test_a_turn_tells_of_its_speaker_what_its_words_state(content: str, expected: set[str]) -> None:
    assert told(content) == expected


def test_what_is_said_of_the_subject_by_another_stands_in_the_subjects_profile() -> None:
    found = entries("Ann lives in Rome.", "evidence", "Ann", "Ben")
    assert {(entry.subject, entry.section) for entry in found} == {
        ("Ann", Section.CONTEXT),
        ("Ann", Section.FACT),
        ("Ben", Section.CONTEXT),
    }


def test_what_a_speaker_says_of_themselves_is_no_fact_of_the_subject() -> None:
    assert told("I live in Rome.", subject="Ann", speaker="Ben") == set()


def test_a_kind_that_the_caller_gives_counts_without_a_rule() -> None:
    assert told("Blood type 0.", kind="fact", subject="Ann", speaker=None) == {"fact"}
    assert told("Trains rather than planes.", kind="preference") == {"preference"}
    assert told("She signed the lease.", kind="event", subject="Ann") == set()


def test_spellings_of_a_name_have_profiles_of_their_own() -> None:
    found = entries("I moved to Lisbon.", "evidence", "ann", "Ann")
    assert {entry.subject for entry in found if entry.section is Section.FACT} == {"ann", "Ann"}


def test_a_memory_of_nobody_stands_nowhere() -> None:
    assert entries("I moved to Lisbon.", "evidence", "", None) == []


def test_who_likes_something_is_named_or_speaks() -> None:
    assert who_prefer("Ben likes tea. I prefer coffee. Does Eve like milk?", "Ann") == {"Ann", "Ben"}
    assert who_prefer("I prefer coffee.", "") == set()


def statement(number: int, content: str, attribute: str = "", score: float = 0.5) -> Statement:
    at = MONDAY - timedelta(days=number)
    return Statement(f"mem_{number}", content, "evidence", attribute, at, at, score)


def test_only_the_newest_statement_of_an_attribute_is_shown() -> None:
    shown = current(
        [statement(1, "I live in Porto.", "home"), statement(2, "I live in Rome.", "home")], limit=5
    )
    assert [each.memory_id for each in shown] == ["mem_1"]


def test_a_memory_that_states_two_attributes_is_shown_once_and_hides_older_statements_of_both() -> None:
    shown = current(
        [
            statement(1, "I live in Porto and work at Acme.", "employer"),
            statement(1, "I live in Porto and work at Acme.", "home"),
            statement(2, "I live in Rome.", "home"),
        ],
        limit=5,
    )
    assert [each.memory_id for each in shown] == ["mem_1"]


def test_the_surest_come_first_and_the_newest_of_those_that_are_as_sure() -> None:
    shown = current(
        [statement(1, "a"), statement(2, "b", score=0.9), statement(3, "A"), statement(4, "c")], 3
    )
    assert [each.memory_id for each in shown] == ["mem_2", "mem_1", "mem_4"]
