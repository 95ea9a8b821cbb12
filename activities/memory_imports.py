"""Imports of memories, page by page."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC

from pydantic import ValidationError
from temporalio import activity

from activities.failures import failures
from perdure.db.memory_writer import MemoryWriter, NewMemory, Outcome
from perdure.db.planner_statistics import refresh_planner_statistics
from perdure.db.session import Transaction
from perdure.db.vector_index import VectorIndex
from perdure.domain.ids import made_at
from perdure.domain.memories import Identities, Piece, Said, embedded_text, fingerprint, pieces
from perdure.domain.memory_lines import read_line
from perdure.errors import NotFoundError
from perdure.ports.models import Embedders, EmbeddingCall, Tokenizer, Vectors
from perdure.ports.storage import ObjectStore
from perdure.schemas.memories import ImportedPage, ImportJob, MemoryLine, RefusedLine

PAGE_LINES = 500
# A page ends here, too: lines may be long.
PAGE_BYTES = 1_000_000
MAX_LINE_BYTES = 4_000_000
NAMED_REFUSALS = 20


@dataclass
class _Page:
    """Lines that were read, where the next page begins, and what was wrong with some."""

    lines: list[tuple[int, MemoryLine]] = field(default_factory=list)
    refusals: list[RefusedLine] = field(default_factory=list)
    position: int = 0
    line: int = 0
    is_last: bool = True

    def take(self, raw: bytes) -> None:
        """One more line, with its end."""
        self.position += len(raw)
        self.line += 1
        text = raw.decode("utf-8", "replace").strip().removeprefix("\ufeff")
        if not text:
            return
        try:
            self.lines.append((self.line, MemoryLine.model_validate(read_line(text))))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "the line"
            self.refusals.append(RefusedLine(line=self.line, detail=f"{where}: {first['msg']}"))
        except ValueError as error:
            self.refusals.append(RefusedLine(line=self.line, detail=str(error)))


class MemoryImportActivities:
    """Side effects of imports. Each is safe to run twice: what is there is not written again."""

    def __init__(
        self,
        transaction: Transaction,
        objects: ObjectStore,
        embedders: Embedders,
        tokenizer: Tokenizer,
        max_tokens: int,
        vector_index: VectorIndex,
    ) -> None:
        self._transaction, self._objects, self._embedders = transaction, objects, embedders
        self._vector_index = vector_index
        self._tokenizer, self._max_tokens = tokenizer, max_tokens

    @activity.defn
    async def import_page(self, job: ImportJob) -> ImportedPage:
        """Read, embed and write some hundred lines in one transaction. A second run finds them all remembered."""
        with failures():
            size = await self._objects.size(job.object_key)
            if size is None:
                raise NotFoundError("the file of this import is not in the object store any more")
            page = await self._read(job)
            outcome = await self._write(job, page) if page.lines else Outcome()
        return ImportedPage(
            position=None if page.is_last else page.position,
            size_bytes=size,
            line=page.line,
            remembered=outcome.remembered,
            corrected=outcome.corrected,
            duplicates=outcome.duplicates,
            recalled=outcome.recalled,
            forgotten=outcome.forgotten,
            refused=len(page.refusals),
            refusals=page.refusals[:NAMED_REFUSALS],
        )

    @activity.defn
    async def discard_import(self, job: ImportJob) -> None:
        """Delete the file of an import that has ended. A second run finds none."""
        await self._objects.delete([job.object_key])

    async def _read(self, job: ImportJob) -> _Page:
        page = _Page(position=job.position, line=job.line)
        async for raw in _lines(self._objects.stream(job.object_key, job.position)):
            if page.line - job.line >= PAGE_LINES or page.position - job.position >= PAGE_BYTES:
                page.is_last = False
                break
            page.take(raw)
        return page

    async def _write(self, job: ImportJob, page: _Page) -> Outcome:
        while True:
            async with self._transaction(job.organisation_id) as session:
                space = await MemoryWriter(session, job.organisation_id, job.space_id).space()
            if space is None:
                raise NotFoundError(f"the space of operation {job.operation_id} was deleted")
            cut = await asyncio.to_thread(self._cut, page)
            texts = [embedded_text(line.speaker, piece.text) for _, line, _, piece in cut]
            call = EmbeddingCall(job.organisation_id, "import", job.operation_id, "import_memories")
            vectors = await self._embedders.embed(call, space.embedding_model, texts)
            memories = _memories(job, cut, vectors)
            async with self._transaction(job.organisation_id) as session:
                writer = MemoryWriter(session, job.organisation_id, job.space_id)
                await writer.share()
                served = await writer.space()
                if served is None or served.embedding_model != space.embedding_model:
                    continue  # it has changed its model meanwhile
                outcome = Outcome()
                await writer.add(memories, {job.operation_id: outcome}, served)
                outgrown = await self._vector_index.outgrown(session, [job.space_id])
            await self._vector_index.admit(job.organisation_id, outgrown)
            await refresh_planner_statistics(self._transaction)
            return outcome

    def _cut(self, page: _Page) -> list[tuple[int, MemoryLine, int, Piece]]:
        return [
            (number, line, at, piece)
            for number, line in page.lines
            for at, piece in enumerate(pieces(line.content, self._tokenizer, self._max_tokens))
        ]


def _memories(
    job: ImportJob, cut: list[tuple[int, MemoryLine, int, Piece]], vectors: Vectors
) -> list[NewMemory]:
    # One and the same in every run: when the operation was made.
    accepted_at = made_at(job.operation_id)
    identities = Identities()
    return [
        NewMemory(
            operation_id=job.operation_id,
            kind=line.kind.value,
            content=piece.text,
            subject=line.subject or "",
            speaker=line.speaker,
            role=line.role,
            external_id=line.external_id,
            session_id=line.session_id or "",
            valid_from=line.valid_from or accepted_at,
            valid_to=line.valid_to,
            confidence=line.confidence,
            importance=line.importance,
            source={
                "type": "message",
                "id": f"{job.operation_id}:{number}",
                "start": piece.start,
                "end": piece.end,
            },
            tags=line.tags,
            metadata=line.metadata,
            expires_at=line.expires_at,
            sequence=int(accepted_at.timestamp() * 1000),
            ordinal=number,
            piece=at,
            token_count=piece.token_count,
            identity=identities.of(_said(line, piece), at),
            vector=vector,
        )
        for (number, line, at, piece), vector in zip(cut, vectors, strict=True)
    ]


def _said(line: MemoryLine, piece: Piece) -> Said:
    return Said(
        subject=line.subject or "",
        speaker=line.speaker,
        session_id=line.session_id or "",
        external_id=line.external_id,
        created_at=line.valid_from.astimezone(UTC).isoformat() if line.valid_from else None,
        fingerprint=fingerprint(piece.text),
        in_dialogue=line.session_id is not None or line.speaker is not None,
    )


async def _lines(stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Lines with their ends; one that is too long comes in parts, which are no JSON."""
    held = b""
    async for data in stream:
        *whole, held = (held + data).split(b"\n")
        for line in whole:
            yield line + b"\n"
        if len(held) > MAX_LINE_BYTES:
            yield held
            held = b""
    if held:
        yield held
