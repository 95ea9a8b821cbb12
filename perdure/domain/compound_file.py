"""Reads OLE compound files: the container of Outlook messages and of the office formats before 2007."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_LAST_SECTOR = 0xFFFFFFFA
_END = 0xFFFFFFFE
_STORAGE, _STREAM, _ROOT = 1, 2, 5
_MINI_CUTOFF = 4096
_MINI_SECTOR = 64


@dataclass(frozen=True)
class Entry:
    """A stream or storage in the directory."""

    index: int
    name: str
    kind: int
    left: int
    right: int
    child: int
    start: int
    size: int

    @property
    def is_stream(self) -> bool:
        """Whether it has bytes of its own."""
        return self.kind == _STREAM


class CompoundFile:
    """A file in memory. What is damaged reads as shorter or absent; a ring of sectors ends where it closes."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        shift = struct.unpack_from("<H", data, 30)[0] if len(data) >= 512 else 9
        self._sector_size = 1 << min(max(shift, 7), 16)

    @cached_property
    def _fat(self) -> list[int]:
        if len(self._data) < 512:
            return []
        sectors = list(struct.unpack_from("<109I", self._data, 76))
        per_sector = self._sector_size // 4
        position, seen = struct.unpack_from("<I", self._data, 68)[0], set[int]()
        while position < _LAST_SECTOR and position not in seen:
            seen.add(position)
            block = self._sector(position)
            if len(block) < self._sector_size:
                break
            *more, position = struct.unpack(f"<{per_sector}I", block)
            sectors += more
        table: list[int] = []
        for sector in sectors:
            block = self._sector(sector) if sector < _LAST_SECTOR else b""
            if len(block) == self._sector_size:
                table += struct.unpack(f"<{per_sector}I", block)
        return table

    def _sector(self, number: int) -> bytes:
        start = (number + 1) * self._sector_size
        return self._data[start : start + self._sector_size]

    def _chain(self, first: int, table: list[int]) -> Iterator[int]:
        seen: set[int] = set()
        while first < len(table) and first not in seen:
            seen.add(first)
            yield first
            first = table[first]

    @cached_property
    def entries(self) -> list[Entry]:
        """The directory, in its own order: the first entry is the root."""
        if len(self._data) < 512:
            return []
        packed = b"".join(
            map(self._sector, self._chain(struct.unpack_from("<I", self._data, 48)[0], self._fat))
        )
        found = []
        for index in range(len(packed) // 128):
            name, length, kind, _, left, right, child, start, size = struct.unpack_from(
                "<64sHBBIII36xIQ", packed, index * 128
            )
            text = name[: max(min(length, 64) - 2, 0)].decode("utf-16-le", "replace")
            found.append(Entry(index, text, kind, left, right, child, start, size & 0xFFFFFFFF))
        return found

    @cached_property
    def names(self) -> frozenset[str]:
        """Names of what lies directly in the root."""
        return (
            frozenset(entry.name for entry in self.children(self.entries[0])) if self.entries else frozenset()
        )

    def children(self, storage: Entry) -> list[Entry]:
        """What lies in a storage or in the root."""
        found, waiting, seen = [], [storage.child], set[int]()
        while waiting:
            index = waiting.pop()
            if index >= len(self.entries) or index in seen:
                continue
            seen.add(index)
            entry = self.entries[index]
            found.append(entry)
            waiting += [entry.left, entry.right]
        return found

    def storages(self) -> list[Entry]:
        """Storages directly in the root."""
        return [one for one in self.children(self.entries[0]) if one.kind == _STORAGE] if self.entries else []

    def read(self, stream: Entry) -> bytes:
        """The bytes of a stream."""
        if stream.size < _MINI_CUTOFF and stream.kind == _STREAM:
            pieces = [
                self._mini_stream[number * _MINI_SECTOR : (number + 1) * _MINI_SECTOR]
                for number in self._chain(stream.start, self._mini_fat)
            ]
        else:
            pieces = list(map(self._sector, self._chain(stream.start, self._fat)))
        return b"".join(pieces)[: stream.size]

    @cached_property
    def _mini_fat(self) -> list[int]:
        packed = b"".join(
            map(self._sector, self._chain(struct.unpack_from("<I", self._data, 60)[0], self._fat))
        )
        return list(struct.unpack_from(f"<{len(packed) // 4}I", packed))

    @cached_property
    def _mini_stream(self) -> bytes:
        root = self.entries[0]
        return self.read(root) if root.kind == _ROOT else b""
