"""Sends files to the API and follows each to its end, for `perdure ingest` and the demo."""

import asyncio
import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from perdure.api_client import ApiClient
from perdure.errors import InvalidInputError, PerdureError
from perdure.schemas.documents import SETTLED, DocumentRead
from perdure.schemas.operations import OperationRead, OperationStatus

FAILED = frozenset({"failed", "quarantined", "refused", "cancelled", "expired"})


@dataclass(frozen=True)
class SourceFile:
    """A file, and the stable name that makes a second run find its document again."""

    path: Path
    name: str


@dataclass(frozen=True)
class Outcome:
    """What became of a file."""

    name: str
    status: str
    seconds: float
    media_type: str | None = None
    reason: str | None = None
    detail: str | None = None
    chunk_count: int = 0
    document_id: str | None = None
    operation_id: str | None = None
    earlier: bool = False

    @property
    def failed(self) -> bool:
        """Whether the file cannot be found by a search."""
        return self.status in FAILED


def collect(paths: Sequence[Path]) -> list[SourceFile]:
    """Files, and those in directories at any depth, in order; hidden ones only when named."""
    found: dict[Path, SourceFile] = {}
    for path in paths:
        if path.is_file():
            found.setdefault(path.resolve(), SourceFile(path, path.name))
            continue
        if not path.is_dir():
            msg = f"{path} is neither a file nor a directory"
            raise InvalidInputError(msg)
        # What lies nearest comes first.
        for inside in sorted(path.rglob("*"), key=lambda found: (len(found.parts), found)):
            relative = inside.relative_to(path)
            if inside.is_file() and not any(part.startswith(".") for part in relative.parts):
                found.setdefault(inside.resolve(), SourceFile(inside, relative.as_posix()))
    return list(found.values())


async def ingest_file(
    client: ApiClient,
    file: SourceFile,
    space: str,
    *,
    wait: bool = True,
    fields: Mapping[str, str] | None = None,
) -> Outcome:
    """Upload one file and wait for its end. What goes wrong is an outcome, not an error."""
    started = time.monotonic()

    def seconds() -> float:
        return time.monotonic() - started

    operation: OperationRead | None = None
    try:
        operation = await client.upload(
            file.path, {"space": space, "external_id": file.name, **(fields or {})}
        )
        if not wait:
            return Outcome(file.name, operation.status, seconds(), operation_id=operation.id)
        async for state in client.follow(operation.id):
            operation = state
        return await _outcome(client, file, operation, seconds())
    except (PerdureError, OSError) as error:
        operation_id = operation.id if operation else None
        return Outcome(file.name, "refused", seconds(), detail=str(error), operation_id=operation_id)


async def find_earlier(client: ApiClient, file: SourceFile, space: str) -> Outcome | None:
    """What became of the same bytes under the same name before; followed to its end when it goes on."""
    started = time.monotonic()
    document = await client.find_document(space, file.name)
    if document is None or not await asyncio.to_thread(_is_same, file.path, document):
        return None
    if document.status not in SETTLED and document.operation_id is not None:
        async for _ in client.follow(document.operation_id):
            pass
        document = await client.document(document.id)
    return Outcome(
        name=file.name,
        status=document.status.value,
        seconds=time.monotonic() - started,
        media_type=document.media_type,
        reason=document.reason.value if document.reason else None,
        detail=document.detail,
        chunk_count=document.chunk_count,
        document_id=document.id,
        operation_id=document.operation_id,
        earlier=True,
    )


def _is_same(path: Path, document: DocumentRead) -> bool:
    if document.sha256 is None:
        # It ended before its bytes were looked at.
        return path.stat().st_mtime <= document.created_at.timestamp()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == document.sha256


async def _outcome(client: ApiClient, file: SourceFile, operation: OperationRead, seconds: float) -> Outcome:
    result: dict[str, Any] = operation.result or {}
    document_id = operation.subject.id if operation.subject else None
    document = await client.document(document_id) if document_id else None
    status = str(result.get("status") or (document.status if document else operation.status))
    if operation.status is not OperationStatus.COMPLETED and status not in FAILED:
        status = operation.status.value
    return Outcome(
        name=file.name,
        status=status,
        seconds=seconds,
        media_type=document.media_type if document else None,
        reason=result.get("reason") or (document.reason.value if document and document.reason else None),
        detail=result.get("detail") or (operation.error.detail if operation.error else None),
        chunk_count=document.chunk_count if document else 0,
        document_id=document_id,
        operation_id=operation.id,
    )


async def ingest_files(
    client: ApiClient,
    files: Sequence[SourceFile],
    *,
    space: str = "default",
    concurrency: int = 8,
    wait: bool = True,
    reuse: bool = False,
    fields: Mapping[str, str] | None = None,
    on_done: Callable[[Outcome], None] = lambda _: None,
) -> list[Outcome]:
    """Ingest many, some at a time; outcomes in the order of the files.

    With `reuse`, a file whose bytes were sent before is not sent again, whatever became of it. `fields` are said of
    each.
    """
    free = asyncio.Semaphore(concurrency)

    async def one(file: SourceFile) -> Outcome:
        async with free:
            earlier = await find_earlier(client, file, space) if reuse else None
            outcome = earlier or await ingest_file(client, file, space, wait=wait, fields=fields)
        on_done(outcome)
        return outcome

    return list(await asyncio.gather(*(one(file) for file in files)))
