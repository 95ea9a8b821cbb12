"""Time words become the periods that a reader would think of."""

from datetime import UTC, datetime

import pytest

from perdure.domain.time_words import is_dated, periods, says_when, time_words

# a Friday
NOW = datetime(2023, 10, 20, 15, 30, tzinfo=UTC)


def spans(text: str) -> list[tuple[str, str]]:
    return [(f"{period.start:%Y-%m-%d}", f"{period.end:%Y-%m-%d}") for period in periods(text, NOW)]


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("in May 2023", "2023-05-01", "2023-06-01"),
        ("on 8 May, 2023", "2023-05-08", "2023-05-09"),
        ("on May 8th 2023", "2023-05-08", "2023-05-09"),
        ("on the 8th of May 2023", "2023-05-08", "2023-05-09"),
        ("on 2023-05-08", "2023-05-08", "2023-05-09"),
        ("back in 2021", "2021-01-01", "2022-01-01"),
        ("yesterday", "2023-10-19", "2023-10-20"),
        ("tomorrow", "2023-10-21", "2023-10-22"),
        ("last week", "2023-10-09", "2023-10-16"),
        ("last month", "2023-09-01", "2023-10-01"),
        ("next month", "2023-11-01", "2023-12-01"),
        ("last year", "2022-01-01", "2023-01-01"),
        ("two days ago", "2023-10-18", "2023-10-19"),
        ("three months ago", "2023-07-01", "2023-08-01"),
        ("last Friday", "2023-10-13", "2023-10-14"),
        ("next Monday", "2023-10-23", "2023-10-24"),
        ("last summer", "2023-06-01", "2023-09-01"),
        ("in the winter of 2022", "2021-12-01", "2022-03-01"),
        ("last March", "2023-03-01", "2023-04-01"),
        ("next March", "2024-03-01", "2024-04-01"),
        ("last weekend", "2023-10-14", "2023-10-16"),
    ],
)
def test_a_time_word_means_one_period(text: str, start: str, end: str) -> None:
    assert spans(f"We met {text}, I think.") == [(start, end)]


def test_a_month_without_a_year_may_be_of_any_of_the_last_years() -> None:
    assert spans("in June") == [(f"{year}-06-01", f"{year}-07-01") for year in range(2019, 2024)]


@pytest.mark.parametrize(
    "text",
    ["We may march on.", "They fall in love.", "It cost $2000.", "February 30th", "page 12", "", "in 1 of 3"],
)
def test_what_is_no_date_means_none(text: str) -> None:
    assert spans(text) == []


def test_the_longer_form_takes_the_words_of_the_shorter() -> None:
    assert [(word.start, word.end) for word in time_words("on 8 May, 2023", NOW)] == [(3, 14)]


def test_a_text_with_time_words_is_dated_and_others_are_not() -> None:
    assert is_dated("I signed up last week!")
    assert is_dated("We moved in 2019.")
    assert not is_dated("The cake was back in no time.")
    assert not says_when("Thank you, that means a lot.")
