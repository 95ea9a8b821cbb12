"""The embedding models at hand."""

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from perdure.errors import FieldError, InvalidInputError
from perdure.ports.models import Embedder, EmbeddingCall, EmbeddingModel, Vectors
from perdure.providers.minilm_embedder import DIMENSION, FP32_MODEL, INT8_MODEL, MAX_TOKENS, MiniLMEmbedder

_PRECISIONS: dict[str, Literal["int8", "fp32"]] = {INT8_MODEL: "int8", FP32_MODEL: "fp32"}


class LocalEmbedders:
    """The two forms of MiniLM, each loaded when it is first asked for; `ports.models.Embedders` without providers."""

    def __init__(self, directory: Path, precision: Literal["int8", "fp32"], threads: int) -> None:
        self._directory, self._threads = directory, threads
        self._default = INT8_MODEL if precision == "int8" else FP32_MODEL
        self._loaded: dict[str, Embedder] = {}
        self._loading = threading.Lock()

    @property
    def default(self) -> EmbeddingModel:
        """See `Embedders`."""
        return EmbeddingModel(self._default, DIMENSION, MAX_TOKENS)

    def runs_here(self, name: str) -> bool:
        """See `Embedders`."""
        return name in _PRECISIONS

    def named(self, name: str) -> EmbeddingModel:
        """See `Embedders`."""
        if name not in _PRECISIONS:
            detail = f"unknown embedding model '{name}'; known are {', '.join(_PRECISIONS)}"
            raise InvalidInputError(detail, [FieldError("/body/model", detail)])
        return EmbeddingModel(name, DIMENSION, MAX_TOKENS)

    async def require(self, organisation_id: str, name: str) -> None:
        """See `Embedders`. What runs here is there for all."""
        self.named(name)

    async def embed(self, call: EmbeddingCall, name: str, texts: Sequence[str]) -> Vectors:
        """See `Embedders`. In a thread, where the model is loaded, too."""

        def embed() -> Vectors:
            return self.get(name).embed(texts)

        return await asyncio.to_thread(embed)

    def get(self, name: str) -> Embedder:
        """A model by name, loaded; InvalidInputError for an unknown one."""
        self.named(name)
        with self._loading:
            if name not in self._loaded:
                self._loaded[name] = MiniLMEmbedder(self._directory, _PRECISIONS[name], self._threads)
            return self._loaded[name]
