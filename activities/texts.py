"""From bytes to vectors: parse, chunk, embed. CPU work runs in child processes and in onnxruntime's threads."""

import asyncio
import hashlib
import io
import re
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from itertools import pairwise
from pathlib import Path

import numpy as np
from pydantic import Field, TypeAdapter
from temporalio import activity

from activities.failures import failures
from activities.sources import file_pieces, upload_key
from perdure.db.document_repository import DocumentRepository, Source
from perdure.db.models import DocumentRow, DocumentVersionRow
from perdure.db.session import Transaction
from perdure.domain import media_types
from perdure.domain.chunking import ChunkSpan, chunk, contextual_text
from perdure.domain.source_text import read_source
from perdure.errors import DocumentRejectedError, NotFoundError
from perdure.ports.models import Embedders, EmbeddingCall, Tokenizer, Vectors
from perdure.ports.parsing import ParseJob, Parser
from perdure.ports.storage import ObjectStore
from perdure.schemas.base import Contract
from perdure.schemas.documents import (
    DocumentFields,
    DocumentJob,
    DocumentStatus,
    Extracted,
    Reason,
    UnitJob,
)
from perdure.schemas.parsed_text import Attachment, ParsedText

MAX_ATTACHMENT_DEPTH = 3
# Vectors are kept in shards, so that a worker that dies in a long document loses one shard.
SHARD_CHUNKS = 512
_PLAIN_NAME = re.compile(r"[a-z0-9][a-z0-9.-]*")
# Texts up to this length are worth less than the way to a child and back.
INLINE_BYTES = 256 * 1024
# What programs write where nobody wrote a title.
PLACEHOLDER_TITLES = frozenset(
    {"untitled", "(anonymous)", "document", "document1", "powerpoint presentation", "title"}
)


class UnitDocument(Contract):
    """The chunks of one version inside a unit."""

    job: DocumentJob
    title: str
    language: str | None = None
    chunks: list[ChunkSpan]
    reason: Reason | None = None
    detail: str | None = None


class Unit(Contract):
    """What is embedded and indexed together; stored as JSON beside its vectors."""

    documents: list[UnitDocument] = Field(default_factory=list)

    def of_model(self, model: str, models: Mapping[str, str]) -> list[UnitDocument]:
        """Documents whose space is served by a model; `models` is by version id."""
        return [document for document in self.documents if models.get(document.job.version_id) == model]

    def chunk_count_of(self, model: str, models: Mapping[str, str]) -> int:
        """How many vectors of a model the unit has."""
        return sum(len(document.chunks) for document in self.of_model(model, models))

    def texts_of(self, model: str, models: Mapping[str, str]) -> list[str]:
        """What is embedded with a model, in the order of its vectors."""
        return [
            contextual_text(document.title, span.heading_path, span.text)
            for document in self.of_model(model, models)
            for span in document.chunks
        ]


UNIT = TypeAdapter(Unit)
PARSED = TypeAdapter(ParsedText)


def work_prefix(organisation_id: str, operation_id: str) -> str:
    """Where everything lies that an operation needs only while it runs."""
    return f"{organisation_id}/work/{operation_id}"


def unit_key(organisation_id: str, operation_id: str, name: str) -> str:
    """Key of a unit, in a folder of its own."""
    return f"{work_prefix(organisation_id, operation_id)}/{name}/unit.json"


def shard_key(unit: str, model: str, shard: int) -> str:
    """Key of a shard of a unit's vectors. Names of models at providers hold all kinds of signs."""
    plain = model if _PLAIN_NAME.fullmatch(model) else hashlib.sha256(model.encode()).hexdigest()[:32]
    return f"{unit.rpartition('/')[0]}/{plain}.{shard}.npy"


def text_key(organisation_id: str, sha256: str) -> str:
    """Key of the parsed text: by content, so that the same bytes are parsed once."""
    return f"{organisation_id}/texts/{sha256}.json"


def shards(count: int) -> list[tuple[int, int]]:
    """Chunk ranges of the shards of `count` chunks."""
    return list(pairwise([*range(0, count, SHARD_CHUNKS), count])) if count else []


class TextActivities:
    """Side effects of parsing, chunking and embedding. Each is safe to run twice: keys derive from the content."""

    def __init__(
        self,
        transaction: Transaction,
        objects: ObjectStore,
        parser: Parser,
        tokenizer: Tokenizer,
        embedders: Embedders,
        max_chunk_tokens: int,
    ) -> None:
        self._transaction, self._objects, self._parser = transaction, objects, parser
        self._tokenizer, self._embedders, self._max_chunk_tokens = tokenizer, embedders, max_chunk_tokens
        self._embedding = asyncio.Lock()

    @activity.defn
    async def parse_document(self, job: DocumentJob) -> Extracted:
        """Extract text and structure in a child process. A second run finds the text in the store."""
        with failures():
            version, document = await self.enter(job, DocumentStatus.PARSING)
            parsed = await self._stored_text(version)
            if parsed is None:
                outcome = (await self.parse_all([(job, version)]))[0]
                if isinstance(outcome, DocumentRejectedError):
                    raise outcome
                parsed = outcome
            extracted = (await self.accept_texts([(job, version, document, parsed)]))[job.version_id]
            if isinstance(extracted, DocumentRejectedError):
                raise extracted
            return extracted

    @activity.defn
    async def chunk_document(self, job: DocumentJob) -> UnitJob:
        """Cut the stored text into chunks. A second run writes the same object again."""
        with failures():
            version, document = await self.enter(job, DocumentStatus.CHUNKING)
            parsed = await self._stored_text(version)
            if parsed is None:
                raise NotFoundError(f"the parsed text of {job.version_id} is gone: retry the operation")
            unit = Unit(documents=await self.chunk_all([(job, version, document, parsed)]))
            return await self.store_unit(
                job.organisation_id, job.operation_id, job.version_id, unit, "ingest_document"
            )

    @activity.defn
    async def embed_document(self, job: UnitJob) -> None:
        """Compute the vectors of a unit, shard by shard. A second run goes on at the first missing shard."""
        with failures():
            try:
                unit = UNIT.validate_json(await self._objects.get(job.unit_key))
            except NotFoundError:
                return  # indexed already: the unit goes when its documents are in
            version_ids = [document.job.version_id for document in unit.documents]
            async with self._transaction(job.organisation_id, durable=False) as session:
                documents = DocumentRepository(session, job.organisation_id)
                await documents.enter(version_ids, DocumentStatus.EMBEDDING)
                models = await documents.models_of(version_ids)
            for model in sorted(set(models.values())):
                await self._embed(job, model, unit.texts_of(model, models))

    async def enter(self, job: DocumentJob, status: DocumentStatus) -> tuple[DocumentVersionRow, DocumentRow]:
        """Note what is being done, and read the version."""
        async with self._transaction(job.organisation_id, durable=False) as session:
            documents = DocumentRepository(session, job.organisation_id)
            found = await documents.version(job.version_id)
            if found is None:
                raise NotFoundError(f"document {job.document_id} was deleted")
            await documents.enter([job.version_id], status)
            return found

    async def _stored_text(self, version: DocumentVersionRow) -> ParsedText | None:
        if version.sha256 is None:
            return None
        try:
            stored = await self._objects.get(text_key(version.organisation_id, version.sha256))
        except NotFoundError:
            return None
        return await asyncio.to_thread(PARSED.validate_json, stored)

    async def start_parsing(self, jobs: Sequence[DocumentJob]) -> Sequence[DocumentJob]:
        """Note that these are being parsed."""
        if jobs:
            async with self._transaction(jobs[0].organisation_id, durable=False) as session:
                documents = DocumentRepository(session, jobs[0].organisation_id)
                await documents.enter([job.version_id for job in jobs], DocumentStatus.PARSING)
        return jobs

    async def parse_all(
        self, entries: Sequence[tuple[DocumentJob, DocumentVersionRow]]
    ) -> list[ParsedText | DocumentRejectedError]:
        """Parse and keep the texts of some versions; a rejection stands in the place of its text."""
        versions = [version for _job, version in entries]
        inline = await self._parse_inline([version for version in versions if _is_plain(version)])
        files = [version for version in versions if version.id not in inline]
        with tempfile.TemporaryDirectory(prefix="perdure-parse-") as directory:
            parse_jobs = [
                await self._parse_job(Path(directory), number, version)
                for number, version in enumerate(files)
            ]
            parsed = await self._parser.parse_many(parse_jobs) if parse_jobs else []
            outcomes = inline | {version.id: outcome for version, outcome in zip(files, parsed, strict=True)}
            return [await self._keep(version, outcomes[version.id]) for version in versions]

    async def _parse_inline(
        self, versions: Sequence[DocumentVersionRow]
    ) -> dict[str, ParsedText | DocumentRejectedError]:
        """Short plain texts out of JSON bodies, by version id; in a thread, and not in a child.

        Nothing of them is left to decode or unpack, and finding their blocks takes time in proportion to
        their length, so that there is nothing that a child would have to be killed for.
        """
        sources = [
            (version, (await self._objects.get(version.object_key or "")).decode()) for version in versions
        ]

        def parse() -> dict[str, ParsedText | DocumentRejectedError]:
            return {version.id: _parse_plain(version, source) for version, source in sources}

        return await asyncio.to_thread(parse) if sources else {}

    async def _parse_job(self, directory: Path, number: int, version: DocumentVersionRow) -> ParseJob:
        if version.object_key is None or version.media_type is None:
            msg = f"{version.id} was never detected"
            raise NotFoundError(msg)
        path, workspace = directory / f"{number}", directory / f"{number}-attachments"
        workspace.mkdir()
        await self._objects.download(version.object_key, path)
        return ParseJob(
            path=path,
            media_type=version.media_type,
            name=str(version.source.get("name") or "document"),
            workspace=workspace,
            language=version.language,
        )

    async def _keep(
        self, version: DocumentVersionRow, parsed: ParsedText | DocumentRejectedError
    ) -> ParsedText | DocumentRejectedError:
        """Store a text and its attachments for ever: re-chunking parses nothing again."""
        if isinstance(parsed, DocumentRejectedError):
            return parsed
        organisation_id, sha256 = version.organisation_id, version.sha256 or ""
        kept: list[Attachment] = []
        for number, attachment in enumerate(parsed.attachments):
            key = upload_key(organisation_id, f"{sha256}-attachment-{number}")
            await self._objects.put_stream(
                key, file_pieces(Path(attachment.path)), max_bytes=attachment.size_bytes
            )
            kept.append(attachment.model_copy(update={"path": key}))
        if kept:
            parsed = parsed.model_copy(update={"attachments": kept})
        await self._objects.put(text_key(organisation_id, sha256), parsed.model_dump_json().encode())
        return parsed

    async def accept_texts(
        self, entries: Sequence[tuple[DocumentJob, DocumentVersionRow, DocumentRow, ParsedText]]
    ) -> dict[str, Extracted | DocumentRejectedError]:
        """Write what parsing found into the versions; refuse silent emptiness. By version id."""
        outcomes: dict[str, Extracted | DocumentRejectedError] = {}
        facts: list[dict[str, object]] = []
        if not entries:
            return outcomes
        organisation_id = entries[0][0].organisation_id
        async with self._transaction(organisation_id) as session:
            documents = DocumentRepository(session, organisation_id)
            for job, version, document, parsed in entries:
                reason, detail = judge(parsed)
                if reason is Reason.NO_TEXT:
                    outcomes[version.id] = DocumentRejectedError(Reason.NO_TEXT, detail or "")
                    continue
                facts.append(_facts(version, document, parsed))
                children = await self._accept_attachments(documents, job, version, document, parsed)
                outcomes[version.id] = Extracted(
                    page_count=parsed.page_count,
                    char_count=len(parsed.text),
                    attachments=children,
                    reason=reason,
                    detail=detail,
                )
            await documents.write_facts(facts)
        return outcomes

    async def _accept_attachments(
        self,
        documents: DocumentRepository,
        job: DocumentJob,
        version: DocumentVersionRow,
        document: DocumentRow,
        parsed: ParsedText,
    ) -> list[DocumentJob]:
        children: list[DocumentJob] = []
        if job.depth >= MAX_ATTACHMENT_DEPTH:
            return children
        for number, attachment in enumerate(parsed.attachments):
            accepted = await documents.accept(
                DocumentFields(
                    external_id=f"{document.id}#{number}",
                    metadata=document.metadata_,
                    source_type="email",
                    remember=version.source.get("remember"),
                    subject=version.source.get("subject"),
                ),
                Source(name=attachment.name, object_key=attachment.path),
                space_id=document.space_id,
                operation_id=job.operation_id,
                default_title=attachment.name or f"{document.title} ({number + 1})",
                parent_id=document.id,
            )
            children.append(
                DocumentJob(
                    organisation_id=job.organisation_id,
                    operation_id=job.operation_id,
                    document_id=accepted.document_id,
                    version_id=accepted.version_id,
                    depth=job.depth + 1,
                )
            )
        return children

    async def chunk_all(
        self, entries: Sequence[tuple[DocumentJob, DocumentVersionRow, DocumentRow, ParsedText]]
    ) -> list[UnitDocument]:
        """Cut texts; in a thread, since a long text takes seconds."""

        def cut() -> list[UnitDocument]:
            return [self._chunk(*entry) for entry in entries]

        return await asyncio.to_thread(cut)

    def _chunk(
        self, job: DocumentJob, version: DocumentVersionRow, document: DocumentRow, parsed: ParsedText
    ) -> UnitDocument:
        reason, detail = judge(parsed)
        return UnitDocument(
            job=job,
            title=_title(version, document, parsed),
            language=version.language or parsed.language,
            chunks=chunk(parsed, self._tokenizer, self._max_chunk_tokens),
            reason=reason,
            detail=detail,
        )

    async def store_unit(
        self, organisation_id: str, operation_id: str, name: str, unit: Unit, operation_kind: str
    ) -> UnitJob:
        """Put a unit into the store."""
        key = unit_key(organisation_id, operation_id, name)
        await self._objects.put(key, unit.model_dump_json().encode())
        count = sum(len(document.chunks) for document in unit.documents)
        return UnitJob(
            organisation_id=organisation_id,
            operation_id=operation_id,
            operation_kind=operation_kind,
            unit_key=key,
            chunk_count=count,
        )

    async def _embed(self, job: UnitJob, model: str, texts: Sequence[str]) -> None:
        """Write the missing shards. Here, one shard at a time: onnxruntime uses all cores for one."""
        call = EmbeddingCall(job.organisation_id, "ingest", job.operation_id, job.operation_kind)
        turn = self._embedding if self._embedders.runs_here(model) else nullcontext()
        for shard, (first, last) in enumerate(shards(len(texts))):
            if await self._objects.size(shard_key(job.unit_key, model, shard)) is not None:
                continue
            async with turn:
                vectors = await self._embedders.embed(call, model, texts[first:last])
            await self._objects.put(shard_key(job.unit_key, model, shard), pack(vectors))


def _is_plain(version: DocumentVersionRow) -> bool:
    return (
        bool(version.source.get("inline"))
        and version.media_type in {media_types.TEXT, media_types.MARKDOWN}
        and (version.size_bytes or 0) <= INLINE_BYTES
    )


def _parse_plain(version: DocumentVersionRow, source: str) -> ParsedText | DocumentRejectedError:
    try:
        return ParsedText.of_source(
            read_source(source, version.media_type or media_types.TEXT, version.language)
        )
    except DocumentRejectedError as error:
        return error


def _title(version: DocumentVersionRow, document: DocumentRow, parsed: ParsedText) -> str:
    """What the caller said, else what the document says of itself, else its file name."""
    own = (parsed.title or "").strip()
    if version.source.get("titled") or not own or own.lower() in PLACEHOLDER_TITLES:
        return document.title
    return own[:512]


def _facts(version: DocumentVersionRow, document: DocumentRow, parsed: ParsedText) -> dict[str, object]:
    reason, detail = judge(parsed)
    return {
        "version_id": version.id,
        "page_count": parsed.page_count,
        "char_count": len(parsed.text),
        "language": version.language or parsed.language,
        "text_key": text_key(version.organisation_id, version.sha256 or ""),
        "reason": reason.value if reason else None,
        "detail": detail,
        "title": _title(version, document, parsed),
    }


def pack(vectors: Vectors) -> bytes:
    """Vectors as a .npy file of float16, which is the precision of the index."""
    buffer = io.BytesIO()
    np.save(buffer, vectors.astype(np.float16))
    return buffer.getvalue()


def unpack(data: bytes) -> Vectors:
    """Inverse of `pack`, as float32."""
    return np.asarray(np.load(io.BytesIO(data)), dtype=np.float32)


def judge(parsed: ParsedText) -> tuple[Reason | None, str | None]:
    """Nothing is silently empty: why a text is not the whole of its document, or None."""
    unread: Sequence[int] = parsed.unread_pages
    if unread:
        pages = ", ".join(str(page) for page in unread[:10]) + (" …" if len(unread) > 10 else "")
        return Reason.NEEDS_OCR, (
            f"{len(unread)} of {parsed.page_count or len(unread)} pages are pictures that could not be read "
            f"(pages {pages}): install tesseract-ocr and retry"
        )
    if not parsed.text.strip():
        return Reason.NO_TEXT, "the document holds no text: nothing could be found in it by searching"
    return None, None
