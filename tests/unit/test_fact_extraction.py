"""A model only offers facts: what of them is kept says no more than the messages that they cite."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from perdure.domain.fact_extraction import (
    MOST_FACTS,
    PAGE_CHARACTERS,
    PAGE_MESSAGES,
    SCHEMA,
    Fact,
    Told,
    facts,
    page,
    question,
)
from perdure.domain.memories import MemoryKind
from tests.injected_messages import INJECTED_MESSAGES, OBEDIENT_STATEMENTS

SAID = [
    Told("mem_1", "Ann", "I moved to Lisbon last spring."),
    Told("mem_2", "Ben", "Nice! I prefer Porto, the wine is better."),
    Told("mem_3", "Ann", "My sister Cleo visits me in June."),
]
INJECTED = [Told(f"mem_{number}", "Ann", text) for number, text in enumerate(INJECTED_MESSAGES, start=1)]


def answer(*offered: tuple[str, str, list[int]]) -> dict[str, Any]:
    made = {
        "facts": [
            {"kind": kind, "statement": statement, "messages": numbers}
            for kind, statement, numbers in offered
        ]
    }
    Draft202012Validator(dict(SCHEMA)).validate(made)
    return made


def test_facts_cite_what_they_rest_on() -> None:
    offered = answer(
        ("fact", "Ann moved to Lisbon.", [1]),
        ("preference", "Ben prefers Porto.", [2]),
        ("event", "Ann's sister Cleo visits Ann in June.", [3, 1, 3]),
    )
    assert facts(offered, SAID, "Ann") == [
        Fact(MemoryKind.FACT, "Ann moved to Lisbon.", ("mem_1",)),
        Fact(MemoryKind.PREFERENCE, "Ben prefers Porto.", ("mem_2",)),
        Fact(MemoryKind.EVENT, "Ann's sister Cleo visits Ann in June.", ("mem_3", "mem_1")),
    ]


@pytest.mark.parametrize(
    ("statement", "numbers"),
    [
        ("Ann moved to Madrid.", [1]),
        ("Ann moved to Lisbon.", []),
        ("Ann moved to Lisbon.", [0]),
        ("Ann moved to Lisbon.", [-1]),
        ("Ann moved to Lisbon.", [1, 4]),
        ("Ben prefers Porto.", [1]),
        ("I moved to Lisbon last spring.", [1]),  # the message says so itself
        ("i moved  to LISBON last spring.", [1]),
        ("Ann moved to Lisbon. " * 30, [1]),
        ("!?", [1]),
        ("", [1]),
    ],
)
def test_what_cites_nothing_or_says_more_is_dropped(statement: str, numbers: list[int]) -> None:
    assert facts(answer(("fact", statement, numbers)), SAID, "Ann") == []


def test_a_statement_is_kept_once_and_never_too_many() -> None:
    twice = answer(("fact", "Ann moved to Lisbon.", [1]), ("event", "Ann  moved to lisbon.", [1]))
    assert len(facts(twice, SAID, "Ann")) == 1
    many = [Told("mem_1", None, " ".join(f"word{'a' * n}" for n in range(200)))]
    offered = answer(*(("fact", f"word{'a' * n} word{'a' * (n + 1)}", [1]) for n in range(100)))
    assert len(facts(offered, many, "")) == MOST_FACTS


def test_no_other_kind_can_be_answered() -> None:
    for kind in ("insight", "evidence", "summary", "delete"):
        offered = {"facts": [{"kind": kind, "statement": "Ann moved to Lisbon.", "messages": [1]}]}
        assert not Draft202012Validator(dict(SCHEMA)).is_valid(offered)
    assert not Draft202012Validator(dict(SCHEMA)).is_valid({"facts": [], "forget": ["mem_1"]})


def test_what_is_read_is_json_whatever_stands_in_it() -> None:
    asked = json.loads(question(INJECTED, "Ann"))
    assert asked["about"] == "Ann"
    assert [message["text"] for message in asked["messages"]] == list(INJECTED_MESSAGES)
    assert [message["number"] for message in asked["messages"]] == list(range(1, len(INJECTED) + 1))


@pytest.mark.parametrize("obeyed", range(len(INJECTED)))
def test_a_model_that_obeys_a_message_adds_nothing_that_stands_nowhere(obeyed: int) -> None:
    number = obeyed + 1
    offered = answer(*(("fact", statement, [number]) for statement in OBEDIENT_STATEMENTS))
    assert facts(offered, INJECTED, "Ann") == []


def test_what_an_order_says_can_at_most_be_noted_with_its_source() -> None:
    (kept,) = facts(answer(("fact", "Ann lives in Porto.", [25])), INJECTED, "Ann")
    assert (kept.statement, kept.memory_ids) == ("Ann lives in Porto.", ("mem_25",))


@given(st.lists(st.tuples(st.sampled_from(["fact", "event"]), st.text(), st.lists(st.integers(-3, 9)))))
def test_any_answer_gives_facts_that_cite_what_was_said(offered: list[tuple[str, str, list[int]]]) -> None:
    for fact in facts(answer(*offered), SAID, "Ann"):
        assert set(fact.memory_ids) <= {"mem_1", "mem_2", "mem_3"}
        assert fact.memory_ids


def test_long_conversations_are_read_in_parts() -> None:
    short = [Told(f"mem_{n}", None, "Yes.") for n in range(PAGE_MESSAGES + 5)]
    assert len(page(short)) == PAGE_MESSAGES
    assert len(page(short[:3])) == 3
    long = [Told(f"mem_{n}", None, "x" * (PAGE_CHARACTERS - 1)) for n in range(3)]
    assert len(page(long)) == 1
    assert page([]) == []
