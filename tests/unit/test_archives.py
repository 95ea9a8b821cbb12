"""Zip files within limits; nothing leaves the folder, nothing inflates without end."""

import struct
import zipfile
from pathlib import Path

import pytest

from perdure.domain.archives import (
    ArchiveLimits,
    check_container,
    directory_bytes,
    expand,
    open_archive,
    safe_name,
    skipped,
)
from perdure.errors import DocumentRejectedError

LIMITS = ArchiveLimits()
SMALL = ArchiveLimits(
    max_entries=5, max_total_bytes=10_000, max_entry_bytes=5_000, ratio_free_bytes=1_000, max_ratio=20
)
BOMB = Path(__file__).parents[2] / "samples/broken/zip-bomb.docx"


def a_zip(path: Path, entries: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return path


def refused(path: Path, limits: ArchiveLimits) -> DocumentRejectedError:
    with pytest.raises(DocumentRejectedError) as error:
        check_container(path, limits)
    return error.value


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "expanded"
    made.mkdir()
    return made


def test_a_harmless_container_passes(tmp_path: Path) -> None:
    check_container(a_zip(tmp_path / "x", {"a": b"hello" * 100}), LIMITS)


def test_the_sample_bomb_is_refused_by_its_directory() -> None:
    assert refused(BOMB, LIMITS).reason == "decompression_limit"


@pytest.mark.parametrize(
    "entries",
    [
        {f"{number}": b"x" for number in range(6)},
        {"one": b"\x01\x02" * 2_000, "two": b"\x01\x02" * 2_000, "three": b"\x01\x02" * 2_000},
        {"large": bytes(range(256)) * 24},
        {"ratio": b"a" * 4_000},
        {"a/" * 21 + "deep": b"x"},
    ],
    ids=["entries", "total", "entry", "ratio", "depth"],
)
def test_each_limit_is_kept(tmp_path: Path, entries: dict[str, bytes]) -> None:
    assert refused(a_zip(tmp_path / "x", entries), SMALL).reason == "decompression_limit"


def test_a_directory_that_lies_about_the_size_does_not_help(tmp_path: Path) -> None:
    path = a_zip(tmp_path / "x", {"liar": b"a" * 200_000})
    data = bytearray(path.read_bytes())
    position = data.rindex(b"PK\x01\x02")
    struct.pack_into("<I", data, position + 24, 100)  # uncompressed size in the directory
    path.write_bytes(bytes(data))
    assert refused(path, SMALL).reason == "corrupt"


def test_entries_that_share_their_data_are_a_bomb(tmp_path: Path) -> None:
    path = a_zip(tmp_path / "x", {"aa": b"x" * 500, "bb": b"x" * 500})
    data = bytearray(path.read_bytes())
    second = data.rindex(b"PK\x01\x02")
    struct.pack_into("<I", data, second + 42, 0)  # the second entry points to the first one's data
    path.write_bytes(bytes(data))
    assert refused(path, LIMITS).reason == "decompression_limit"


def test_a_directory_too_large_to_hold_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = a_zip(tmp_path / "x", {"a": b"x"})
    data = bytearray(path.read_bytes())
    end = data.rindex(b"PK\x05\x06")
    assert directory_bytes(path) == end - data.rindex(b"PK\x01\x02")
    struct.pack_into("<I", data, end + 12, 5_000_000)
    path.write_bytes(bytes(data))
    assert refused(path, LIMITS).reason == "decompression_limit"
    with pytest.raises(DocumentRejectedError, match="directory of the archive"):
        open_archive(path)


def test_the_directory_of_a_zip64_archive_is_measured_too(tmp_path: Path) -> None:
    path = a_zip(tmp_path / "x", {"a": b"x"})
    data = bytearray(path.read_bytes())
    end = data.rindex(b"PK\x05\x06")
    struct.pack_into("<I", data, end + 12, 0xFFFFFFFF)
    record = b"PK\x06\x06" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, 1, 1, 5_000_000, 0)
    locator = b"PK\x06\x07" + struct.pack("<IQI", 0, end, 1)
    path.write_bytes(bytes(data[:end]) + record + locator + bytes(data[end:]))
    assert directory_bytes(path) == 5_000_000
    assert refused(path, LIMITS).reason == "decompression_limit"


def test_what_is_no_archive_has_no_directory(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"no archive")
    assert directory_bytes(path) == 0


@pytest.mark.parametrize("cut", [0.2, 0.5, 0.9])
def test_a_damaged_container_is_corrupt(tmp_path: Path, cut: float) -> None:
    path = a_zip(tmp_path / "x", {"a": bytes(range(256)) * 40, "b": b"y" * 100})
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * cut)])
    assert refused(path, LIMITS).reason == "corrupt"


def test_damaged_data_inside_is_corrupt(tmp_path: Path) -> None:
    path = a_zip(tmp_path / "x", {"a": bytes(range(256)) * 40}, zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    data[500] ^= 0xFF
    path.write_bytes(bytes(data))
    assert refused(path, LIMITS).reason == "corrupt"


def test_an_encrypted_entry_asks_for_a_copy_without_password(tmp_path: Path) -> None:
    path = a_zip(tmp_path / "x", {"a": b"x"})
    data = bytearray(path.read_bytes())
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(bytes(data))
    assert refused(path, LIMITS).reason == "password_protected"


def test_files_are_expanded_one_by_one_under_numbers(tmp_path: Path, folder: Path) -> None:
    path = a_zip(tmp_path / "x.zip", {"a.txt": b"one", "sub/b.txt": b"three", "sub/": b""})
    entries = list(expand(path, folder, LIMITS))
    assert [(one.name, one.path.read_bytes(), one.size_bytes) for one in entries] == [
        ("a.txt", b"one", 3),
        ("sub/b.txt", b"three", 5),
    ]
    assert all(one.path.parent == folder for one in entries)


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../etc/passwd", "etc/passwd"),
        ("/etc/passwd", "etc/passwd"),
        ("..\\..\\windows\\system.ini", "windows/system.ini"),
        ("C:\\secret.txt", "C_/secret.txt"),
        ("a/../../b", "a/b"),
        ("..", "unnamed"),
        ("", "unnamed"),
        ("we\x00ird\n.txt", "we_ird_.txt"),
        ("normal/path.txt", "normal/path.txt"),
    ],
)
def test_no_name_reaches_outside(name: str, safe: str) -> None:
    assert safe_name(name, LIMITS) == safe


def test_nothing_is_written_outside_the_folder(tmp_path: Path, folder: Path) -> None:
    path = a_zip(tmp_path / "x.zip", {"../escaped.txt": b"x", "/absolute.txt": b"y"})
    list(expand(path, folder, LIMITS))
    assert sorted(one.name for one in tmp_path.iterdir()) == ["expanded", "x.zip"]


def test_links_are_left_out_and_reported(tmp_path: Path, folder: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        link = zipfile.ZipInfo("link")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("file.txt", "x")
        archive.writestr("__MACOSX/._file.txt", "x")
        archive.writestr("folder/.DS_Store", "x")
    assert [one.name for one in expand(path, folder, LIMITS)] == ["file.txt"]
    assert [(name, "link" in why) for name, why in skipped(path)] == [("link", True)]


def test_expanding_stops_at_the_total(tmp_path: Path, folder: Path) -> None:
    path = a_zip(
        tmp_path / "x.zip",
        {"a": bytes(range(256)) * 19, "b": bytes(range(256)) * 19, "c": bytes(range(256)) * 19},
    )
    with pytest.raises(DocumentRejectedError) as error:
        list(expand(path, folder, SMALL))
    assert error.value.reason == "decompression_limit"


@pytest.mark.parametrize(
    ("raw", "flag", "name"),
    [
        ("über.txt".encode(), 0x800, "über.txt"),
        ("über.txt".encode(), 0, "über.txt"),
        ("über.txt".encode("cp437"), 0, "über.txt"),
        ("日本.txt".encode(), 0, "日本.txt"),
    ],
)
def test_names_are_read_as_their_makers_meant_them(
    tmp_path: Path, folder: Path, raw: bytes, flag: int, name: str
) -> None:
    path = a_zip(tmp_path / "x.zip", {"P" * len(raw): b"x"})
    data = bytearray(path.read_bytes().replace(b"P" * len(raw), raw))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        struct.pack_into("<H", data, data.index(signature) + offset, flag)
    path.write_bytes(bytes(data))
    assert [one.name for one in expand(path, folder, LIMITS)] == [name]


def test_an_entry_without_a_name_is_called_unnamed(tmp_path: Path, folder: Path) -> None:
    """A name ends where its first NUL is."""
    path = a_zip(tmp_path / "x.zip", {"PPPP": b"x", "folder/": b""})
    path.write_bytes(path.read_bytes().replace(b"PPPP", b"\0PPP"))
    assert [one.name for one in expand(path, folder, LIMITS)] == ["unnamed"]
    assert skipped(path) == []


def test_an_archive_that_is_none_is_corrupt(tmp_path: Path, folder: Path) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(b"PK\x03\x04 but nothing else")
    with pytest.raises(DocumentRejectedError) as error:
        list(expand(path, folder, LIMITS))
    assert error.value.reason == "corrupt"
