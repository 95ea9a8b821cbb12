"""How the console names and shows things: labels, icons and tones by status, and the template filters."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from perdure.schemas.base import rfc3339
from perdure.schemas.documents import DocumentStatus
from perdure.schemas.operations import OperationStatus, StepState


@dataclass(frozen=True)
class Look:
    """A state as a badge: a word and an icon, and a tone for those who see colours."""

    label: str
    icon: str
    tone: str
    spins: bool = False


OPERATION_LOOKS: dict[str, Look] = {
    OperationStatus.PENDING: Look("Pending", "clock", "neutral"),
    OperationStatus.RUNNING: Look("Running", "loader", "info", spins=True),
    OperationStatus.PAUSED: Look("Paused", "pause-circle", "warning"),
    OperationStatus.WAITING_APPROVAL: Look("Waiting for approval", "hand", "violet"),
    OperationStatus.COMPLETED: Look("Completed", "check-circle", "success"),
    OperationStatus.FAILED: Look("Failed", "x-circle", "danger"),
    OperationStatus.CANCELLED: Look("Cancelled", "minus-circle", "neutral"),
    OperationStatus.EXPIRED: Look("Expired", "hourglass", "neutral"),
}

STEP_LOOKS: dict[str, Look] = {
    StepState.PENDING: Look("Pending", "clock", "neutral"),
    StepState.RUNNING: Look("Running", "loader", "info", spins=True),
    StepState.RETRYING: Look("Retrying", "retry", "warning"),
    StepState.COMPLETED: Look("Completed", "check", "success"),
    StepState.FAILED: Look("Failed", "x", "danger"),
    StepState.CANCELLED: Look("Cancelled", "minus-circle", "neutral"),
}

DOCUMENT_LOOKS: dict[str, Look] = {
    DocumentStatus.QUEUED: Look("Queued", "clock", "neutral"),
    DocumentStatus.FETCHING: Look("Fetching", "loader", "info", spins=True),
    DocumentStatus.PARSING: Look("Reading", "loader", "info", spins=True),
    DocumentStatus.CHUNKING: Look("Splitting", "loader", "info", spins=True),
    DocumentStatus.EMBEDDING: Look("Embedding", "loader", "info", spins=True),
    DocumentStatus.INDEXED: Look("Indexed", "check-circle", "success"),
    DocumentStatus.PARTIAL: Look("Partly indexed", "alert", "warning"),
    DocumentStatus.SKIPPED_DUPLICATE: Look("Skipped", "skip", "neutral"),
    DocumentStatus.FAILED: Look("Failed", "x-circle", "danger"),
    DocumentStatus.QUARANTINED: Look("Quarantined", "shield", "danger"),
}

# What became of an item of a batch: of documents as of a document, of texts to classify who decides; of
# documents that a workflow is executed on, how far that is.
ITEM_LOOKS: dict[str, Look] = {
    **DOCUMENT_LOOKS,
    "decided": Look("Decided", "check-circle", "success"),
    "human_review": Look("For a person", "hand", "violet"),
    "executing": Look("In work", "loader", "info", spins=True),
    "executed": Look("Done", "check-circle", "success"),
    "waiting_approval": Look("Waiting for approval", "hand", "violet"),
}

# Where a document is on its way, for its progress bar.
STAGES = (
    DocumentStatus.QUEUED,
    DocumentStatus.FETCHING,
    DocumentStatus.PARSING,
    DocumentStatus.CHUNKING,
    DocumentStatus.EMBEDDING,
    DocumentStatus.INDEXED,
)

KINDS: dict[str, tuple[str, str]] = {
    "ingest_document": ("Ingest document", "file-text"),
    "ingest_batch": ("Ingest batch", "layers"),
    "reembed_space": ("Re-embed space", "refresh"),
    "delete_document": ("Delete document", "trash"),
    "delete_user_data": ("Erase data", "trash"),
    "export_user_data": ("Export data", "download"),
    "rotate_keys": ("Rotate keys", "key"),
    "remember": ("Remember", "plus"),
    "forget": ("Forget", "minus-circle"),
    "import_memories": ("Import memories", "upload"),
    "evolve_memory": ("Evolve memory", "refresh"),
    "classify_document": ("Classify text", "tag"),
    "classify_batch": ("Classify batch", "tag"),
    "request_approval": ("Approval", "hand"),
    "run_document_workflow": ("Execute workflow", "workflow"),
    "run_workflow_batch": ("Execute workflow on many", "workflow"),
}

_TYPES: tuple[tuple[str, str, str], ...] = (
    ("application/pdf", "PDF", "file-text"),
    ("application/vnd.openxmlformats-officedocument.wordprocessingml", "Word", "file-text"),
    ("application/msword", "Word", "file-text"),
    ("application/vnd.oasis.opendocument.text", "OpenDocument text", "file-text"),
    ("application/rtf", "RTF", "file-text"),
    ("text/rtf", "RTF", "file-text"),
    ("application/vnd.openxmlformats-officedocument.presentationml", "PowerPoint", "slides"),
    ("application/vnd.ms-powerpoint", "PowerPoint", "slides"),
    ("application/vnd.openxmlformats-officedocument.spreadsheetml", "Excel", "table"),
    ("application/vnd.ms-excel", "Excel", "table"),
    ("text/csv", "CSV", "table"),
    ("text/tab-separated-values", "TSV", "table"),
    ("message/rfc822", "E-mail", "mail"),
    ("application/vnd.ms-outlook", "E-mail", "mail"),
    ("application/zip", "Zip", "archive"),
    ("application/epub+zip", "EPUB", "file-text"),
    ("text/html", "HTML", "file-text"),
    ("text/markdown", "Markdown", "file-text"),
    ("text/x-markdown", "Markdown", "file-text"),
    ("application/json", "JSON", "file-text"),
    ("application/xml", "XML", "file-text"),
    ("text/xml", "XML", "file-text"),
    ("text/plain", "Text", "file-text"),
    ("image/", "Image", "image"),
)


# A line at least this long was broken because the page ended, not because its author wanted it.
_WRAPPED_AT = 60
_NUMBERED = re.compile(r"\d+(\.\d+)*[.)]\s")


def kind_label(kind: str) -> str:
    """Name of a kind of operation; a kind that is not in the table reads as its words."""
    return KINDS[kind][0] if kind in KINDS else words(kind)


def kind_icon(kind: str) -> str:
    """Icon of a kind of operation."""
    return KINDS[kind][1] if kind in KINDS else "activity"


def media_type_name(media_type: str | None) -> str | None:
    """Short name of a media type."""
    if media_type is None:
        return None
    return next((name for prefix, name, _ in _TYPES if media_type.startswith(prefix)), media_type)


def media_type_icon(media_type: str | None) -> str:
    """Icon of a media type."""
    return next((icon for prefix, _, icon in _TYPES if (media_type or "").startswith(prefix)), "file")


def words(name: str) -> str:
    """`parse_document` → `Parse document`."""
    spaced = name.replace("_", " ").replace("-", " ").strip()
    return spaced[:1].upper() + spaced[1:]


def size(size_bytes: int) -> str:
    """Bytes for people: 1,024 bytes are a KB, as file managers show them."""
    if size_bytes < 1024:
        return f"{size_bytes} B"
    amount = float(size_bytes)
    for unit in ("KB", "MB", "GB"):
        amount /= 1024
        if amount < 999.5 or unit == "GB":
            shown = f"{amount:.0f}" if amount >= 100 else f"{amount:.1f}".removesuffix(".0")
            return f"{shown} {unit}"
    raise AssertionError("unreachable: the last unit always returns")


def thousands(number: int) -> str:
    """1234567 → `1,234,567`."""
    return f"{number:,}"


def count(number: int, noun: str) -> str:
    """`1 page`, `2 pages`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def duration(length: timedelta) -> str:
    """A length of time with two units at most."""
    seconds = max(0.0, length.total_seconds())
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def milliseconds(length_ms: float) -> str:
    """A short length of time."""
    return duration(timedelta(milliseconds=length_ms))


def exact_time(moment: datetime) -> str:
    """The title of a relative time."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def relative_time(moment: datetime, now: datetime | None = None) -> str:
    """What stands in the page until its script shows the reader's own words for it.

    Days are those of the calendar, in UTC: 47 hours from now are two days, or one, by what the clock shows now.
    """
    now = (now or datetime.now(UTC)).astimezone(UTC)
    moment = moment.astimezone(UTC)
    seconds = abs((now - moment).total_seconds())
    if seconds < 60:
        return "just now"
    if seconds >= 14 * 86400:
        return moment.strftime("%Y-%m-%d")
    if seconds < 3600:
        length = f"{seconds // 60:.0f} min."
    elif seconds < 86400:
        length = f"{seconds // 3600:.0f} hr."
    else:
        length = count(abs((moment.date() - now.date()).days), "day")
    return f"in {length}" if moment > now else f"{length} ago"


def unwrapped(text: str) -> str:
    """Undo the line breaks of a fixed page width, character for character, so that offsets hold.

    A break goes when the line before it is long, and the line after it is no list item, table row or heading.
    """
    lines = text.split("\n")
    joined = lines[0]
    for line, following in pairwise(lines):
        is_wrapped = len(line) >= _WRAPPED_AT and "|" not in line and following[:1].isalnum()
        joined += (" " if is_wrapped and not _NUMBERED.match(following) else "\n") + following
    return joined


FILTERS = {
    "unwrapped": unwrapped,
    "rfc3339": rfc3339,
    "exact_time": exact_time,
    "relative_time": relative_time,
    "size": size,
    "thousands": thousands,
    "count": count,
    "words": words,
    "milliseconds": milliseconds,
}
