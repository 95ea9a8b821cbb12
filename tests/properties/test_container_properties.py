"""Damaged and forged containers: whatever the bytes are, the answer is a document or a typed rejection."""

import io
import struct
import tempfile
import zipfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from perdure.domain.archives import ArchiveLimits, check_container, directory_bytes, expand
from perdure.domain.compound_file import CompoundFile
from perdure.domain.media_types import detect
from perdure.domain.xml_text import xml_entries
from perdure.errors import DocumentRejectedError
from perdure.providers.outlook_attachments import save_attachments
from tests.compound_files import outlook_message

LIMITS = ArchiveLimits(max_total_bytes=1 << 20)
MESSAGE = outlook_message(
    "Berth 4", "The crane is out of order.", "Martha Osei", {"list.csv": b"a,b\n" * 1200}
)


def _zip() -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<x/>")
        archive.writestr("word/document.xml", "<w:p>words</w:p>" * 50)
        archive.writestr("folder/ü.txt", b"stored")
    return data.getvalue()


ZIP = _zip()
Edits = list[tuple[int, bytes]]


def edits(size: int) -> st.SearchStrategy[Edits]:
    return st.lists(st.tuples(st.integers(0, size - 1), st.binary(min_size=1, max_size=8)), max_size=6)


def edited(data: bytes, changes: Edits, keep: float) -> bytes:
    changed = bytearray(data)
    for place, new in changes:
        changed[place : place + len(new)] = new
    return bytes(changed[: max(int(len(changed) * keep), 1)])


kept = st.sampled_from([1.0, 1.0, 1.0, 0.99, 0.7, 0.3])


@settings(max_examples=300)
@given(edits(len(ZIP)), kept)
def test_a_forged_zip_is_read_or_rejected(changes: Edits, keep: float) -> None:
    with tempfile.TemporaryDirectory() as name:
        path, folder = Path(name) / "x.zip", Path(name) / "out"
        folder.mkdir()
        path.write_bytes(edited(ZIP, changes, keep))
        directory_bytes(path)
        for attempt in (
            lambda: detect(path.read_bytes(), path, "x.docx"),
            lambda: check_container(path, LIMITS),
            lambda: list(expand(path, folder, LIMITS)),
        ):
            try:
                attempt()
            except DocumentRejectedError as error:
                assert error.detail  # noqa: PT017  # any other exception is what this test is about
        assert sorted(one.name for one in Path(name).iterdir()) == ["out", "x.zip"]


@settings(max_examples=300)
@given(edits(1024) | edits(len(MESSAGE)), kept)
def test_a_forged_compound_file_is_read_or_rejected(changes: Edits, keep: float) -> None:
    data = edited(MESSAGE, changes, keep)
    compound = CompoundFile(data)
    assert all(isinstance(name, str) for name in compound.names)
    for entry in compound.entries:
        assert len(compound.read(entry)) <= len(data) * 2
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "x.msg"
        path.write_bytes(data)
        list(save_attachments(path, Path(name)))


def test_a_small_stream_lies_in_the_mini_stream() -> None:
    # root storage with a mini stream of two mini sectors, and one stream of 70 bytes in it
    content = bytes(range(70))
    fat = struct.pack("<128I", 0xFFFFFFFE, 0xFFFFFFFE, 0xFFFFFFFE, 0xFFFFFFFD, *([0xFFFFFFFF] * 124))
    mini_fat = struct.pack("<128I", 1, 0xFFFFFFFE, *([0xFFFFFFFF] * 126))

    def entry(name: str, kind: int, child: int, start: int, size: int) -> bytes:
        raw = name.encode("utf-16-le")
        none = 0xFFFFFFFF
        return struct.pack("<64sHBBIII36xIQ", raw, len(raw) + 2, kind, 1, none, none, child, start, size)

    directory = entry("Root Entry", 5, 1, 1, 128) + entry("small", 2, 0xFFFFFFFF, 0, 70) + b"\0" * 256
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 16
    header += struct.pack("<HHHHH6xIIIIIIIII", 0x3E, 3, 0xFFFE, 9, 6, 0, 1, 0, 0, 4096, 2, 1, 0xFFFFFFFE, 0)
    header += struct.pack("<109I", 3, *([0xFFFFFFFF] * 108))
    compound = CompoundFile(header + directory + content.ljust(512, b"\0") + mini_fat + fat)
    (small,) = compound.children(compound.entries[0])
    assert compound.read(small) == content


@given(st.binary(max_size=200) | st.text(alphabet="<>/ab&;!\"'=[]x ", max_size=200).map(str.encode))
def test_any_xml_is_read_or_rejected(data: bytes) -> None:
    try:
        entries = xml_entries(data)
    except DocumentRejectedError:
        return
    assert all(entries)
