"""Outlines: what is a topic, what was decided, what is to be done, when and by whom it was said."""

import pytest

from perdure.domain.outlines import OutlineItem, outline

MEETING = """# Budget
[00:00:12] Ann: Let's talk about the budget. We agreed to raise it by ten percent.
[01:01:30] Ben: I will send the new figures by Friday. We have not decided on the hiring yet.
Cleo: Could you check the invoice?

Action items:
- Ben: write the report
- [ ] Call the supplier
Decisions
1. Move the launch to June

2. Hiring
It will rain tomorrow.
"""


def texts(items: object) -> list[str]:
    assert isinstance(items, list)
    return [item.text for item in items]


def test_a_meeting_is_outlined_with_its_times_and_speakers() -> None:
    found = outline(MEETING)
    assert texts(found.topics) == ["Budget", "Let's talk about the budget.", "Hiring"]
    assert texts(found.decisions) == ["We agreed to raise it by ten percent.", "Move the launch to June"]
    assert texts(found.actions) == [
        "I will send the new figures by Friday.",
        "Could you check the invoice?",
        "Ben: write the report",
        "Call the supplier",
    ]
    raised, sent, asked = found.decisions[0], found.actions[0], found.actions[1]
    assert (raised.at_seconds, raised.speaker) == (12, "Ann")
    assert (sent.at_seconds, sent.speaker) == (3690, "Ben")
    assert (asked.at_seconds, asked.speaker) == (None, "Cleo")
    assert MEETING[raised.start : raised.end] == raised.text


@pytest.mark.parametrize(
    "said",
    [
        "The board approved the plan.",
        "Es wurde beschlossen, dass wir im Juni liefern.",
        "Il a été décidé de reporter la réunion.",
        "Se acordó cambiar de proveedor.",
        "Abbiamo deciso di aspettare.",
        "Foi aprovado o novo horário.",
        "We hebben afgesproken dat het in juni gebeurt.",
        "Decision: we stay with the old supplier.",
        "Beschluss: Wir bleiben dabei.",
    ],
)
def test_decisions_are_told_by_their_words(said: str) -> None:
    found = outline(f"It is late. {said} So be it.")
    assert texts(found.decisions) == [said]
    assert not found.actions


@pytest.mark.parametrize(
    "said",
    [
        "Ruth will send the contract.",
        "We need to check the numbers.",
        "Please review the draft.",
        "Frau Weber wird das Angebot bis Freitag schicken.",
        "Herr Lang übernimmt die Planung.",
        "Marie se charge du compte rendu.",
        "Luis se encarga del transporte.",
        "Paolo preparerà la lista.",
        "TODO: order paper.",
    ],
)
def test_actions_are_told_by_their_words(said: str) -> None:
    found = outline(f"It is late. {said} So be it.")
    assert texts(found.actions) == [said]
    assert not found.decisions


@pytest.mark.parametrize(
    "said",
    [
        "We have not decided yet.",
        "Nothing was agreed.",
        "Was it decided?",
        "Noch nichts wurde beschlossen.",
        "It will rain tomorrow.",
        "I agreed with you.",
    ],
)
def test_what_is_open_or_happens_by_itself_is_neither(said: str) -> None:
    found = outline(said)
    assert not found.decisions
    assert not found.actions


def test_a_mail_begins_with_its_subject() -> None:
    found = outline("Betreff: Angebot 12\n\nKommen wir zum Angebot. Danke.")
    assert texts(found.topics) == ["Angebot 12", "Kommen wir zum Angebot."]


def test_without_headings_and_cues_paragraphs_tell_their_beginnings() -> None:
    found = outline("One is here. More of it.\n\nTwo is there. And more.\n\nThree.")
    assert texts(found.topics) == ["One is here.", "Two is there.", "Three."]


def test_nothing_has_no_outline() -> None:
    for text in ("", " \n ", "...", "\u0301"):
        found = outline(text)
        assert not found.decisions
        assert not found.actions


def test_items_are_counted_by_characters() -> None:
    text = "\U0001f600 Hi.\n\n\u202eShalom.\u202c We agreed."
    (item,) = outline(text).decisions
    assert isinstance(item, OutlineItem)
    assert text[item.start : item.end] == item.text


def test_a_heading_has_the_first_sentence_below_it() -> None:
    text = (
        "1. Term\n\nThe lease begins on 1 March 2025 and runs for five years. It is prolonged by one year at a time\n"
        "unless one of the parties gives notice.\n\n2. Notice\n\n3. Rent\n\n"
        "The rent is due on the third working day of each\nmonth. Arrears bear interest.\n"
    )
    assert [(one.text, one.opening) for one in outline(text).topics] == [
        ("Term", "The lease begins on 1 March 2025 and runs for five years."),
        ("Notice", None),
        ("Rent", "The rent is due on the third working day of each month."),
    ]
