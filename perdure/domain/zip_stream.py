"""A zip file as a stream: made piece by piece from pieces, never whole in memory, the same bytes each time."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

# From here on compressing a piece takes longer than going to another thread and back.
_THREAD_BYTES = 32 * 1024
_OLDEST_YEAR = 1980  # that a zip file knows
_PRIVATE_FILE = 0o100600 << 16


@dataclass(frozen=True)
class ZippedEntry:
    """Size and digest of what an entry holds, unpacked."""

    name: str
    size_bytes: int
    sha256: str


class _Pieces:
    """A file that can only be written, and hands over what was."""

    def __init__(self) -> None:
        self._written: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._written.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """Nothing is open."""

    def take(self) -> bytes:
        taken = b"".join(self._written)
        self._written.clear()
        return taken


class ZipStream:
    """Give it one entry after the other, and the end; what comes out in this order is the file.

    `async for piece in zipped.entry("a.txt", chunks): …; yield zipped.end()`
    """

    def __init__(self, modified_at: datetime) -> None:
        at = modified_at.astimezone(UTC)
        self._date = (max(at.year, _OLDEST_YEAR), at.month, at.day, at.hour, at.minute, at.second)
        self._pieces = _Pieces()
        self._zip = ZipFile(self._pieces, "w", allowZip64=True)
        self._last: ZippedEntry | None = None

    @property
    def last(self) -> ZippedEntry:
        """The entry that was written last."""
        if self._last is None:
            raise AssertionError("no entry was written yet")
        return self._last

    async def entry(
        self, name: str, chunks: AsyncIterator[bytes], *, compress: bool = True
    ) -> AsyncIterator[bytes]:
        """Add an entry; yields what the zip file goes on with."""
        info = ZipInfo(name, self._date)
        info.compress_type = ZIP_DEFLATED if compress else ZIP_STORED
        info.external_attr = _PRIVATE_FILE
        digest, size_bytes = hashlib.sha256(), 0
        with self._zip.open(info, "w", force_zip64=True) as file:
            async for chunk in chunks:
                digest.update(chunk)
                size_bytes += len(chunk)
                if compress and len(chunk) > _THREAD_BYTES:
                    await asyncio.to_thread(file.write, chunk)
                else:
                    file.write(chunk)
                if piece := self._pieces.take():
                    yield piece
        self._last = ZippedEntry(name, size_bytes, digest.hexdigest())
        yield self._pieces.take()

    def end(self) -> bytes:
        """The directory, which ends the file."""
        self._zip.close()
        return self._pieces.take()
