"""Ports of machine-learning models."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
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


@dataclass(frozen=True)
class Embedded:
    """What a provider made of a batch: one unit vector for each text, and the tokens that it counts."""

    vectors: Vectors
    tokens: int


class RemoteEmbedder(Protocol):
    """An embedding model at a provider. Every failure is a `ProviderError`; nothing is tried twice in here."""

    async def embed(self, batch: Sequence[str], patience: timedelta | None = None) -> Embedded:
        """The vectors of one batch, which keeps to `perdure.domain.embedding_batches`."""

    async def aclose(self) -> None:
        """Close connections."""


@dataclass(frozen=True)
class EmbeddingCall:
    """For whom, and for what, texts are embedded. `purpose` is a word for the log, never a text."""

    organisation_id: str
    purpose: str
    operation_id: str | None = None
    operation_kind: str | None = None
    patience: timedelta | None = None
    """How long a provider has, where somebody waits for the answer."""


class Embedders(Protocol):
    """The embedding models at hand, by name: those that run here, and those at providers that there are keys for."""

    @property
    def default(self) -> EmbeddingModel:
        """The model of new spaces."""

    def runs_here(self, name: str) -> bool:
        """Whether a model runs on this machine."""

    def named(self, name: str) -> EmbeddingModel:
        """What a name means, whether or not there is a key for it; InvalidInputError when it means nothing."""

    async def require(self, organisation_id: str, name: str) -> None:
        """ProviderUnavailableError, with what to do about it, where nobody could be asked for this model."""

    async def embed(self, call: EmbeddingCall, name: str, texts: Sequence[str]) -> Vectors:
        """Unit vectors under a model. Fails like `named` and `require`, or with a `ProviderError`."""


class Tokenizer(Protocol):
    """Where the tokens of a text are."""

    def offsets(self, text: str) -> list[tuple[int, int]]:
        """Character spans of the tokens, without special tokens, in order."""
