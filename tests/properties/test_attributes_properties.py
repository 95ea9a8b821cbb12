"""Reading properties never fails, is the same each time, and points into the text."""

import time

from hypothesis import given
from hypothesis import strategies as st

from perdure.domain.attributes import attributes, contradicts
from perdure.domain.sentences import sentences
from tests.contradicting_statements import HELD_OUT, SEEN

STATEMENTS = [text for pair in SEEN + HELD_OUT for text in (pair.older, pair.newer)]
TEXTS = st.one_of(
    st.text(max_size=300),
    st.lists(
        st.one_of(
            st.sampled_from(STATEMENTS),
            st.text(max_size=20),
            st.sampled_from(
                ["I live in ", "my phone number is ", "my name's \u201c", "the meeting is now at "]
            ),
        ),
        max_size=6,
    ).map(" ".join),
)


@given(TEXTS, st.one_of(st.none(), st.text(max_size=10)))
def test_any_text_is_read_and_offsets_point_into_it(text: str, speaker: str | None) -> None:
    found = attributes(text, speaker)
    assert found == attributes(text, speaker)
    for one in found:
        assert 0 <= one.start < one.end <= len(text)
        assert one.words in text[one.start : one.end]


@given(TEXTS)
def test_sentences_point_into_the_text_in_order(text: str) -> None:
    end = 0
    for sentence in sentences(text):
        assert text[sentence.start : sentence.end] == sentence.text == sentence.text.strip()
        assert end <= sentence.start < sentence.end
        end = sentence.end


@given(TEXTS, st.text(max_size=10))
def test_a_text_never_contradicts_itself(text: str, speaker: str) -> None:
    found = attributes(text, speaker)
    held = [one for one in found if one.polarity]
    assert contradicts(held, []) is None
    for one in held:
        assert contradicts([one], [one]) is None


def test_a_thousand_memories_are_read_in_a_second() -> None:
    started = time.process_time()
    for _ in range(10):
        for text in STATEMENTS:
            attributes(text, "Ann")
    assert 10 * len(STATEMENTS) / (time.process_time() - started) > 1000


def test_a_text_without_an_end_is_read_in_seconds() -> None:
    for unit in ("I live in ", "My ", "I've ", "a", "the meeting ", "I was not still now ", ". ", "A's "):
        text = unit * (100_000 // len(unit))
        started = time.process_time()
        attributes(text, "Ann")
        assert time.process_time() - started < 5, unit
