"""Recall ranks by what is known of each memory, and says why."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from perdure.domain.ranking_weights import RECALL_WEIGHTS, UNTUNED_RECALL_WEIGHTS
from perdure.domain.recall_query import RecallQuery
from perdure.domain.recall_ranking import (
    RecallCandidates,
    RecallMode,
    features,
    mention_matrix,
    rank,
)
from perdure.domain.relevance import QueryWord
from perdure.domain.text_search import Word
from perdure.domain.time_words import Period

CAKE, TRAM = QueryWord(Word(("cake",)), 2), QueryWord(Word(("tram", "trams")), 40)
MAY = datetime(2023, 5, 10, tzinfo=UTC)
PLAIN = RecallQuery("what cake", "what cake")


def candidates(count: int = 3, **given: Any) -> RecallCandidates:
    values: dict[str, Any] = {
        "ids": [f"m{n}" for n in range(count)],
        "texts": ["We ate it at the station on the hill."] * count,
        "cosine": np.full(count, 0.3),
        "mentions": np.zeros((count, 2)),
        "sessions": ["s"] * count,
        "positions": np.arange(count) * 100,
        "speakers": ["Ann"] * count,
        "said_at": [MAY] * count,
    }
    return RecallCandidates(**(values | given))


def order(found: RecallCandidates, query: RecallQuery = PLAIN, **options: Any) -> list[str]:
    return [found.ids[item.row] for item in rank(query, [CAKE, TRAM], 100, found, **options)]


def feature(name: str, found: RecallCandidates, query: RecallQuery = PLAIN) -> list[float]:
    return [round(float(value), 3) for value in features(query, [CAKE, TRAM], 100, found)[name]]


def test_nothing_found_ranks_nothing() -> None:
    assert rank(PLAIN, [CAKE, TRAM], 100, candidates(0)) == []


def test_the_nearer_in_meaning_comes_first() -> None:
    assert order(candidates(cosine=np.array([0.2, 0.6, 0.4]))) == ["m1", "m2", "m0"]


def test_a_rare_word_counts_more_than_a_common_one() -> None:
    assert order(candidates(2, mentions=np.array([[0.0, 1.0], [1.0, 0.0]]))) == ["m1", "m0"]


def test_a_memory_without_a_vector_is_ranked_by_its_words() -> None:
    found = candidates(2, cosine=np.array([np.nan, np.nan]), mentions=np.array([[0.0, 0.0], [1.0, 0.0]]))
    assert order(found) == ["m1", "m0"]


def test_who_is_named_is_listened_to() -> None:
    query = RecallQuery("what did Bea bake", "what did bake", people=("Bea",))
    assert order(candidates(2, speakers=["Ann", "Bea"]), query) == ["m1", "m0"]


def test_the_answer_beside_a_matching_question_is_lifted() -> None:
    found = candidates(
        3,
        cosine=np.array([0.9, 0.3, 0.3]),
        positions=np.array([4, 5, 50]),
        texts=["Which cake?", "Plum.", "Plum."],
    )
    assert order(found) == ["m0", "m1", "m2"]


def test_neighbours_in_another_session_are_none() -> None:
    found = candidates(2, sessions=["s", "t"], positions=np.array([4, 5]))
    assert feature("best neighbour", found) == [0, 0]


def test_memories_of_no_session_stand_alone() -> None:
    found = candidates(3, sessions=[None, None, "s"], positions=np.array([0, 1, 2]))
    assert feature("passage", found) == [0, 0, 0]
    assert feature("session", found) == [0, 0, 1]


def test_a_long_session_counts_in_stretches() -> None:
    found = candidates(3, cosine=np.array([0.9, 0.1, 0.1]), positions=np.array([0, 5, 500]))
    near, far = feature("session", found)[1:]
    assert near > far


def test_what_was_said_in_the_period_fits_and_what_was_said_soon_after_a_little() -> None:
    april = Period(datetime(2023, 4, 1, tzinfo=UTC), datetime(2023, 5, 1, tzinfo=UTC))
    days = [
        datetime(2023, 4, 30, tzinfo=UTC),
        datetime(2023, 5, 2, tzinfo=UTC),
        datetime(2023, 7, 1, tzinfo=UTC),
        None,
    ]
    found = candidates(4, said_at=days)
    during, after, later, unknown = feature("period", found, RecallQuery("q", "q", periods=(april,)))
    assert during == 1 > after > later == unknown == 0


def test_a_memory_that_speaks_of_the_period_fits() -> None:
    april = Period(datetime(2023, 4, 1, tzinfo=UTC), datetime(2023, 5, 1, tzinfo=UTC))
    found = candidates(
        2, said_at=[MAY + timedelta(days=90)] * 2, texts=["In April 2023 we moved.", "We moved."]
    )
    assert feature("period", found, RecallQuery("q", "q", periods=(april,))) == [1, 0]


def test_questions_state_nothing() -> None:
    asked, both, told = feature(
        "substance", candidates(texts=["Which one was it?", "Nice one! Was it?", "It was the plum cake."])
    )
    assert 0 == asked < both < told


def test_the_newest_is_preferred_where_the_question_asks_for_now() -> None:
    found = candidates(3, said_at=[MAY, MAY + timedelta(days=9), None])
    assert feature("recency", found, RecallQuery("q", "q", present=1.0)) == [0, 1, 0]
    assert feature("recency", found) == [0, 0, 0]


def test_where_it_is_asked_when_dated_memories_are_preferred() -> None:
    found = candidates(2, texts=["We went last week.", "We went by tram."])
    assert feature("dated", found, RecallQuery("q", "q", asks_when=True)) == [1, 0]


def test_the_score_is_the_sum_of_its_terms() -> None:
    found = candidates(mentions=np.array([[1.0, 0.0], [0.0, 2.0], [0.0, 0.0]]))
    for item in rank(PLAIN, [CAKE, TRAM], 100, found, explain=True):
        assert item.score == pytest.approx(sum(term.value for term in item.terms), abs=1e-5)
        assert 0 <= item.score <= 1


def test_equal_scores_are_ordered_by_id() -> None:
    assert order(candidates(3, ids=["b", "c", "a"], positions=np.array([0, 1000, 2000]))) == ["a", "b", "c"]


def test_the_modes_to_compare_with_look_at_one_thing_or_fuse_by_rank() -> None:
    found = candidates(
        cosine=np.array([0.9, 0.5, 0.1]), mentions=np.array([[0.0, 0.0], [1.0, 0.0], [2.0, 0.0]])
    )
    assert order(found, mode=RecallMode.DENSE) == ["m0", "m1", "m2"]
    assert order(found, mode=RecallMode.KEYWORD)[0] == "m2"
    fused = rank(PLAIN, [CAKE, TRAM], 100, found, mode=RecallMode.FUSION, explain=True)
    assert [round(item.score, 5) for item in fused] == sorted(
        (round(item.score, 5) for item in fused), reverse=True
    )
    assert [term.name for term in fused[0].terms] == ["meaning", "words"]


def test_mentions_of_all_forms_of_a_word_are_added() -> None:
    assert mention_matrix([CAKE, TRAM], [{"trams": 1, "tram": 2}, {}]).tolist() == [[0, 3], [0, 0]]


@pytest.mark.parametrize("weights", [RECALL_WEIGHTS, UNTUNED_RECALL_WEIGHTS])
def test_weights_sum_to_one_and_none_is_negative(weights: dict[str, float]) -> None:
    assert sum(weights.values()) == pytest.approx(1, abs=1e-3)
    assert min(weights.values()) >= 0
    assert set(weights) <= set(features(PLAIN, [CAKE, TRAM], 100, candidates()))


def test_where_what_holds_now_is_asked_words_of_change_count_by_whom_they_are() -> None:
    found = candidates(texts=["I play the cello.", "Sold it, I play the flute instead.", "Me, too, instead."])
    found = replace(found, speakers=["Ann", "Ann", "Ben"])
    assert feature("change", found, RecallQuery("q", "q", ("Ann",), present=1.0)) == [0, 1, 0]
    assert feature("change", found, RecallQuery("q", "q", ("Ann",))) == [0, 0, 0]


def homes(*texts: str, days: tuple[int, ...] = (0, 30, 60), **given: Any) -> RecallCandidates:
    said_at = [MAY + timedelta(days=day) for day in days[: len(texts)]]
    cosine = np.linspace(0.6, 0.3, len(texts))
    return candidates(len(texts), texts=list(texts), said_at=said_at, cosine=cosine, **given)


def test_the_newer_statement_of_a_fact_comes_first_and_says_why() -> None:
    found = homes("I live in Lisbon.", "Lisbon is lovely in spring.", "I moved to Porto.")
    query = RecallQuery("Where does Ann live?", "Where does live?", ("Ann",))
    ranked = rank(query, [CAKE, TRAM], 100, found, explain=True)
    assert [found.ids[item.row] for item in ranked] == ["m2", "m0", "m1"]
    newer, older = (next(term for term in item.terms if term.name == "newer") for item in ranked[:2])
    assert newer.value > 0
    assert newer.detail == "home of Ann: \u201cPorto\u201d instead of \u201cLisbon\u201d"
    assert older.value == 0
    assert older.detail is not None
    assert older.detail.startswith("superseded by m2: ")


def test_a_chain_of_facts_is_ordered_from_the_newest() -> None:
    found = homes("I live in Lisbon.", "I moved to Porto.", "I moved to Madrid.")
    assert order(found, RecallQuery("Where does Ann live?", "q", ("Ann",))) == ["m2", "m1", "m0"]


@pytest.mark.parametrize(
    "query",
    [
        RecallQuery("When did Ann move to Lisbon?", "q", asks_when=True),
        RecallQuery("Where did Ann live before?", "q", asks_before=True),
        RecallQuery("Where did Ann live in May?", "q", periods=(Period(MAY, MAY + timedelta(days=30)),)),
        RecallQuery("Does Ann like Lisbon?", "q"),
    ],
    ids=["when", "before", "period", "the older one by name"],
)
def test_who_asks_for_the_past_gets_it(query: RecallQuery) -> None:
    assert order(homes("I live in Lisbon.", "I moved to Porto."), query)[0] == "m0"


def test_facts_of_others_and_of_the_same_time_supersede_nothing() -> None:
    asked = RecallQuery("Where does Ann live?", "q", ("Ann",))
    assert order(homes("I live in Lisbon.", "I moved to Porto.", speakers=["Ann", "Ben"]), asked)[0] == "m0"
    assert order(homes("I live in Lisbon.", "I moved to Porto.", days=(0, 0)), asked)[0] == "m0"


def test_only_the_full_ranking_orders_facts() -> None:
    found = homes("I live in Lisbon.", "I moved to Porto.")
    assert order(found, mode=RecallMode.DENSE) == ["m0", "m1"]
