"""The object store port."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class StoredObject:
    """Size and digest of what was written."""

    key: str
    size_bytes: int
    sha256: str


class ObjectStore(Protocol):
    """Bytes by key. Keys are `/`-separated relative paths; a put is atomic and replaces."""

    async def put(self, key: str, data: bytes) -> None:
        """Write all of `data`."""

    async def put_stream(self, key: str, chunks: AsyncIterator[bytes], *, max_bytes: int) -> StoredObject:
        """Write a stream without holding it; PayloadTooLargeError above `max_bytes` leaves nothing behind."""

    async def get(self, key: str) -> bytes:
        """Read all; NotFoundError when absent."""

    def stream(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """Read `[start, end)` in pieces; NotFoundError when absent."""

    async def download(self, key: str, path: Path) -> None:
        """Copy into a local file; NotFoundError when absent."""

    async def size(self, key: str) -> int | None:
        """Size in bytes, or None when absent."""

    async def delete(self, keys: list[str]) -> None:
        """Remove; an absent key is no error."""

    def list(self, prefix: str) -> AsyncIterator[str]:
        """Keys under a folder; the last name of a prefix is never cut."""

    async def delete_unfinished(self, unused_for: timedelta) -> int:
        """Delete what a killed process had begun to write so long ago; how many files that were."""

    async def sign(self, key: str, expires_in: timedelta) -> str | None:
        """A URL that anyone may GET until it expires; None when the store cannot sign (local directory)."""

    async def check(self) -> None:
        """Write, read and delete a probe object; UnavailableError when that fails."""
