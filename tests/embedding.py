"""The real embedding model for tests, exported once per checkout."""

from functools import cache
from pathlib import Path

from perdure.providers.minilm_embedder import MiniLMEmbedder, MiniLMTokenizer
from perdure.providers.minilm_export import ensure_exported
from perdure.settings import home_directory


@cache
def model_directory() -> Path:
    """Where the models lie; makes them when they are missing (6 s)."""
    directory = home_directory() / "models"
    ensure_exported(directory)
    return directory


@cache
def embedder() -> MiniLMEmbedder:
    """The default embedder, loaded once per test run."""
    return MiniLMEmbedder(model_directory())


@cache
def tokenizer() -> MiniLMTokenizer:
    """The tokenizer of that embedder."""
    return MiniLMTokenizer(model_directory())
