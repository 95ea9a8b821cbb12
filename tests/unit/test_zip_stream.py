import io
import os
import zipfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from perdure.domain.zip_stream import ZipStream

AT = datetime(2026, 11, 21, 10, 30, 2, tzinfo=UTC)


async def chunks(*data: bytes) -> AsyncIterator[bytes]:
    for each in data:
        yield each


async def zipped(*entries: tuple[str, tuple[bytes, ...], bool]) -> tuple[bytes, list[int], list[str]]:
    """The file, the sizes of the pieces that it came in, and the digests of the entries."""
    stream, pieces, digests = ZipStream(AT), list[bytes](), list[str]()
    for name, data, compress in entries:
        pieces.extend([piece async for piece in stream.entry(name, chunks(*data), compress=compress)])
        digests.append(stream.last.sha256)
    pieces.append(stream.end())
    return b"".join(pieces), [len(piece) for piece in pieces], digests


async def test_what_goes_in_comes_out() -> None:
    large = tuple(os.urandom(200_000) for _ in range(5))
    data, _, digests = await zipped(
        ("a.txt", (b"one ", b"two"), True), ("empty", (), True), ("b/c.bin", large, False)
    )
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        assert file.testzip() is None
        assert file.namelist() == ["a.txt", "empty", "b/c.bin"]
        assert file.read("a.txt") == b"one two"
        assert file.read("empty") == b""
        assert file.read("b/c.bin") == b"".join(large)
        assert {info.date_time for info in file.infolist()} == {(2026, 11, 21, 10, 30, 2)}
    assert digests[1] == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


async def test_the_same_makes_the_same_bytes() -> None:
    entries = (("a.txt", (b"text " * 50_000,), True), ("b.bin", (b"x" * 100,), False))
    assert (await zipped(*entries))[0] == (await zipped(*entries))[0]


async def test_nothing_is_held_back_until_the_end() -> None:
    _, sizes, _ = await zipped(("a.bin", tuple(os.urandom(100_000) for _ in range(20)), False))
    assert max(sizes) < 2 * 100_000
    assert len(sizes) > 20


def test_there_is_no_last_entry_at_first() -> None:
    with pytest.raises(AssertionError):
        assert ZipStream(AT).last
