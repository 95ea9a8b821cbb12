"""Near duplicates: the same both ways round, and no text in two groups."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from perdure.domain.near_duplicates import near_duplicates, say_the_same

texts = st.text(max_size=40) | st.sampled_from(
    ["I live in Graz.", "I'm living in Graz.", "I live in Porto.", "Yes?"]
)


@given(texts, texts, st.floats(-1, 1))
def test_it_is_the_same_both_ways_round(first: str, second: str, cosine: float) -> None:
    assert say_the_same(first, second, cosine) == say_the_same(second, first, cosine)


@given(st.lists(texts, max_size=12), st.integers(0, 2**16))
def test_groups_share_no_text_and_hold_what_their_first_repeats(said: list[str], seed: int) -> None:
    vectors = np.random.default_rng(seed).normal(size=(len(said), 4)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    groups = near_duplicates(said, vectors)
    rows = [row for group in groups for row in group]
    assert len(rows) == len(set(rows))
    for first, *others in groups:
        assert others
        for row in others:
            assert say_the_same(said[first], said[row], float(vectors[first] @ vectors[row]) + 1e-6)
