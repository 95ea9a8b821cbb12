"""How a text feels about its subject: a polarity and a label, sentence by sentence and as a whole."""

from dataclasses import dataclass
from enum import StrEnum


class Feeling(StrEnum):
    """What a text says of its subject; `mixed` says good and bad of it, `neutral` neither."""

    POSITIVE = "positive"
    NEGATIVE = "negative"
    NEUTRAL = "neutral"
    MIXED = "mixed"


@dataclass(frozen=True, slots=True)
class Sentiment:
    """`polarity` from -1 to 1; `confidence` is how often such an answer is right (0 to 1)."""

    polarity: float
    label: Feeling
    confidence: float
