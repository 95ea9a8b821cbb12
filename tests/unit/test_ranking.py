"""Scores are absolute, add up, and order the same way each time."""

from itertools import pairwise

import pytest

from perdure.domain.ranking import Candidate, Ranked, Ranking
from perdure.domain.ranking_weights import CONTEXT_WEIGHT
from perdure.domain.relevance import QueryWord
from perdure.domain.text_search import Word

BUDGET, TRAVEL = QueryWord(Word(("budget",)), 5), QueryWord(Word(("travel",)), 50)


def a_candidate(chunk_id: str = "c", document_id: str = "d", ordinal: int = 0, **values: object) -> Candidate:
    given: dict[str, object] = {"token_count": 100, "cosine": 0.5, **values}
    return Candidate(chunk_id, document_id, ordinal, **given)  # type: ignore[arg-type]  # as the tests fill them


def rank(*candidates: Candidate, **options: object) -> list[Ranked]:
    given: dict[str, object] = {"words": [BUDGET, TRAVEL], "chunks": 1000, "mean_tokens": 100.0, **options}
    return Ranking(**given).rank(candidates)  # type: ignore[arg-type]  # as the tests fill them


def only(*candidates: Candidate, **options: object) -> Ranked:
    return rank(*candidates, **options)[0]


def test_the_score_is_the_sum_of_its_terms() -> None:
    item = only(a_candidate(mentions={"budget": 2}))
    assert [term.name for term in item.terms] == ["meaning", "words", "context"]
    assert item.score == pytest.approx(sum(term.value for term in item.terms), abs=1e-6)
    assert 0 < item.score < 1


def test_more_mentions_score_higher_but_less_and_less() -> None:
    scores = [only(a_candidate(mentions={"budget": n})).score for n in range(4)]
    steps = [after - before for before, after in pairwise(scores)]
    assert steps == sorted(steps, reverse=True)
    assert min(steps) > 0


def test_a_rare_word_counts_more_than_a_common_one() -> None:
    assert only(a_candidate(mentions={"budget": 1})).score > only(a_candidate(mentions={"travel": 1})).score


def test_a_mention_in_the_title_counts_as_one_more() -> None:
    in_title = only(a_candidate(mentions={"budget": 1}, place_mentions=frozenset({"budget"})))
    assert in_title.score == only(a_candidate(mentions={"budget": 2})).score
    assert in_title.terms[1].detail == "budget ×1 + title"  # noqa: RUF001  # the sign for times


def test_a_short_passage_is_more_about_its_words_than_a_long_one() -> None:
    short, long = (only(a_candidate(mentions={"budget": 1}, token_count=n)).score for n in (50, 200))
    assert short > long


def test_any_form_of_a_word_counts() -> None:
    word = QueryWord(Word(("hous", "houses")), 3)
    item = only(a_candidate(mentions={"houses": 1}), words=[word])
    assert item.terms[1].raw > 0


def test_a_word_that_no_chunk_holds_changes_nothing() -> None:
    plain = only(a_candidate(mentions={"budget": 1}))
    absent = QueryWord(Word(("xyzzy",)), 0)
    assert only(a_candidate(mentions={"budget": 1}), words=[BUDGET, TRAVEL, absent]).score == plain.score


def test_without_words_meaning_decides_by_itself() -> None:
    assert only(a_candidate(cosine=0.7), words=[]).score == pytest.approx(0.7)


def test_keyword_search_without_words_scores_nothing() -> None:
    assert only(a_candidate(cosine=None), words=[], meaning=0.0, by_words=1.0).score == 0


@pytest.mark.parametrize(("cosine", "score"), [(1.2, 1.0), (0.3, 0.3), (-0.4, 0.0), (None, 0.0)])
def test_meaning_stays_between_nothing_and_one(cosine: float | None, score: float) -> None:
    assert only(a_candidate(cosine=cosine), meaning=1.0, by_words=0.0).score == pytest.approx(score)


def test_a_good_neighbour_lifts_a_passage_towards_one() -> None:
    alone = only(a_candidate())
    ranked = rank(a_candidate(), a_candidate("n", ordinal=1, cosine=1.0, mentions={"budget": 3}))
    lifted = next(item for item in ranked if item.candidate.chunk_id == "c")
    neighbour = next(item for item in ranked if item.candidate.chunk_id == "n")
    base = sum(term.value for term in neighbour.terms[:2])
    assert lifted.score == pytest.approx(alone.score + CONTEXT_WEIGHT * (1 - alone.score) * base, abs=1e-5)


def test_only_the_passages_beside_it_in_the_same_document_are_neighbours() -> None:
    alone = only(a_candidate()).score
    for other in (a_candidate("n", ordinal=2, cosine=1.0), a_candidate("n", "e", ordinal=1, cosine=1.0)):
        ranked = rank(a_candidate(), other)
        assert next(item for item in ranked if item.candidate.chunk_id == "c").score == alone


def test_equal_scores_are_ordered_by_document_and_place() -> None:
    candidates = [a_candidate(f"c{n}", f"d{n % 2}", ordinal=10 * n) for n in range(6)]
    orders = [
        [item.candidate.chunk_id for item in rank(*given)]
        for given in (candidates, list(reversed(candidates)))
    ]
    assert orders[0] == orders[1] == ["c0", "c2", "c4", "c1", "c3", "c5"]
