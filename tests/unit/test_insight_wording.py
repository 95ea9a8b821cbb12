"""An insight in a model's words: each sentence is supported by the notes that it names, or it is dropped."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from perdure.domain.insight_wording import SCHEMA, Wording, question, wording
from perdure.domain.insights import Source
from tests.injected_messages import INJECTED_MESSAGES, OBEDIENT_STATEMENTS

NOTES = [
    Source("mem_1", "Ann paints red boats in the harbour every spring.", datetime(2025, 1, 1, tzinfo=UTC)),
    Source("mem_2", "Ann paints boats in the old harbour with her sister.", datetime(2025, 1, 2, tzinfo=UTC)),
    Source("mem_3", "Ann sold a painting of boats to a doctor.", datetime(2025, 1, 3, tzinfo=UTC)),
]
INJECTED = [
    Source(f"mem_{n}", text, datetime(2025, 1, 1, tzinfo=UTC)) for n, text in enumerate(INJECTED_MESSAGES)
]


def answer(*sentences: tuple[str, list[int]]) -> dict[str, Any]:
    made = {"sentences": [{"text": text, "notes": notes} for text, notes in sentences]}
    Draft202012Validator(dict(SCHEMA)).validate(made)
    return made


def test_sentences_that_the_notes_support_are_kept() -> None:
    offered = answer(("Ann paints boats in the harbour.", [1, 2]), ("Ann sold a painting to a doctor.", [3]))
    assert wording(offered, NOTES, "Ann") == Wording(
        "Ann paints boats in the harbour. Ann sold a painting to a doctor.", 0
    )


def test_those_that_they_do_not_are_dropped() -> None:
    offered = answer(
        ("Ann paints boats in the harbour.", [1]),
        ("Ann earns 5,000 euros with it.", [3]),
        ("Ann paints boats in Lisbon.", [1, 2, 3]),
        ("Ann sold a painting of boats.", [1]),  # it stands in another note
        ("Ann paints boats in the harbour.", [2]),
    )
    assert wording(offered, NOTES, "Ann") == Wording("Ann paints boats in the harbour.", 4)


@pytest.mark.parametrize("notes", [[], [0], [4], [1, 9]])
def test_a_sentence_names_its_notes(notes: list[int]) -> None:
    assert wording(answer(("Ann paints boats in the harbour.", notes)), NOTES, "Ann") is None


def test_nothing_is_left_of_nothing() -> None:
    assert wording(answer(), NOTES, "Ann") is None


def test_notes_are_read_as_json_and_orders_in_them_make_no_sentence() -> None:
    assert json.loads(question(NOTES, ""))["about"] is None
    asked = json.loads(question(INJECTED, "Ann"))
    assert [note["text"] for note in asked["notes"]] == list(INJECTED_MESSAGES)
    everything = list(range(1, len(INJECTED) + 1))
    for statement in OBEDIENT_STATEMENTS:
        for number in everything:
            assert wording(answer((statement, [number])), INJECTED, "Ann") is None
