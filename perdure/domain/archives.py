"""Zip files with limits: how many entries, how large, how deep, and nothing outside the target folder."""

import contextlib
import errno
import lzma
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from perdure.domain import rejections
from perdure.errors import DocumentRejectedError

_PIECE = 256 * 1024
_STUMBLES = (
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,
    ValueError,
    struct.error,
    OverflowError,
    RuntimeError,
)
_MAX_DIRECTORY_BYTES = 4 * 1024 * 1024
_END_SEARCH = 66_000  # end record, its longest comment, and the records of zip64 before it
_UTF8_FLAG = 0x800
_ENCRYPTED_FLAG = 0x1
_IGNORED = re.compile(r"(^|/)(__MACOSX/|\.DS_Store$|Thumbs\.db$|desktop\.ini$|\._)")
_RESERVED = re.compile(r'[<>:"|?*\x00-\x1f\x7f]')


@dataclass(frozen=True)
class ArchiveLimits:
    """Caps for one archive. `max_ratio` applies to entries that inflate to more than `ratio_free_bytes`."""

    max_entries: int = 10_000
    max_total_bytes: int = 512 * 1024 * 1024
    max_entry_bytes: int = 512 * 1024 * 1024
    max_ratio: int = 250
    ratio_free_bytes: int = 32 * 1024 * 1024
    max_depth: int = 20
    max_name_length: int = 1_024


@dataclass(frozen=True)
class ArchiveEntry:
    """A file of an archive, expanded to `path`. `name` is its decoded path inside the archive."""

    name: str
    path: Path
    size_bytes: int


def _over(detail: str) -> DocumentRejectedError:
    return DocumentRejectedError("decompression_limit", detail)


def open_archive(path: Path) -> zipfile.ZipFile:
    """Open a zip whose directory is small enough to be held; zipfile.BadZipFile when it has none.

    A directory entry of 47 bytes becomes a Python object of hundreds: the size is looked at before it is read.
    """
    if directory_bytes(path) > _MAX_DIRECTORY_BYTES:
        raise _over(
            f"The directory of the archive is larger than {_MAX_DIRECTORY_BYTES} bytes. Split the archive."
        )
    with _forgeries_as_bad_zip():
        return zipfile.ZipFile(path)


@contextlib.contextmanager
def _forgeries_as_bad_zip() -> Iterator[None]:
    """What zipfile stumbles over in a forged archive, as its own exception."""
    try:
        yield
    except _STUMBLES as error:
        raise zipfile.BadZipFile(str(error) or type(error).__name__) from error
    except OSError as error:
        if error.errno != errno.EINVAL:  # a seek before the beginning of the file; the rest are broken disks
            raise
        msg = "an entry lies outside the file"
        raise zipfile.BadZipFile(msg) from error


@contextlib.contextmanager
def _bad_zip_as_rejection() -> Iterator[None]:
    try:
        with _forgeries_as_bad_zip():
            yield
    except zipfile.BadZipFile as error:
        raise rejections.corrupt(f"it cannot be unpacked ({error})") from error


def directory_bytes(path: Path) -> int:
    """Size of the central directory as the end record states it; 0 when there is none."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        tail_at = max(size - _END_SEARCH, 0)
        file.seek(tail_at)
        tail = file.read()
    end = tail.rfind(b"PK\x05\x06")
    if end < 0 or end + 22 > len(tail):
        return 0
    stated: int = struct.unpack_from("<I", tail, end + 12)[0]
    locator = tail.rfind(b"PK\x06\x07", 0, end)
    record = tail.rfind(b"PK\x06\x06", 0, locator) if locator >= 0 else -1
    if record >= 0 and record + 48 <= len(tail):
        stated = struct.unpack_from("<Q", tail, record + 40)[0]
    return stated


def entry_names(path: Path) -> list[str]:
    """Names in the directory of a zip file; zipfile.BadZipFile when it has none."""
    with open_archive(path) as archive:
        return archive.namelist()


def check_container(path: Path, limits: ArchiveLimits) -> None:
    """Refuse an office container that would inflate beyond the limits, before a parser sees it.

    Each entry is inflated and thrown away: the sizes in the directory are claims, and a bomb lies.
    """
    with _bad_zip_as_rejection(), open_archive(path) as archive:
        entries = archive.infolist()
        _check_directory(entries, limits)
        total = 0
        for entry in entries:
            if entry.flag_bits & _ENCRYPTED_FLAG:
                raise rejections.password_protected()
            for piece in _inflated(archive, entry):
                total += len(piece)
                if total > limits.max_total_bytes:
                    raise rejections.inflates_too_far(limits.max_total_bytes)


def _check_directory(entries: list[zipfile.ZipInfo], limits: ArchiveLimits) -> None:
    if len(entries) > limits.max_entries:
        raise _over(f"The archive has {len(entries)} entries; the limit is {limits.max_entries}. Split it.")
    if sum(entry.file_size for entry in entries) > limits.max_total_bytes:
        raise rejections.inflates_too_far(limits.max_total_bytes)
    offsets = set()
    for entry in entries:
        if entry.file_size > limits.max_entry_bytes:
            raise _over(f"{entry.filename!r} unpacks to more than {limits.max_entry_bytes} bytes, the limit.")
        if entry.file_size > limits.ratio_free_bytes and entry.file_size > limits.max_ratio * max(
            entry.compress_size, 1
        ):
            raise _over(
                f"{entry.filename!r} unpacks to more than {limits.max_ratio} times its size: a zip bomb."
            )
        if entry.filename.count("/") > limits.max_depth:
            raise _over(f"The archive nests folders deeper than {limits.max_depth} levels.")
        # entries that share their data are how a small archive claims petabytes
        if entry.header_offset in offsets and entry.file_size:
            raise _over("Entries of the archive overlap: a zip bomb.")
        offsets.add(entry.header_offset)


def _inflated(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Iterator[bytes]:
    """Pieces of one entry. zipfile stops at the claimed size and checks the CRC: a lie ends as corrupt."""
    with archive.open(entry) as stream:
        while piece := stream.read(_PIECE):
            yield piece


def expand(path: Path, folder: Path, limits: ArchiveLimits) -> Iterator[ArchiveEntry]:
    """Expand the files of a user's zip one by one into `folder`, which must exist and be empty.

    Every expanded file gets a number as its name on disk, so that no name in the archive can reach outside.
    Links, encrypted entries and files of the operating system (`__MACOSX`, `Thumbs.db`) are left out, see
    `skipped`. Raises DocumentRejectedError when a limit is passed or the archive is damaged.
    """
    with _bad_zip_as_rejection(), open_archive(path) as archive:
        entries = [entry for entry in archive.infolist() if not _is_folder(entry)]
        _check_directory(entries, limits)
        total = 0
        for number, entry in enumerate(entries):
            if why_skipped(entry) is not None:
                continue
            target = folder / f"{number:06d}"
            size = 0
            with target.open("wb") as output:
                for piece in _inflated(archive, entry):
                    size += len(piece)
                    total += len(piece)
                    if total > limits.max_total_bytes:
                        raise rejections.inflates_too_far(limits.max_total_bytes)
                    output.write(piece)
            yield ArchiveEntry(name=safe_name(entry_name(entry), limits), path=target, size_bytes=size)


def skipped(path: Path) -> list[tuple[str, str]]:
    """`(name, why)` for each entry that `expand` leaves out and a person would want to know of."""
    with open_archive(path) as archive:
        left_out = [
            (entry_name(entry), why_skipped(entry)) for entry in archive.infolist() if not _is_folder(entry)
        ]
    return [(name, why) for name, why in left_out if why]


def _is_folder(entry: zipfile.ZipInfo) -> bool:
    """`ZipInfo.is_dir` stumbles over an entry without a name."""
    return entry.filename.endswith("/")


def why_skipped(entry: zipfile.ZipInfo) -> str | None:
    """None: expand it; empty: leave it out silently; else the reason."""
    if _IGNORED.search(entry.filename):
        return ""
    mode = entry.external_attr >> 16
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        return "a link or device, which is never followed"
    if entry.flag_bits & _ENCRYPTED_FLAG:
        return "protected by a password"
    return None


def entry_name(entry: zipfile.ZipInfo) -> str:
    """The name as its maker meant it: many tools write UTF-8 without saying so, old ones a DOS code page."""
    if entry.flag_bits & _UTF8_FLAG:
        return entry.filename
    raw = entry.filename.encode("cp437", "replace")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return entry.filename


def safe_name(name: str, limits: ArchiveLimits) -> str:
    """A relative path without drive, `..`, control or reserved characters; never empty."""
    parts = []
    for part in PurePosixPath(name.replace("\\", "/")).parts:
        cleaned = _RESERVED.sub("_", part).strip().strip("/")
        if cleaned and cleaned not in {".", ".."}:
            parts.append(cleaned)
    joined = "/".join(parts).encode("utf-8", "replace").decode("utf-8")
    return joined[-limits.max_name_length :] or "unnamed"
