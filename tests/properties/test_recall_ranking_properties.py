"""Whatever is recalled: scores stay in bounds, and neither the order of candidates nor a new one changes them oddly."""

from datetime import UTC, datetime

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from perdure.domain.ranking_weights import RECALL_WEIGHTS
from perdure.domain.recall_query import analyse
from perdure.domain.recall_ranking import RecallCandidates, RecallMode, features, rank
from perdure.domain.relevance import QueryWord
from perdure.domain.text_search import Word
from perdure.domain.time_words import says_when, time_words

NOW = datetime(2024, 2, 29, 12, tzinfo=UTC)
WORDS = [QueryWord(Word(("cake",)), 3), QueryWord(Word(("tram",)), 0)]
memories = st.tuples(
    st.text(max_size=40),
    st.floats(-1, 1) | st.just(float("nan")),
    st.integers(0, 4),
    st.sampled_from(["s", "t", None]),
    st.integers(0, 60),
    st.sampled_from(["Ann", "Bea", None]),
    st.none()
    | st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2030, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001  # Hypothesis wants them bare
)


def candidates(rows: list[tuple[int, tuple[object, ...]]]) -> RecallCandidates:
    """Rows are numbered, so that they can be told apart in any order."""
    return RecallCandidates(
        ids=[f"{n:03}" for n, _ in rows],
        texts=[str(row[0]) for _, row in rows],
        cosine=np.array([row[1] for _, row in rows], dtype=np.float64),
        mentions=np.array([[row[2], 0] for _, row in rows], dtype=np.float64).reshape(-1, 2),
        sessions=[row[3] for _, row in rows],  # type: ignore[misc]  # a row is what `memories` draws
        positions=np.array([n * 100 + row[4] for n, row in rows], dtype=np.int64),  # type: ignore[operator]  # likewise
        speakers=[row[5] for _, row in rows],  # type: ignore[misc]  # likewise
        said_at=[row[6] for _, row in rows],  # type: ignore[misc]  # likewise
    )


queries = st.sampled_from(
    [
        "When did Ann eat cake?",
        "Where is Bea now?",
        "What happened in May 2012?",
        "cake",
        "Ann and Bea last week",
    ]
).map(lambda text: analyse(text, ["Ann", "Bea"], NOW))


@given(st.lists(memories, min_size=1, max_size=20), queries)
def test_features_stay_between_nothing_and_one(rows: list[tuple[object, ...]], query: object) -> None:
    found = candidates(list(enumerate(rows)))
    for name, values in features(query, WORDS, 50, found).items():  # type: ignore[arg-type]  # drawn above
        assert len(values) == len(rows), name
        assert ((values >= 0) & (values <= 1 + 1e-9)).all(), name


@given(st.lists(memories, min_size=1, max_size=20), queries, st.sampled_from(list(RecallMode)), st.randoms())
def test_the_order_of_candidates_does_not_matter(
    rows: list[tuple[object, ...]], query: object, mode: RecallMode, dice: object
) -> None:
    numbered = list(enumerate(rows))
    shuffled = dice.sample(numbered, len(numbered))  # type: ignore[attr-defined]  # a random.Random
    answers = []
    for given_rows in (numbered, shuffled):
        found = candidates(given_rows)
        ranked = rank(query, WORDS, 50, found, mode=mode)  # type: ignore[arg-type]  # drawn above
        answers.append([(found.ids[item.row], item.score) for item in ranked])
    assert answers[0] == answers[1]
    assert len(answers[0]) == len(rows)


@given(st.lists(memories, min_size=1, max_size=12), queries)
def test_a_score_is_the_sum_of_its_terms_at_their_weights(
    rows: list[tuple[object, ...]], query: object
) -> None:
    for item in rank(query, WORDS, 50, candidates(list(enumerate(rows))), explain=True):  # type: ignore[arg-type]
        assert abs(item.score - sum(term.value for term in item.terms)) < 1e-5
        assert all(
            term.weight == RECALL_WEIGHTS[term.name] for term in item.terms if term.name != "newer"
        )  # what replaces an older fact is raised by as much as it takes


@given(st.text(max_size=80))
def test_time_words_are_where_they_say_and_nothing_fails(text: str) -> None:
    found = time_words(text, NOW)
    assert all(0 <= word.start < word.end <= len(text) for word in found)
    assert says_when(text) or not found


@given(st.text(max_size=60), st.lists(st.text(max_size=12), max_size=6))
def test_any_text_and_any_names_are_taken_apart(text: str, people: list[str]) -> None:
    asked = analyse(text, people, NOW)
    assert set(asked.people) <= set(people)
