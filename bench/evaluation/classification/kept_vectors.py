"""Vectors of texts, kept in a file, so that nothing is embedded twice."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from perdure.ports.models import Embedder, EmbeddingModel, Vectors


class KeptVectors:
    """An `Embedder` that asks another one only for what is new to it."""

    def __init__(self, embedder: Embedder, directory: Path) -> None:
        self._embedder = embedder
        self._file = directory / f"classification-{embedder.model.name}.npz"
        self._kept: dict[str, Vectors] = {}
        if self._file.is_file():
            with np.load(self._file) as kept:
                self._kept = dict(zip(kept["keys"].tolist(), kept["vectors"], strict=True))

    @property
    def model(self) -> EmbeddingModel:
        """See `ports.models.Embedder`."""
        return self._embedder.model

    def embed(self, texts: Sequence[str]) -> Vectors:
        """See `ports.models.Embedder`."""
        keys = [hashlib.sha256(text.encode()).hexdigest() for text in texts]
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._kept}
        if missing:
            self._kept.update(zip(missing, self._embedder.embed(list(missing.values())), strict=True))
            self._file.parent.mkdir(parents=True, exist_ok=True)
            np.savez(self._file, keys=np.array(list(self._kept)), vectors=np.stack(list(self._kept.values())))
        return np.stack([self._kept[key] for key in keys])
