"""Dates of many languages; relative ones seen from Wednesday, 13 May 2026."""

from datetime import UTC, date, datetime

import dateparser
import pytest

from perdure.domain.entities import EntityType
from perdure.providers.date_words import patterns_of
from perdure.providers.entity_patterns import EntityPatterns
from tests.marked_entities import check

ABSOLUTE = [
    ("en", None, "on [[3 May 2024]] in Paris", "2024-05-03"),
    ("en", None, "on [[May 3rd, 2024]].", "2024-05-03"),
    ("en", None, "[[Friday, May 3, 2024]] it is", "2024-05-03"),
    ("en", None, "on [[3 May 2024 at 14:30]]", "2024-05-03T14:30"),
    ("en", None, "on [[May 3, 2024, 2:30 pm]].", "2024-05-03T14:30"),
    ("en", None, "from [[3-5 May 2024]]", "2024-05-03/2024-05-05"),
    ("en", None, "from [[May 3\u20135, 2024]]", "2024-05-03/2024-05-05"),
    ("en", None, "in [[May 2024]]", "2024-05"),
    ("en", None, "in [[Q3 2024]]", "2024-07-01/2024-09-30"),
    ("en", None, "at [[2024-05-03T14:30:00Z]]", "2024-05-03T14:30Z"),
    ("en", None, "on [[2024/5/3]]", "2024-05-03"),
    ("en", "US", "on [[03/04/2024]]", "2024-03-04"),
    ("en", "GB", "on [[03/04/2024]]", "2024-04-03"),
    ("en", None, "on [[15/03/2024]]", "2024-03-15"),
    ("en", "GB", "on [[3/15/24]]", "2024-03-15"),
    ("en", None, "since [[2019]].", "2019"),
    ("en", None, "on [[May 3]]", "2026-05-03"),
    ("en", None, "on [[24 December]]", "2025-12-24"),
    ("en", None, "[[29 February 2024]] and not 29 February 2023", "2024-02-29"),
    ("de", None, "am [[3. Mai 2024 um 15 Uhr]]", "2024-05-03T15:00"),
    ("de", None, "am [[Freitag, den 3. Mai 2024]]", "2024-05-03"),
    ("de", None, "am [[03.05.2024]]", "2024-05-03"),
    ("de", None, "bis [[12.06.]] fällig", "2026-06-12"),
    ("de", None, "im [[März 2024]]", "2024-03"),
    ("de", None, "im [[3. Quartal 2024]]", "2024-07-01/2024-09-30"),
    ("de", "AT", "am [[3. Jänner 2024]]", "2024-01-03"),
    ("fr", None, "le [[3 mai 2024 à 14h30]]", "2024-05-03T14:30"),
    ("fr", None, "le [[1er janvier 2025]]", "2025-01-01"),
    ("es", None, "el [[3 de mayo de 2024]]", "2024-05-03"),
    ("it", None, "il [[3 maggio 2024]]", "2024-05-03"),
    ("pt", None, "em [[3 de maio de 2024]]", "2024-05-03"),
    ("nl", None, "op [[3 mei 2024 om 14:30]]", "2024-05-03T14:30"),
    ("sv", None, "den [[3 maj 2024]]", "2024-05-03"),
    ("pl", None, "[[3 maja 2024]] r.", "2024-05-03"),
    ("cs", None, "[[3. května 2024]]", "2024-05-03"),
    ("fi", None, "[[3. toukokuuta 2024]]", "2024-05-03"),
    ("ru", None, "[[3 мая 2024]] \u0433.", "2024-05-03"),
    ("el", None, "[[3 Μαΐου 2024]]", "2024-05-03"),
    ("tr", None, "[[3 May\u0131s 2024]]", "2024-05-03"),
    ("ja", None, "[[2024年5月3日]]に", "2024-05-03"),
    ("ko", None, "[[2024년 5월 3일]]", "2024-05-03"),
    ("", None, "le [[3 mai 2024]]", "2024-05-03"),
]
RELATIVE = [
    ("en", "due [[tomorrow]]", "2026-05-14"),
    ("en", "due [[tomorrow at 9 am]]", "2026-05-14T09:00"),
    ("en", "[[the day after tomorrow]]", "2026-05-15"),
    ("en", "[[next Friday]], please", "2026-05-15"),
    ("en", "[[last Monday]]", "2026-05-11"),
    ("en", "We met on [[Friday]].", "2026-05-08"),
    ("en", "See you on [[Friday]].", "2026-05-15"),
    ("en", "[[in 2 weeks]]", "2026-05-27"),
    ("en", "[[three days ago]]", "2026-05-10"),
    ("en", "[[two months ago]]", "2026-03"),
    ("en", "[[next week]]", "2026-W21"),
    ("en", "[[last year]]", "2025"),
    ("de", "[[morgen]] und [[übermorgen]]", "2026-05-14|2026-05-15"),
    ("de", "[[vor drei Tagen]]", "2026-05-10"),
    ("de", "[[nächste Woche]]", "2026-W21"),
    ("de", "[[in zwei Wochen]]", "2026-05-27"),
    ("de", "Guten Morgen, am Morgen, jeden Freitag", ""),
    ("fr", "[[demain]] ou [[vendredi prochain]]", "2026-05-14|2026-05-15"),
    ("fr", "[[il y a 3 jours]]", "2026-05-10"),
    ("es", "[[mañana]], pero no por la mañana", "2026-05-14"),
    ("es", "[[hace 3 días]]", "2026-05-10"),
    ("it", "[[domani]] o [[tra due settimane]]", "2026-05-14|2026-05-27"),
    ("nl", "[[volgende week]]", "2026-W21"),
    ("pl", "[[jutro]]", "2026-05-14"),
    ("ru", "[[завтра]]", "2026-05-14"),
    ("ja", "[[明日]]", "2026-05-14"),
]
NONE = [
    "Room 2024 costs 1234, and 20240503 is a number.",
    "31/02/2024 and 2024-13-01 are no days.",
    "version 1.2.24, v1.2.2024, section 3.4.2024, 10.1.1.20",
    "24/7, 1/2 of it, 3 out of 5",
    "You may 3 times. They march 10 miles. The sun sets.",
    "Fridays are quiet, and every Friday is.",
    "4111 1111 1111 1111 and 12-34-56",
    "May I? In March we march.",
    "He sat 3 hours.",
]


def values(joined: str) -> tuple[str, ...]:
    return tuple(joined.split("|")) if joined else ()


@pytest.mark.parametrize(("language", "region", "marked", "value"), ABSOLUTE)
def test_dates_are_found_and_normalised(language: str, region: str | None, marked: str, value: str) -> None:
    check(EntityType.DATE, language, region, marked, values(value))


@pytest.mark.parametrize(("language", "marked", "value"), RELATIVE)
def test_relative_dates_are_seen_from_the_documents(language: str, marked: str, value: str) -> None:
    check(EntityType.DATE, language, None, marked, values(value))


@pytest.mark.parametrize("text", NONE)
def test_no_date_is_made_of_what_is_none(text: str) -> None:
    check(EntityType.DATE, "en", None, text, ())


def test_without_a_reference_nothing_is_guessed() -> None:
    found = EntityPatterns().extract("tomorrow, next Friday, on May 3 and on 4 May 2024", languages=["en"])
    assert [(one.text, one.value) for one in found if one.type is EntityType.DATE] == [
        ("May 3", "--05-03"),
        ("4 May 2024", "2024-05-04"),
    ]


@pytest.mark.parametrize("language", ["en", "de", "fr", "es", "it", "pt", "nl", "sv", "da", "pl", "fi", "ru"])
def test_days_are_those_that_dateparser_reads(language: str) -> None:
    """It reads whole dates well; finding them in a text is ours."""
    patterns = patterns_of(language)
    assert patterns is not None
    extractor = EntityPatterns()
    for word, month in patterns.words.months.items():
        said = f"17 {word} 2023"
        ours = [one.value for one in extractor.extract(f"({said})", languages=[language])]
        theirs = dateparser.parse(said, languages=[language], settings={"DATE_ORDER": "DMY"})
        assert ours == [date(2023, month, 17).isoformat()], said
        if theirs is not None:
            assert theirs.date().isoformat() == ours[0]


def test_dates_at_the_ends_of_the_calendar_do_not_fail() -> None:
    text = "in 900 weeks, in 999 years, 999 years ago, next year, last week, yesterday, tomorrow"
    for year in (1, 9999):
        reference = datetime(year, 1, 1 if year == 1 else 31, tzinfo=UTC)
        EntityPatterns().extract(text, reference=reference, languages=["en"])
