"""Which sentences of a text speak most for the label that was chosen."""

from dataclasses import dataclass

# More sentences of a text are not embedded to find evidence.
MOST_SENTENCES = 64


@dataclass(frozen=True, slots=True)
class Passage:
    """A sentence at `[start, end)` of the text; `score` is its cosine with the label."""

    text: str
    start: int
    end: int
    score: float
