"""Attachments of an Outlook message, byte for byte; kreuzberg hands out only their text."""

import re
from collections.abc import Iterator
from pathlib import Path, PurePath

from perdure.domain.compound_file import CompoundFile, Entry
from perdure.schemas.parsed_text import Attachment

_LONG_NAME, _SHORT_NAME, _DISPLAY_NAME, _MEDIA_TYPE, _DATA = "3707", "3704", "3001", "370E", "37010102"
_UNSAFE = re.compile(r'[/\\<>:"|?*\x00-\x1f\x7f]')


def save_attachments(message: Path, workspace: Path) -> Iterator[Attachment]:
    """Write each attachment that is a file into `workspace`; messages inside the message are left out."""
    compound = CompoundFile(message.read_bytes())
    folders = sorted(
        (one for one in compound.storages() if one.name.startswith("__attach")), key=lambda one: one.name
    )
    for number, folder in enumerate(folders, start=1):
        streams = {
            one.name.removeprefix("__substg1.0_"): one for one in compound.children(folder) if one.is_stream
        }
        if _DATA not in streams:
            continue
        data = compound.read(streams[_DATA])
        path = workspace / f"attachment-{number}"
        path.write_bytes(data)
        yield Attachment(
            name=_name(compound, streams) or f"attachment {number}",
            media_type=_text(compound, streams, _MEDIA_TYPE) or "application/octet-stream",
            path=str(path),
            size_bytes=len(data),
        )


def _name(compound: CompoundFile, streams: dict[str, Entry]) -> str | None:
    for tag in (_LONG_NAME, _DISPLAY_NAME, _SHORT_NAME):
        if name := _text(compound, streams, tag):
            return _UNSAFE.sub("_", PurePath(name.replace("\\", "/")).name).strip() or None
    return None


def _text(compound: CompoundFile, streams: dict[str, Entry], tag: str) -> str | None:
    """A text property: 001F is UTF-16, 001E the sender's code page."""
    for kind, encoding in (("001F", "utf-16-le"), ("001E", "cp1252")):
        if stream := streams.get(tag + kind):
            return compound.read(stream).decode(encoding, "replace").strip("\0 ") or None
    return None
