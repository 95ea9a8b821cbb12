"""What holds for the scores of any candidates."""

from hypothesis import given
from hypothesis import strategies as st

from perdure.domain.ranking import Candidate, Ranking
from perdure.domain.relevance import QueryWord
from perdure.domain.text_search import Word

LEXEMES = ["a", "b", "c"]
CANDIDATES = st.lists(
    st.builds(
        Candidate,
        chunk_id=st.uuids().map(str),
        document_id=st.sampled_from(["d1", "d2"]),
        ordinal=st.integers(0, 5),
        token_count=st.integers(1, 254),
        cosine=st.none() | st.floats(-1, 1),
        mentions=st.dictionaries(st.sampled_from(LEXEMES), st.integers(0, 50)),
        place_mentions=st.frozensets(st.sampled_from(LEXEMES)),
    ),
    max_size=8,
    unique_by=lambda candidate: (candidate.document_id, candidate.ordinal),
)
WORDS = st.lists(
    st.builds(QueryWord, st.sampled_from(LEXEMES).map(lambda lexeme: Word((lexeme,))), st.floats(0, 2000)),
    max_size=3,
    unique_by=lambda word: word.word,
)


@given(CANDIDATES, WORDS, st.integers(1, 1000), st.floats(0, 300), st.randoms())
def test_scores_are_shares_that_add_up_and_do_not_depend_on_the_order(
    candidates: list[Candidate], words: list[QueryWord], chunks: int, mean_tokens: float, random: object
) -> None:
    ranking = Ranking(words, chunks, mean_tokens)
    ranked = ranking.rank(candidates)
    for item in ranked:
        assert 0 <= item.score <= 1
        assert abs(item.score - sum(term.value for term in item.terms)) < 1e-5
    shuffled = list(candidates)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # Hypothesis gives a random.Random
    assert [item.candidate.chunk_id for item in ranking.rank(shuffled)] == [
        item.candidate.chunk_id for item in ranked
    ]
    assert [item.score for item in ranked] == sorted((item.score for item in ranked), reverse=True)
