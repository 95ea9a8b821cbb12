"""What an export looks like: names in the archive, rows as JSON, and its manifest."""

import base64
import json
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

FORMAT = "perdure-export/1"
MANIFEST = "manifest.json"
FILES_INDEX = "files.jsonl"
_UNSAFE = re.compile(r"[^\w.()+,@ -]")
_NAME_CHARACTERS = 120

README = """\
This archive holds what Perdure keeps of you, or of your organisation.

manifest.json   what is in here, with counts and SHA-256, and what was left out and why
data/           one file for each table, one JSON object a line
files.jsonl     which document each stored file belongs to, with its SHA-256
documents/      the originals as they were stored, and beside each the text that was read from it
objects/        other stored files

Rows that were written while the export ran may or may not be in it.
"""


def archive_key(organisation_id: str, operation_id: str) -> str:
    """Where the archive of an export lies."""
    return f"{organisation_id}/exports/{operation_id}.zip"


def part_key(work_prefix: str, table: str, number: int) -> str:
    """Where a piece of a table lies until the archive is made."""
    return f"{work_prefix}/data/{table}.{number:06}.jsonl"


def table_entry(table: str) -> str:
    """Name of a table's file in the archive."""
    return f"data/{table}.jsonl"


def safe_name(name: str) -> str:
    """A file name that leads nowhere else, whatever somebody called their file."""
    last = name.replace("\\", "/").rpartition("/")[2]
    cleaned = _UNSAFE.sub("_", last).strip(" .")
    if len(cleaned) > _NAME_CHARACTERS:
        stem, dot, extension = cleaned.rpartition(".")
        kept = f"{dot}{extension}" if dot and len(extension) <= 10 else ""
        cleaned = (stem if kept else cleaned)[: _NAME_CHARACTERS - len(kept)] + kept
    return cleaned or "file"


def document_entry(document_id: str, number: int, name: str) -> str:
    """Name of an original in the archive."""
    return f"documents/{document_id}/v{number}/{safe_name(name)}"


def text_entry(document_id: str, number: int) -> str:
    """Name of a parsed text in the archive; no original can have it, because it lies a folder higher."""
    return f"documents/{document_id}/v{number}.text.json"


def object_entry(organisation_id: str, key: str) -> str:
    """Name of any other object in the archive: its key without the organisation, which is the whole archive's."""
    return f"objects/{key.removeprefix(f'{organisation_id}/')}"


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes | memoryview):
        return base64.b64encode(value).decode()
    to_list = getattr(value, "to_list", None)  # a vector
    return to_list() if to_list else str(value)


def json_line(row: Mapping[str, Any]) -> bytes:
    """A row as one line of JSON."""
    return json.dumps(row, ensure_ascii=False, separators=(",", ":"), default=_plain).encode() + b"\n"
