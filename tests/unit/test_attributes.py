"""What a text states of somebody's properties, and which statements replace which."""

import pytest

from perdure.domain.attributes import Attribute, Contradiction, attributes, contradicts
from tests.contradicting_statements import HELD_OUT, SEEN, Pair


def stated(text: str, speaker: str | None = "Ann") -> list[tuple[str, str, str, bool]]:
    return [(one.subject, one.name, one.value, one.polarity) for one in attributes(text, speaker)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I moved to Lisbon", ("Ann", "home", "lisbon", True)),
        ("My new address: I have left the suburbs for Lisbon.", ("Ann", "home", "lisbon", True)),
        ("From now on you'll find me in Lisbon.", ("Ann", "home", "lisbon", True)),
        ("my new phone number is 0660 123 4567", ("Ann", "phone number", "06601234567", True)),
        ("We're naming the dog Biscuit.", ("Ann", "name of the dog", "biscuit", True)),
        ("The meeting is now on Thursday.", ("the meeting", "time of the meeting", "thursday", True)),
        ("I used to live in Berlin.", ("Ann", "home", "berlin", False)),
        ("Ann lives in Porto.", ("Ann", "home", "porto", True)),
        ("Ben doesn\u2019t live in Porto any more.", ("Ben", "home", "porto", False)),
        ("My sister lives in Graz.", ("Ann's sister", "home", "graz", True)),
        ("I've packed up and live in a village near Ghent now.", ("Ann", "home", "ghent", True)),
        ("Acme took me on!", ("Ann", "employer", "acme", True)),
        ("I got a new job at St. Anne's hospital.", ("Ann", "employer", "st anne's hospital", True)),
        ("I left my old place and now I'm at Globex.", ("Ann", "employer", "globex", True)),
        ("Dr. Weber is my new dentist.", ("Ann", "name of the dentist", "weber", True)),
        ("The CEO of Globex is now Maria Lopez.", ("Globex", "ceo", "maria lopez", True)),
        ("I just turned twenty-one.", ("Ann", "age", "21", True)),
        ("My birthday is on the 3rd of May.", ("Ann", "birthday", "05-03", True)),
    ],
)
def test_a_property_is_read(text: str, expected: tuple[str, str, str, bool]) -> None:
    assert stated(text) == [expected]


def test_two_properties_of_one_sentence_are_read() -> None:
    assert stated("I quit Acme and started at Globex.") == [
        ("Ann", "employer", "acme", False),
        ("Ann", "employer", "globex", True),
    ]


def test_a_day_and_an_hour_are_values_of_their_own() -> None:
    kinds = [(one.kind, one.value) for one in attributes("The demo was moved to Friday at 3pm.", None)]
    assert kinds == [("weekday", "friday"), ("hour", "15:00")]


@pytest.mark.parametrize(
    "text",
    [
        "If I moved to Rome, would you come?",
        "I'm thinking of moving to Rome.",
        "When I was a kid we moved to Ohio.",
        "I moved to tears.",
        "We left the house for the airport.",
        "I left for Lisbon this morning.",
        "You can find me in the kitchen these days.",
        "Do you think that I live in Porto?",
        "She lives in Rome.",
        "Everyone lives in Rome.",
        "I like pizza, I bought a car and I visited Rome.",
        "One of my favourite colours is blue.",
        "\u6211\u4f4f\u5728\u91cc\u65af\u672c",
        "",
    ],
)
def test_what_is_not_stated_of_one_property_is_passed_over(text: str) -> None:
    assert stated(text) == []


def test_offsets_are_those_of_the_text() -> None:
    text = "Hello!  We are fine. My new number is 555-123-4567, call me."
    [found] = attributes(text, None)
    assert text[found.start : found.end] == "My new number is 555-123-4567"
    assert found.words == "555-123-4567"


def judged(pairs: list[Pair]) -> tuple[float, float, list[Pair]]:
    """Precision, recall, and what was judged wrongly."""
    found = [
        contradicts(attributes(pair.older, pair.older_speaker), attributes(pair.newer, pair.newer_speaker))
        is not None
        for pair in pairs
    ]
    right = sum(pair.replaced and said for pair, said in zip(pairs, found, strict=True))
    wrong = [pair for pair, said in zip(pairs, found, strict=True) if pair.replaced != said]
    return right / max(sum(found), 1), right / sum(pair.replaced for pair in pairs), wrong


@pytest.mark.parametrize("pairs", [SEEN, HELD_OUT], ids=["seen", "held out"])
def test_newer_facts_replace_older_ones_and_nothing_else(pairs: list[Pair]) -> None:
    precision, recall, wrong = judged(pairs)
    assert precision == 1.0, wrong
    assert recall >= 0.9, wrong


def test_a_contradiction_says_why() -> None:
    older, newer = attributes("I live in Lisbon.", "Ann"), attributes("I moved to Porto.", "Ann")
    found = contradicts(older, newer)
    assert found == Contradiction("Ann", "home", "Lisbon", "Porto")
    assert found.reason == "home of Ann: \u201cPorto\u201d instead of \u201cLisbon\u201d"


def test_an_end_without_a_successor_says_what_is_over() -> None:
    found = contradicts(attributes("I work at Acme.", "Ann"), attributes("I quit my job.", "Ann"))
    assert found is not None
    assert found.reason == "employer of Ann: no longer \u201cAcme\u201d"


def test_what_is_said_again_beside_something_new_is_kept() -> None:
    older = attributes("I live in Lisbon.", "Ann")
    newer = attributes("I moved to Porto. I live in Lisbon again now.", "Ann")
    assert contradicts(older, newer) is None


def test_the_subject_of_a_thing_that_all_speak_of_is_the_thing() -> None:
    older, newer = (
        attributes("The meeting is on Tuesday.", "Ann"),
        attributes("The meeting is now on Friday.", "Ben"),
    )
    found = contradicts(older, newer)
    assert found is not None
    assert found.reason.startswith("time of the meeting: ")


def test_a_weak_property_needs_words_of_change() -> None:
    def one(value: str, *, changed: bool) -> list[Attribute]:
        return [Attribute("Ann", "diet", value, polarity=True, start=0, end=1, weak=True, changed=changed)]

    assert contradicts(one("vegan", changed=True), one("keto", changed=False)) is None
    assert contradicts(one("vegan", changed=False), one("keto", changed=True)) is not None
