"""From where a document comes to what it is: fetch and detect."""

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from temporalio import activity

from activities.failures import failures
from perdure.db.document_repository import DocumentRepository
from perdure.db.models import DocumentRow, DocumentVersionRow
from perdure.db.quota_repository import QuotaRepository
from perdure.db.session import Transaction
from perdure.domain.media_types import detect
from perdure.domain.quotas import Quota
from perdure.errors import DocumentRejectedError, NotFoundError, UpstreamError
from perdure.ports.parsing import Fetcher
from perdure.ports.storage import ObjectStore
from perdure.schemas.documents import Detected, DocumentJob, DocumentStatus, Reason

# Enough for every signature and for the text heuristics.
HEAD_BYTES = 65_536
# Half a minute of retries: a source that is down for longer is the caller's to mend, and a retry to ask for.
FETCH_ATTEMPTS = 6


def upload_key(organisation_id: str, name: str) -> str:
    """Key of the original bytes of a version."""
    return f"{organisation_id}/originals/{name}"


def file_name_of(url: str) -> str:
    """Last segment of a URL's path, or its host. The URL may be none: who fetches it says so."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "document"
    return unquote(parts.path.rstrip("/").rpartition("/")[2]) or parts.hostname or "document"


class SourceActivities:
    """Side effects of fetching and detecting. Each is safe to run twice."""

    def __init__(self, transaction: Transaction, objects: ObjectStore, fetcher: Fetcher) -> None:
        self._transaction, self._objects, self._fetcher = transaction, objects, fetcher

    @activity.defn
    async def fetch_document(self, job: DocumentJob) -> None:
        """Bring the bytes into the store and hash them. A second run writes the same key again."""
        with failures():
            try:
                await self.fetch(job)
            except UpstreamError as error:
                if activity.info().attempt < FETCH_ATTEMPTS:
                    raise
                raise DocumentRejectedError(Reason.SOURCE_UNREACHABLE, str(error)) from error

    @activity.defn
    async def detect_document(self, job: DocumentJob) -> Detected:
        """Find out the type, and whether this content is here already. Changes only the version's own columns."""
        with failures():
            return await self.detect(job)

    async def fetch(self, job: DocumentJob) -> None:
        """See `fetch_document`."""
        version, _document = await self._enter(job, DocumentStatus.FETCHING)
        if version.sha256 is not None:
            return
        url = version.source.get("url")
        values: dict[str, object] = {}
        with tempfile.TemporaryDirectory(prefix="perdure-fetch-") as directory:
            if url:
                await self._check_room(job)
                path = Path(directory) / "content"
                fetched = await self._fetcher.fetch(url, path)
                key = upload_key(job.organisation_id, job.version_id)
                await self._objects.put_stream(key, file_pieces(path), max_bytes=fetched.size_bytes)
                name = fetched.file_name or file_name_of(fetched.final_url)
                values = {
                    "object_key": key,
                    "sha256": fetched.sha256,
                    "size_bytes": fetched.size_bytes,
                    "source": {**version.source, "name": name, "content_type": fetched.content_type},
                }
            elif version.object_key:
                values = await self._hash(version.object_key)
        async with self._transaction(job.organisation_id) as session:
            documents = DocumentRepository(session, job.organisation_id)
            await documents.update_version(job.version_id, values)

    async def _check_room(self, job: DocumentJob) -> None:
        """Nothing is fetched for an organisation that may store nothing more."""
        async with self._transaction(job.organisation_id) as session:
            room = await QuotaRepository(session, job.organisation_id).room(Quota.STORED_BYTES)
        if room == 0:
            detail = f"the organisation's quota '{Quota.STORED_BYTES}' leaves no room for it"
            raise DocumentRejectedError(Reason.QUOTA_EXCEEDED, detail)

    async def _hash(self, key: str) -> dict[str, object]:
        digest, size = hashlib.sha256(), 0
        try:
            async for piece in self._objects.stream(key):
                digest.update(piece)
                size += len(piece)
        except NotFoundError as error:
            raise DocumentRejectedError(
                Reason.OBJECT_NOT_FOUND, f"the object store holds nothing at '{key}': upload it first"
            ) from error
        return {"sha256": digest.hexdigest(), "size_bytes": size}

    async def detect(self, job: DocumentJob) -> Detected:
        """See `detect_document`."""
        version, document = await self._enter(job, DocumentStatus.FETCHING)
        if version.object_key is None or version.sha256 is None:
            raise DocumentRejectedError(
                Reason.OBJECT_NOT_FOUND, "the content of this version was never stored"
            )
        skipped = await self._already_here(job, version, document)
        if skipped is not None:
            return skipped
        if not version.size_bytes:
            raise DocumentRejectedError(Reason.EMPTY, "the file has no bytes: upload one with content")
        media_type = version.media_type
        if media_type is None:
            with tempfile.TemporaryDirectory(prefix="perdure-detect-") as directory:
                path = Path(directory) / "content"
                await self._objects.download(version.object_key, path)
                with path.open("rb") as file:
                    head = file.read(HEAD_BYTES)
                media_type = detect(head, path, str(version.source.get("name") or ""))
        async with self._transaction(job.organisation_id) as session:
            documents = DocumentRepository(session, job.organisation_id)
            facts = {"media_type": media_type}
            await documents.update_version(job.version_id, facts)
            if document.version == 0:
                await documents.update(job.document_id, facts)
        return Detected(media_type=media_type)

    async def _already_here(
        self, job: DocumentJob, version: DocumentVersionRow, document: DocumentRow
    ) -> Detected | None:
        media_type = document.media_type or "application/octet-stream"
        if document.version and document.sha256 == version.sha256:
            return Detected(
                media_type=media_type,
                reason=Reason.UNCHANGED,
                detail=f"the content is that of version {document.version}: nothing to do",
            )
        if version.sha256 is None:
            return None
        async with self._transaction(job.organisation_id) as session:
            documents = DocumentRepository(session, job.organisation_id)
            twin = (await documents.twins([version.sha256])).get((document.space_id, version.sha256))
        if twin is None or twin.id == document.id:
            return None
        return Detected(
            media_type=twin.media_type or media_type,
            reason=Reason.DUPLICATE,
            detail=f"the same content is in this space as {twin.id} ('{twin.title}')",
        )

    async def _enter(
        self, job: DocumentJob, status: DocumentStatus
    ) -> tuple[DocumentVersionRow, DocumentRow]:
        async with self._transaction(job.organisation_id, durable=False) as session:
            documents = DocumentRepository(session, job.organisation_id)
            found = await documents.version(job.version_id)
            if found is None:
                raise NotFoundError(f"document {job.document_id} was deleted")
            await documents.enter([job.version_id], status)
            version, document = found
            if document.version == 0 and document.sha256 != version.sha256:
                # Also what is refused or skipped in the next moment shows what it was.
                await documents.update(
                    document.id, {"sha256": version.sha256, "size_bytes": version.size_bytes}
                )
            return found


async def file_pieces(path: Path, size: int = 1 << 20) -> AsyncIterator[bytes]:
    """The bytes of a local file, in pieces."""
    with path.open("rb") as file:
        while piece := await asyncio.to_thread(file.read, size):
            yield piece
