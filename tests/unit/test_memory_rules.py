import pytest

from perdure.domain.filters import MEMORY_CHOICES, MEMORY_FIELDS, parse_filters
from perdure.domain.memories import (
    ANY_SUBJECT,
    Identities,
    MemoryKind,
    Said,
    embedded_text,
    fingerprint,
    pieces,
    says_something,
    tombstone,
)
from perdure.domain.memory_lines import read_line
from perdure.errors import InvalidInputError


class Words:
    """A token is a word."""

    def offsets(self, text: str) -> list[tuple[int, int]]:
        spans, start = [], 0
        for word in text.split(" "):
            spans.append((start, start + len(word)))
            start += len(word) + 1
        return [(first, last) for first, last in spans if last > first]


def said(**more: object) -> Said:
    fields = {
        "subject": "Ann",
        "speaker": "Ann",
        "session_id": "s",
        "external_id": None,
        "created_at": None,
        "fingerprint": fingerprint("Yes."),
        "in_dialogue": True,
    }
    return Said(**{**fields, **more})  # type: ignore[arg-type]  # given by name


def test_a_short_message_is_one_memory_and_a_long_one_loses_no_word() -> None:
    assert [piece.text for piece in pieces("  I moved. ", Words(), 64)] == ["I moved."]
    text = " ".join(f"Sentence number {number} ends here." for number in range(100))
    cut = pieces(text, Words(), 64)
    assert len(cut) > 5
    assert " ".join(piece.text for piece in cut) == text
    assert all(text[piece.start : piece.end] == piece.text for piece in cut)


@pytest.mark.parametrize("text", ["a", "7", "👍", "✓", "שלום", "日本", "é"])
def test_letters_digits_and_signs_say_something(text: str) -> None:
    assert says_something(text)


@pytest.mark.parametrize("text", ["", " \n", "...", "!?", "\u200b", "__", "\x00"])
def test_marks_and_blanks_say_nothing(text: str) -> None:
    assert not says_something(text)


def test_case_width_and_white_space_make_no_other_text() -> None:
    assert fingerprint("  Ann  LIKES tea") == fingerprint("ann likes\ntea")
    assert fingerprint("Ann likes tea") != fingerprint("Ann likes teas")


def test_the_speaker_is_embedded_with_what_is_said() -> None:
    assert embedded_text("Ann", "Yes.") == "Ann: Yes."
    assert embedded_text(None, "Yes.") == "Yes."


def test_the_same_request_has_the_same_identities() -> None:
    first, second = Identities(), Identities()
    turns = [said(), said(speaker="Ben"), said()]
    one = [first.of(turn, 0) for turn in turns]
    assert one == [second.of(turn, 0) for turn in turns]
    assert len(set(one)) == 3  # said twice, kept twice


@pytest.mark.parametrize(
    "other",
    [
        {"subject": "Ben"},
        {"speaker": "Ben"},
        {"session_id": "t"},
        {"created_at": "2025-01-01T00:00:00+00:00"},
    ],
)
def test_turns_of_other_people_sessions_and_times_are_others(other: dict[str, str]) -> None:
    assert Identities().of(said(), 0) != Identities().of(said(**other), 0)


def test_an_id_of_the_caller_is_the_identity_whatever_is_said() -> None:
    before = Identities().of(said(external_id="t1"), 0)
    assert before == Identities().of(said(external_id="t1", fingerprint=fingerprint("No.")), 0)
    assert before != Identities().of(said(external_id="t1"), 1)


def test_a_statement_is_the_same_wherever_it_stands() -> None:
    here = said(in_dialogue=False)
    assert Identities().of(here, 0) == Identities().of(said(in_dialogue=False, session_id="t"), 3)


def test_tombstones_tell_spaces_and_subjects_apart() -> None:
    digests = {
        tombstone(space, subject, fingerprint("Yes."))
        for space in ("spc_1", "spc_2")
        for subject in ("Ann", "Ben", ANY_SUBJECT)
    }
    assert len(digests) == 6


def test_filters_know_the_kinds_of_memories() -> None:
    assert MEMORY_CHOICES["kind"] == {kind.value for kind in MemoryKind}
    assert set(MEMORY_CHOICES) <= set(MEMORY_FIELDS)
    with pytest.raises(InvalidInputError, match="one of event, evidence"):
        parse_filters({"kind": "guess"}, fields=MEMORY_FIELDS)
    with pytest.raises(InvalidInputError, match="is no field"):
        parse_filters({"title": "x"}, fields=MEMORY_FIELDS)


@pytest.mark.parametrize("line", ["", "x", "[1]", "7", '"a"', "{", "[" * 100_000])
def test_what_is_no_object_is_no_memory(line: str) -> None:
    with pytest.raises(ValueError, match="JSON"):
        read_line(line)


def test_names_of_others_become_ours_and_times_without_a_zone_are_utc() -> None:
    line = '{"memory": "Likes tea", "user_id": "ann", "run_id": "r", "created_at": "2024-05-01", "hash": "x"}'
    assert read_line(line) == {
        "content": "Likes tea",
        "subject": "ann",
        "session_id": "r",
        "valid_from": "2024-05-01T00:00:00+00:00",
    }
