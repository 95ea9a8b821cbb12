"""Exporting what is known of a person or an organisation: rows piece by piece, then one archive of everything."""

import json
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from typing import IO, Any

from temporalio import activity

from activities.failures import failures
from activities.texts import work_prefix
from perdure.db.erasure_repository import ErasureRepository, Scope
from perdure.db.export_repository import (
    ExportedRows,
    ExportRepository,
    VersionFiles,
    exported_tables,
    left_out,
)
from perdure.db.keyring import Keyring
from perdure.db.operation_repository import OperationRepository
from perdure.db.retention_repository import RetentionRepository
from perdure.db.session import Transaction
from perdure.domain.exports import (
    FILES_INDEX,
    FORMAT,
    MANIFEST,
    README,
    archive_key,
    document_entry,
    json_line,
    object_entry,
    part_key,
    table_entry,
    text_entry,
)
from perdure.domain.retention import DataKind
from perdure.domain.zip_stream import ZippedEntry, ZipStream
from perdure.errors import PayloadTooLargeError
from perdure.ports.storage import ObjectStore
from perdure.schemas.base import rfc3339
from perdure.schemas.privacy import (
    ArchivedExport,
    ArchiveJob,
    ExportJob,
    ExportPage,
    ExportPart,
    ExportPlan,
    ExportPosition,
    ExportRowsJob,
    ExportUserDataResult,
)

# An activity that reads rows comes back after so long, so that a death costs no more than this.
ROWS_FOR_S = 20.0
# Ten thousand parts of 8 MiB: more than that no S3 server takes.
MAX_ARCHIVE_BYTES = 10_000 * 8 * 1024 * 1024
OBJECT_PAGE = 1_000
NAMED_MISSING = 100
# What an operation needs while it runs, other exports, and what stands beside its document in this one.
_FOLDERS_APART = frozenset({"work", "exports"})


class ExportActivities:
    """Side effects of an export. Each is safe to run twice: what was stored is stored again, in the same place."""

    def __init__(self, transaction: Transaction, objects: ObjectStore, keyring: Keyring) -> None:
        self._transaction, self._objects, self._keyring = transaction, objects, keyring

    @activity.defn
    async def plan_export(self, job: ExportJob) -> ExportPlan:
        """Count how much there is, for the progress."""
        scope = await self._scope(job)
        rows = 0
        for table in exported_tables(scope):
            async with self._transaction(job.organisation_id) as session:
                rows += await ExportedRows(session, scope, self._keyring).count(table)
        return ExportPlan(rows=rows)

    @activity.defn
    async def export_rows(self, job: ExportRowsJob) -> ExportPage:
        """Store the next rows of a table, for 20 seconds at most. A second run stores them again."""
        with failures():
            scope = await self._scope(job)
            names = [table.name for table in exported_tables(scope)]
            begin = job.position
            # A table that this version does not have is passed over.
            name = next((name for name in names if begin is None or name >= begin.table), None)
            if name is None:
                return ExportPage()
            position = begin if begin and begin.table == name else ExportPosition(table=name)
            rows = _Rows(position.after)
            key = part_key(work_prefix(job.organisation_id, job.operation_id), name, position.number)
            stored = await self._objects.put_stream(
                key, self._lines(scope, name, rows), max_bytes=MAX_ARCHIVE_BYTES
            )
            part = ExportPart(
                table=name,
                number=position.number,
                rows=rows.count,
                size_bytes=stored.size_bytes,
                unreadable=rows.unreadable,
            )
            done = job.done + rows.count
            async with self._transaction(job.organisation_id, durable=False) as session:
                await OperationRepository(session).record_progress(
                    job.operation_id, done, max(done, job.total)
                )
            following: ExportPosition | None
            if rows.after is not None:
                following = ExportPosition(table=name, number=position.number + 1, after=rows.after)
            else:
                later = [each for each in names if each > name]
                following = ExportPosition(table=later[0]) if later else None
            return ExportPage(part=part, position=following)

    async def _lines(self, scope: Scope, name: str, rows: "_Rows") -> AsyncIterator[bytes]:
        table = next(table for table in exported_tables(scope) if table.name == name)
        deadline = time.monotonic() + ROWS_FOR_S
        while True:
            async with self._transaction(scope.organisation_id) as session:
                page = await ExportedRows(session, scope, self._keyring).page(table, rows.after)
            rows.count += len(page.rows)
            rows.unreadable += page.unreadable
            rows.after = page.last
            yield b"".join(map(json_line, page.rows))
            if page.last is None or time.monotonic() > deadline:
                return

    @activity.defn
    async def assemble_archive(self, job: ArchiveJob) -> ArchivedExport:
        """Make the archive of the stored rows and of the files. A second run makes it anew in its place."""
        with failures():
            scope = await self._scope(job)
            contents = _Contents()
            try:
                stored = await self._objects.put_stream(
                    archive_key(job.organisation_id, job.operation_id),
                    self._archive(job, scope, contents),
                    max_bytes=MAX_ARCHIVE_BYTES,
                )
            except PayloadTooLargeError as error:
                detail = (
                    "the archive would be larger than 78 GiB, which is more than object stores take at once: "
                    "export one person after the other, or delete documents first"
                )
                raise PayloadTooLargeError(detail) from error
            return ArchivedExport(
                size_bytes=stored.size_bytes,
                sha256=stored.sha256,
                rows=dict(contents.rows),
                files=contents.files,
                missing=contents.missing_count,
            )

    @activity.defn
    async def conclude_export(self, job: ArchiveJob) -> ExportUserDataResult:
        """Note where the archive is and until when, and delete the pieces. A second run finds the note."""
        scope = await self._scope(job)
        made = job.archived or ArchivedExport(size_bytes=0, sha256="")
        async with self._transaction(job.organisation_id) as session:
            lifetime = await RetentionRepository(session, job.organisation_id).lifetime(DataKind.EXPORTS)
            row = await ExportRepository(session, job.organisation_id).add(
                scope, made.size_bytes, made.sha256, lifetime
            )
        await self._delete_pieces(job)
        return ExportUserDataResult(
            subject=scope.subject,
            export_id=job.operation_id,
            size_bytes=row.size_bytes,
            sha256=row.sha256,
            rows=made.rows,
            files=made.files,
            missing=made.missing,
            expires_at=row.expires_at,
        )

    @activity.defn
    async def discard_export(self, job: ExportJob) -> None:
        """Delete what an export that failed or was cancelled has stored. A second run finds nothing."""
        await self._delete_pieces(job)
        await self._objects.delete([archive_key(job.organisation_id, job.operation_id)])

    async def _delete_pieces(self, job: ExportJob) -> None:
        prefix = work_prefix(job.organisation_id, job.operation_id)
        await self._objects.delete([key async for key in self._objects.list(prefix)])

    async def _scope(self, job: ExportJob) -> Scope:
        async with self._transaction(job.organisation_id) as session:
            return await ErasureRepository(session, job.organisation_id).scope(job.operation_id, job.user_id)

    async def _archive(self, job: ArchiveJob, scope: Scope, contents: "_Contents") -> AsyncIterator[bytes]:
        """Pieces of the zip file: tables, files, their index, the manifest."""
        zipped = ZipStream(job.created_at)
        async for piece in zipped.entry("README.txt", _only(README.encode())):
            yield piece
        tables: dict[str, Any] = {}
        for table in sorted({part.table for part in job.parts}):
            parts = [part for part in job.parts if part.table == table]
            async for piece in zipped.entry(table_entry(table), self._pieces(job, parts)):
                yield piece
            contents.rows[table] = sum(part.rows for part in parts)
            tables[table] = {
                **_described(zipped.last),
                "rows": contents.rows[table],
                "unreadable": sum(part.unreadable for part in parts),
            }
        with tempfile.TemporaryFile() as index:
            async for piece in self._files(zipped, scope, contents, index):
                yield piece
            index.seek(0)
            async for piece in zipped.entry(FILES_INDEX, _read(index)):
                yield piece
        manifest = {
            "format": FORMAT,
            "subject": scope.subject.model_dump(mode="json"),
            "organisation_id": scope.organisation_id,
            "operation_id": scope.operation_id,
            "requested_at": rfc3339(job.created_at),
            "tables": tables,
            "files": {"count": contents.files, "index": _described(zipped.last)},
            "missing": {"count": contents.missing_count, "keys": contents.missing},
            "left_out": left_out(scope),
        }
        text = json.dumps(manifest, indent=2, ensure_ascii=False).encode()
        async for piece in zipped.entry(MANIFEST, _only(text)):
            yield piece
        yield zipped.end()

    async def _pieces(self, job: ExportJob, parts: Iterable[ExportPart]) -> AsyncIterator[bytes]:
        prefix = work_prefix(job.organisation_id, job.operation_id)
        for part in sorted(parts, key=lambda part: part.number):
            if part.size_bytes:
                async for chunk in self._objects.stream(part_key(prefix, part.table, part.number)):
                    yield chunk

    async def _files(
        self, zipped: ZipStream, scope: Scope, contents: "_Contents", index: IO[bytes]
    ) -> AsyncIterator[bytes]:
        async for version in self._versions(scope):
            for entry, key, compress in _entries_of(version):
                about = {"document_id": version.document_id, "version": version.number}
                about |= {"name": version.name, "media_type": version.media_type} if not compress else {}
                async for piece in self._file(zipped, scope, contents, index, (entry, key, compress), about):
                    yield piece
        async for key in self._other_keys(scope):
            file = (object_entry(scope.organisation_id, key), key, False)
            async for piece in self._file(zipped, scope, contents, index, file, {}):
                yield piece

    async def _file(
        self,
        zipped: ZipStream,
        scope: Scope,
        contents: "_Contents",
        index: IO[bytes],
        file: tuple[str, str, bool],
        about: dict[str, Any],
    ) -> AsyncIterator[bytes]:
        entry, key, compress = file
        # Whatever a row says: what lies in another organisation's folder is not this one's.
        is_own = key.startswith(f"{scope.organisation_id}/")
        if not is_own or await self._objects.size(key) is None:
            contents.miss(key if is_own else entry)
            return
        async for piece in zipped.entry(entry, self._objects.stream(key), compress=compress):
            yield piece
        contents.files += 1
        index.write(json_line({**_described(zipped.last), **about}))

    async def _versions(self, scope: Scope) -> AsyncIterator[VersionFiles]:
        after = ""
        while True:
            async with self._transaction(scope.organisation_id) as session:
                page = await ExportedRows(session, scope, self._keyring).versions(after)
            for version in page:
                yield version
            if not page:
                return
            after = page[-1].version_id

    async def _other_keys(self, scope: Scope) -> AsyncIterator[str]:
        """Objects that are no document's: of the organisation all, of a person those that their rows refer to."""
        pages = self._listed(scope) if scope.person is None else self._referred_to(scope)
        async for page in pages:
            async with self._transaction(scope.organisation_id) as session:
                others = await ExportedRows(session, scope, self._keyring).other_keys(page)
            for key in sorted(others):
                yield key

    async def _listed(self, scope: Scope) -> AsyncIterator[list[str]]:
        page: list[str] = []
        async for key in self._objects.list(scope.organisation_id):
            if key.split("/")[1] not in _FOLDERS_APART:
                page.append(key)
            if len(page) == OBJECT_PAGE:
                yield page
                page = []
        yield page

    async def _referred_to(self, scope: Scope) -> AsyncIterator[list[str]]:
        after = ""
        while True:
            async with self._transaction(scope.organisation_id) as session:
                page = list(await ExportedRows(session, scope, self._keyring).referred_to(after))
            if not page:
                return
            yield page
            after = page[-1]


@dataclass
class _Rows:
    """How far the reading of a table is."""

    after: list[Any] | None
    count: int = 0
    unreadable: int = 0


@dataclass
class _Contents:
    """What is in the archive, and what should be and is not there any more."""

    rows: Counter[str] = field(default_factory=Counter)
    files: int = 0
    missing_count: int = 0
    missing: list[str] = field(default_factory=list)

    def miss(self, key: str) -> None:
        """Note an object that is gone."""
        self.missing_count += 1
        if len(self.missing) < NAMED_MISSING:
            self.missing.append(key)


def _entries_of(version: VersionFiles) -> Iterable[tuple[str, str, bool]]:
    """Name in the archive, key, and whether it is worth compressing."""
    if version.object_key is not None:
        name = version.name or version.object_key
        yield document_entry(version.document_id, version.number, name), version.object_key, False
    if version.text_key is not None:
        yield text_entry(version.document_id, version.number), version.text_key, True


def _described(entry: ZippedEntry) -> dict[str, Any]:
    return {"path": entry.name, "size_bytes": entry.size_bytes, "sha256": entry.sha256}


async def _only(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def _read(file: IO[bytes]) -> AsyncIterator[bytes]:
    while chunk := file.read(1024 * 1024):
        yield chunk
