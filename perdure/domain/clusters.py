"""Groups of memories about one matter, by their vectors; the same rows in the same order make the same groups."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

# About one matter without saying the same; seen with MiniLM on chats.
NEAR = 0.5
# Rows compared at once.
_BLOCK = 1024
# Neighbours that are kept of each row; a group is not larger.
_MOST = 256
# Cosines are compared at this precision, so that the order of additions decides nothing.
_DIGITS = 4


@dataclass(frozen=True, slots=True)
class Cluster:
    """Rows of one group, the most central first, and the mean cosine of the others to it."""

    rows: tuple[int, ...]
    nearness: float


def clusters(
    vectors: npt.NDArray[np.floating],
    near: float = NEAR,
    least: int = 3,
    groups: Sequence[str] | None = None,
) -> list[Cluster]:
    """Clusters of at least so many rows, the largest first; no row stands in two.

    The row with the most neighbours nearer than `near` leads the first cluster, and so on among what is left, so that
    every member is near its leader and no chain of steps joins what differs. `vectors` (rows, dimensions) have length
    1; rows of different `groups` are never neighbours.
    """
    count = len(vectors)
    if count < least:
        return []
    neighbours, cosines = _neighbours(np.asarray(vectors, dtype=np.float32), near, _codes(groups, count))
    left = np.array([len(near_by) for near_by in neighbours])
    taken = np.zeros(count, dtype=bool)
    found: list[Cluster] = []
    while True:
        leader = int(np.argmax(np.where(taken, -1, left)))
        if taken[leader] or left[leader] + 1 < least:
            break
        free = ~taken[neighbours[leader]]
        if int(free.sum()) + 1 < least:
            left[leader] = int(free.sum())  # of more than are kept, some do not know that it is taken
            continue
        members, nearness = neighbours[leader][free], cosines[leader][free]
        taken[leader], taken[members] = True, True
        found.append(Cluster((leader, *members.tolist()), round(float(nearness.mean()), _DIGITS)))
        for row in (leader, *members.tolist()):
            left[neighbours[row]] -= 1
    return sorted(found, key=lambda cluster: (-len(cluster.rows), cluster.rows[0]))


def _codes(groups: Sequence[str] | None, count: int) -> npt.NDArray[np.int64]:
    numbers: dict[str, int] = {}
    return np.array(
        [numbers.setdefault(group, len(numbers)) for group in groups or [""] * count], dtype=np.int64
    )


def _neighbours(
    vectors: npt.NDArray[np.float32], near: float, groups: npt.NDArray[np.int64]
) -> tuple[list[npt.NDArray[np.intp]], list[npt.NDArray[np.float32]]]:
    """Of each row, the nearest others and how near they are, the nearest first."""
    found: list[npt.NDArray[np.intp]] = []
    cosines: list[npt.NDArray[np.float32]] = []
    for start in range(0, len(vectors), _BLOCK):
        block = np.round(vectors[start : start + _BLOCK] @ vectors.T, _DIGITS)
        block[groups[start : start + _BLOCK, None] != groups[None, :]] = -1
        for row, values in enumerate(block, start=start):
            values[row] = -1
            near_by = np.flatnonzero(values >= near)
            near_by = near_by[np.lexsort((near_by, -values[near_by]))][:_MOST]
            found.append(near_by)
            cosines.append(values[near_by])
    return found, cosines
