"""Who and what a text names."""

import pytest

from perdure.domain.entities import EntityType, entities


def named(text: str, *known: str) -> list[tuple[str, str]]:
    return [(one.type.value, one.text) for one in entities(text, known)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "I met Dr. Weber in Vienna on May 3rd, 2024.",
            [("person", "Dr. Weber"), ("place", "Vienna"), ("date", "May 3rd, 2024")],
        ),
        (
            "Call 0660 123 4567 or mail ann@example.org.",
            [("phone", "0660 123 4567"), ("email", "ann@example.org")],
        ),
        (
            "Ben said that Acme Corp paid $1,200.50 last week.",
            [("person", "Ben"), ("organisation", "Acme Corp"), ("money", "$1,200.50"), ("date", "last week")],
        ),
        (
            "My sister Ruth works at St. Anne's Hospital.",
            [("person", "Ruth"), ("organisation", "St. Anne's Hospital")],
        ),
        ("See https://example.org/a?b=1.", [("url", "https://example.org/a?b=1")]),
        (
            "Ann's dog Biscuit ran to Central Park.",
            [("person", "Ann"), ("name", "Biscuit"), ("place", "Central Park")],
        ),
        ("It cost 300 euros, or 12k USD.", [("money", "300 euros"), ("money", "12k USD")]),
        (
            "The University of Vienna is in Austria.",
            [("organisation", "University of Vienna"), ("place", "Austria")],
        ),
        ("Honestly? Great! I love it. Monday works.", []),
        ("i moved to lisbon", []),
    ],
)
def test_what_is_named_is_found(text: str, expected: list[tuple[str, str]]) -> None:
    assert named(text, "Ann Lee") == expected


def test_known_people_are_people_wherever_they_stand() -> None:
    assert named("Theo!", "Theo") == [("person", "Theo")]
    assert named("We saw Theo and Radiohead.", "theo") == [("person", "Theo"), ("name", "Radiohead")]


def test_offsets_are_those_of_the_text() -> None:
    text = "Hi!  I met Ruth in New York City."
    assert [text[one.start : one.end] for one in entities(text)] == ["Ruth", "New York City"]
    assert entities(text)[1].type is EntityType.PLACE
