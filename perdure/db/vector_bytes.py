"""Vectors as bytes, in the precision that the index keeps."""

import numpy as np

from perdure.ports.models import Vectors

_KEPT = np.float16  # as halfvec keeps them


def to_bytes(vectors: Vectors) -> bytes:
    """Row after row."""
    return vectors.astype(_KEPT).tobytes()


def from_bytes(data: bytes) -> Vectors:
    """The numbers in one row, as float32."""
    return np.frombuffer(data, dtype=_KEPT).astype(np.float32)
