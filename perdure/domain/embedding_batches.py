"""Texts as requests that keep to what providers of embeddings take."""

from collections.abc import Iterator, Sequence

MAX_TOKENS = 8191
# A token is one byte at least, so that nothing that keeps to these is ever too long.
MAX_TEXT_BYTES = MAX_TOKENS
MAX_REQUEST_BYTES = 300_000
MAX_REQUEST_TEXTS = 2048


def batches(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    """Texts request by request, in order; each cut to what surely fits, an empty one, which is refused, a blank."""
    batch: list[str] = []
    size = 0
    for text in map(_fitting, texts):
        length = len(text.encode())
        if batch and (size + length > MAX_REQUEST_BYTES or len(batch) == MAX_REQUEST_TEXTS):
            yield batch
            batch, size = [], 0
        batch.append(text)
        size += length
    if batch:
        yield batch


def _fitting(text: str) -> str:
    encoded = text.encode("utf-8", "replace")[:MAX_TEXT_BYTES]
    return encoded.decode("utf-8", "ignore") or " "
