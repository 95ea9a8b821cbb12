"""Ports of machine-learning models."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True)
class EmbeddingModel:
    """Identity of a model: vectors of two models never compare. `name` includes precision and version."""

    name: str
    dimension: int
    max_tokens: int


class Embedder(Protocol):
    """Texts to unit vectors. Blocking; thread-safe."""

    @property
    def model(self) -> EmbeddingModel:
        """Which model this is."""

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return (len(texts), dimension) float32 rows of length 1; longer texts are cut at `max_tokens`."""


class Embedders(Protocol):
    """The embedding models at hand, by name; each is loaded when it is first asked for."""

    @property
    def default(self) -> EmbeddingModel:
        """The model of new spaces."""

    def known(self) -> list[EmbeddingModel]:
        """All models that could be asked for."""

    def get(self, name: str) -> Embedder:
        """A model by name; InvalidInputError for an unknown one."""


class Tokenizer(Protocol):
    """Where the tokens of a text are."""

    def offsets(self, text: str) -> list[tuple[int, int]]:
        """Character spans of the tokens, without special tokens, in order."""
