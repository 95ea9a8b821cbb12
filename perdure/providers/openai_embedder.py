"""OpenAI's embeddings, and every server that speaks them: Ollama, vLLM, llama.cpp and others by their URL."""

import base64
import binascii
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from perdure.domain.embedding_names import RemoteModel
from perdure.errors import ProviderError, ProviderReason
from perdure.ports.models import Embedded, Vectors
from perdure.providers.openai_client import openai_client
from perdure.providers.sdk_failures import sdk_failures

if TYPE_CHECKING:
    from openai.types import Embedding

TIMEOUT = timedelta(minutes=1)


class OpenAIEmbedder:
    """See `perdure.ports.models.RemoteEmbedder`. Thread-safe no; for one event loop."""

    def __init__(
        self, model: RemoteModel, key: str, base_url: str | None = None, *, timeout: timedelta = TIMEOUT,
        public_only: bool = False,
    ) -> None:  # fmt: skip
        self._model, self._key = model, key
        self._sdk, self._client = openai_client(key, base_url, timeout, public_only=public_only)

    async def embed(self, batch: Sequence[str], patience: timedelta | None = None) -> Embedded:
        """See the port."""
        request: dict[str, Any] = {
            "model": self._model.model,
            "input": list(batch),
            "encoding_format": "base64",
        }
        if (dimension := self._model.asked_dimension) is not None:
            request["dimensions"] = dimension
        if patience is not None:
            request["timeout"] = patience.total_seconds()
        with sdk_failures(self._model.provider, self._sdk, self._key):
            answer = await self._client.embeddings.create(**request)
        rows = getattr(answer, "data", None)
        if not isinstance(rows, list) or len(rows) != len(batch):
            raise self._malformed(f"vectors for {len(batch)} texts were asked for, and others came")
        usage = getattr(answer, "usage", None)
        return Embedded(self._vectors(rows), getattr(usage, "prompt_tokens", 0) or 0)

    async def aclose(self) -> None:
        """See the port."""
        await self._client.close()

    def _vectors(self, rows: "list[Embedding]") -> Vectors:
        try:
            ordered = sorted(rows, key=lambda row: row.index)
            vectors = np.stack([_numbers(row.embedding) for row in ordered])
        except (binascii.Error, AttributeError, TypeError, ValueError) as error:
            raise self._malformed("vectors that cannot be read") from error
        if vectors.shape[1] != self._model.dimension:
            detail = (
                f"vectors of {vectors.shape[1]} numbers, not {self._model.dimension}: "
                f"name the model with @{vectors.shape[1]}"
            )
            raise self._malformed(detail)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not np.isfinite(lengths).all() or not lengths.all():
            raise self._malformed("vectors without a direction")
        unit: Vectors = (vectors / lengths).astype(np.float32)
        return unit

    def _malformed(self, detail: str) -> ProviderError:
        return ProviderError(self._model.provider.value, ProviderReason.MALFORMED, detail)


def _numbers(embedding: object) -> "np.ndarray[Any, np.dtype[np.float64]]":
    """A vector in either of the two ways in which servers write it."""
    if isinstance(embedding, str):
        return np.frombuffer(base64.b64decode(embedding, validate=True), dtype="<f4").astype(np.float64)
    return np.asarray(embedding, dtype=np.float64).reshape(-1)
