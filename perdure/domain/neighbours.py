"""Which vectors are nearest to those of a page, found block by block."""

import heapq
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]


class Neighbours:
    """The nearest of the same group of each row of a page, at most `count`, none below `floor`.

    `vectors` are rows of length one. What is nearest does not depend on how the others are cut into blocks.
    """

    def __init__(
        self, ids: Sequence[str], groups: Sequence[str], vectors: Vectors, *, floor: float, count: int
    ) -> None:
        self._ids, self._vectors, self._floor, self._count = ids, vectors, floor, count
        self._rows = _by_group(groups)
        self._found: list[list[tuple[float, str]]] = [[] for _ in ids]

    def add(self, ids: Sequence[str], groups: Sequence[str], vectors: Vectors) -> None:
        """Compare with some more."""
        for group, columns in _by_group(groups).items():
            rows = self._rows.get(group)
            if rows is None:
                continue
            cosines = self._vectors[rows] @ vectors[columns].T
            for row, near in zip(rows, cosines, strict=True):
                self._add(row, near, columns, ids)

    def _add(
        self, row: int, cosines: npt.NDArray[np.float32], columns: npt.NDArray[np.intp], ids: Sequence[str]
    ) -> None:
        found = self._found[row]
        floor = max(self._floor, found[0][0]) if len(found) == self._count else self._floor
        (near,) = np.nonzero(cosines >= floor)
        if len(near) > 2 * self._count:
            # One more than wanted: the row itself is among them.
            near = near[np.argpartition(-cosines[near], self._count)[: self._count + 1]]
        for column in near:
            other = ids[columns[column]]
            if other == self._ids[row]:
                continue
            entry = (float(cosines[column]), other)
            if len(found) < self._count:
                heapq.heappush(found, entry)
            elif entry > found[0]:
                heapq.heapreplace(found, entry)

    def of(self, row: int) -> list[tuple[str, float]]:
        """The neighbours of a row with their cosines, the nearest first."""
        return [(other, cosine) for cosine, other in sorted(self._found[row], reverse=True)]

    def ids(self) -> list[str]:
        """All that are somebody's neighbour."""
        return sorted({other for found in self._found for _, other in found})


def _by_group(groups: Sequence[str]) -> dict[str, npt.NDArray[np.intp]]:
    rows: dict[str, list[int]] = {}
    for row, group in enumerate(groups):
        rows.setdefault(group, []).append(row)
    return {group: np.array(found, dtype=np.intp) for group, found in rows.items()}
