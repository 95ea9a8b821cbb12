"""What is kept of memories, read back: values that a change notes in JSON, and vectors."""

from datetime import datetime
from typing import Any

import numpy as np

from perdure.ports.models import Vectors

_INSTANTS = frozenset(("retired_at", "valid_from", "valid_to", "expires_at"))
_REALS = frozenset(("importance", "confidence"))


def noted_value(name: str, noted: Any) -> Any:
    """A column's value out of JSON."""
    return datetime.fromisoformat(noted) if name in _INSTANTS and noted is not None else noted


def same_value(name: str, current: Any, value: Any) -> bool:
    """Whether a column still has a value. Reals are compared as the column keeps them."""
    if name in _REALS and current is not None and value is not None:
        return bool(np.float32(current) == np.float32(value))
    return bool(current == value)


def stored_vector(sent: bytes) -> Vectors:
    """A vector out of what `halfvec_send` gives: dimension, reserve, then half floats, all big-endian."""
    return np.frombuffer(sent, dtype=">f2", offset=4).astype(np.float32)
