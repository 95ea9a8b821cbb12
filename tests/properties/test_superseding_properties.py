"""Which facts replace which does not depend on how they are listed, and no text is too much."""

import time
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from perdure.domain.change_words import change_told
from perdure.domain.recall_query import RecallQuery
from perdure.domain.superseding import Statement, superseded
from tests.contradicting_statements import HELD_OUT, SEEN

ASKED = RecallQuery("Where does she live?", "Where does she live?")
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
STATEMENTS = st.builds(
    Statement,
    st.one_of(st.text(max_size=60), st.sampled_from([pair.newer for pair in SEEN + HELD_OUT])),
    st.sampled_from(["Ann", "Ben", ""]),
    st.one_of(st.none(), st.integers(0, 50).map(lambda day: BEGIN + timedelta(days=day))),
)


@given(st.lists(STATEMENTS, max_size=12), st.randoms())
def test_the_order_in_which_statements_are_listed_does_not_matter(
    statements: list[Statement], dice: object
) -> None:
    places = list(range(len(statements)))
    dice.shuffle(places)  # type: ignore[attr-defined]  # a random.Random
    straight = {(statements[one.older], statements[one.newer]) for one in superseded(ASKED, statements)}
    mixed = [statements[place] for place in places]
    assert straight == {(mixed[one.older], mixed[one.newer]) for one in superseded(ASKED, mixed)}


@given(st.lists(STATEMENTS, max_size=12))
def test_only_what_is_newer_replaces_and_nothing_replaces_itself(statements: list[Statement]) -> None:
    for one in superseded(ASKED, statements):
        older, newer = statements[one.older].said_at, statements[one.newer].said_at
        assert older is not None
        assert newer is not None
        assert older < newer


@given(st.text(max_size=200))
def test_any_text_is_read_for_change(text: str) -> None:
    assert 0 <= change_told(text) <= 1


def test_words_of_change_are_read_quickly() -> None:
    texts = [f"{pair.older} {pair.newer} {n}" for n in range(10) for pair in SEEN + HELD_OUT]
    started = time.process_time()
    for text in texts:
        change_told(text)
    assert len(texts) / (time.process_time() - started) > 2000
