"""all-MiniLM-L6-v2 on onnxruntime: small, quick, no torch."""

import os
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import numpy as np
import onnxruntime
from tokenizers import Encoding
from tokenizers import Tokenizer as FastTokenizer

from perdure import tracing
from perdure.errors import UnavailableError
from perdure.ports.models import EmbeddingModel, Vectors
from perdure.providers.minilm_export import FP32_FILE, INT8_FILE, TOKENIZER_FILE, is_exported

DIMENSION = 384
MAX_TOKENS = 256
INT8_MODEL = "all-minilm-l6-v2-int8"
FP32_MODEL = "all-minilm-l6-v2-fp32"

# Padded tokens of one run. Measured: more rows cost memory, bring no speed, and make int8 coarser.
BATCH_TOKENS = 1024
# Tokens of so many texts are held at once.
_TOKENISED_TEXTS = 256
# The tokenizer reads no further: 256 tokens of 100 characters, the longest word it knows as one.
_READ_CHARACTERS = MAX_TOKENS * 101

# The tokenizer drops control characters, joining the words that these separate, and refuses surrogates.
_NOT_TEXT = re.compile("[\x0b\x0c\x1c-\x1f\x85\ud800-\udfff]")


def _clean(text: str) -> str:
    """The same length, so that offsets hold."""
    return _NOT_TEXT.sub(" ", text)


def _load_tokenizer(directory: Path) -> FastTokenizer:
    if not is_exported(directory):
        msg = (
            f"The embedding model is not in {directory}. `make run` puts it there; "
            f"by hand: python -m perdure.providers.minilm_export {directory}"
        )
        raise UnavailableError(msg)
    tokenizer = FastTokenizer.from_file(str(directory / TOKENIZER_FILE))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


class MiniLMTokenizer:
    """Where the model's tokens are in a text; thread-safe."""

    def __init__(self, directory: Path) -> None:
        self._tokenizer = _load_tokenizer(directory)

    def offsets(self, text: str) -> list[tuple[int, int]]:
        """See `ports.models.Tokenizer`."""
        return list(self._tokenizer.encode(_clean(text), add_special_tokens=False).offsets)


class MiniLMEmbedder:
    """Unit vectors of 384 numbers; `directory` holds what `minilm_export` made.

    `threads` 0 means one per core. Each batch runs in one thread, several batches at once: measured, that is a
    fifth quicker than all threads on one batch, which wait for each other at every operator. Memory stays flat:
    batches are bounded by their padded size, and nothing stays between calls.
    """

    def __init__(
        self, directory: Path, precision: Literal["int8", "fp32"] = "int8", threads: int = 0
    ) -> None:
        self._tokenizer = _load_tokenizer(directory)
        self._tokenizer.enable_truncation(MAX_TOKENS)
        int8 = precision == "int8"
        self._threads = threads or len(os.sched_getaffinity(0))
        self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="embed")
        self._session = onnxruntime.InferenceSession(
            str(directory / (INT8_FILE if int8 else FP32_FILE)),
            _session_options(),
            providers=["CPUExecutionProvider"],
        )
        self._model = EmbeddingModel(INT8_MODEL if int8 else FP32_MODEL, DIMENSION, MAX_TOKENS)

    @property
    def model(self) -> EmbeddingModel:
        """See `ports.models.Embedder`."""
        return self._model

    def embed(self, texts: Sequence[str]) -> Vectors:
        """See `ports.models.Embedder`."""
        with tracing.span("embed", texts=len(texts)):
            return self._embed(texts)

    def _embed(self, texts: Sequence[str]) -> Vectors:
        vectors = np.empty((len(texts), DIMENSION), dtype=np.float32)
        # Texts of like length together, so that little is padded; the order is the same for the same texts.
        order = sorted(range(len(texts)), key=lambda row: (len(texts[row]), row))
        for first in range(0, len(order), _TOKENISED_TEXTS):
            window = order[first : first + _TOKENISED_TEXTS]
            cleaned = [_clean(texts[row][:_READ_CHARACTERS]) for row in window]
            encodings = self._tokenizer.encode_batch_fast(cleaned)
            batches = list(_batches(encodings, self._threads))
            rows = (
                map(self._run, ([encodings[at] for at in places] for places in batches))
                if len(batches) == 1
                else self._pool.map(self._run, [[encodings[at] for at in places] for places in batches])
            )
            for places, computed in zip(batches, rows, strict=True):
                vectors[[window[at] for at in places]] = computed
        return vectors

    def _run(self, encodings: Sequence[Encoding]) -> Vectors:
        ids = np.zeros((len(encodings), max(map(len, encodings))), dtype=np.int64)
        for row, encoding in enumerate(encodings):
            ids[row, : len(encoding)] = encoding.ids
        # 0 is the padding token. A text that spells it, "[PAD]", loses that word and nothing else.
        inputs = {"input_ids": ids, "attention_mask": (ids != 0).astype(np.int64)}
        vectors: Vectors = self._session.run(["embedding"], inputs)[0]
        return vectors


def _session_options() -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _batches(encodings: Sequence[Encoding], threads: int) -> Iterator[list[int]]:
    """Rows of like length together, so that little is padded; few rows are shared out to all threads."""
    order = sorted(range(len(encodings)), key=lambda row: (len(encodings[row]), row))
    most = -(-len(order) // threads)
    rows: list[int] = []
    for row in order:
        if rows and (len(rows) == most or len(encodings[row]) * (len(rows) + 1) > BATCH_TOKENS):
            yield rows
            rows = []
        rows.append(row)
    if rows:
        yield rows
