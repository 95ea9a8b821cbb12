"""Memories about one matter are found together."""

import numpy as np
import numpy.typing as npt

from perdure.domain.clusters import clusters


def vectors(*degrees: float) -> npt.NDArray[np.float32]:
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def test_near_rows_make_a_cluster_led_by_the_most_central() -> None:
    [found] = clusters(vectors(0, 10, 20, 90), near=0.95)
    assert found.rows == (1, 0, 2)
    assert found.nearness == 0.9848


def test_the_larger_cluster_comes_first_and_no_row_stands_in_two() -> None:
    found = clusters(vectors(90, 91, 92, 0, 1, 2, 3), near=0.95)
    assert [sorted(cluster.rows) for cluster in found] == [[3, 4, 5, 6], [0, 1, 2]]


def test_too_few_rows_make_none() -> None:
    assert clusters(vectors(0, 1), near=0.5) == []
    assert clusters(vectors(0, 1, 90), near=0.9) == []
    assert clusters(np.zeros((0, 2)), near=0.9) == []


def test_rows_of_different_groups_are_never_together() -> None:
    assert clusters(vectors(0, 1, 2), near=0.9, groups=["a", "a", "b"]) == []


def test_no_chain_of_small_steps_joins_what_differs() -> None:
    found = clusters(vectors(*range(0, 100, 10)), near=0.98)
    assert all(len(cluster.rows) <= 3 for cluster in found)
