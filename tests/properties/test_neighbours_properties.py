"""The nearest are the nearest, however the others are cut into blocks."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from perdure.domain.neighbours import Neighbours


@st.composite
def spaces(draw: st.DrawFn) -> tuple[list[str], np.ndarray, int, int, int]:
    size = draw(st.integers(1, 40))
    vectors = np.random.default_rng(draw(st.integers(0, 10_000))).normal(size=(size, 6)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    groups = draw(st.lists(st.sampled_from(["", "Ann", "Ben"]), min_size=size, max_size=size))
    return groups, vectors, draw(st.integers(1, size)), draw(st.integers(1, size)), draw(st.integers(1, 5))


@given(spaces())
def test_blocks_change_nothing(space: tuple[list[str], np.ndarray, int, int, int]) -> None:
    groups, vectors, rows, block, count = space
    ids = [f"mem_{number:03}" for number in range(len(groups))]
    found = Neighbours(ids[:rows], groups[:rows], vectors[:rows], floor=0.2, count=count)
    for first in range(0, len(ids), block):
        some = slice(first, first + block)
        found.add(ids[some], groups[some], vectors[some])
    for row in range(rows):
        near = sorted(
            (
                (float(vectors[row] @ vectors[other]), ids[other])
                for other in range(len(ids))
                if other != row and groups[other] == groups[row]
            ),
            reverse=True,
        )
        expected = [cosine for cosine, _ in near if cosine >= 0.2][:count]
        assert np.allclose([cosine for _, cosine in found.of(row)], expected, atol=1e-5)
        assert all(groups[ids.index(other)] == groups[row] for other, _ in found.of(row))
        assert ids[row] not in {other for other, _ in found.of(row)}
