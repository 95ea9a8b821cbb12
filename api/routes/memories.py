"""`/api/v1/memories`: what was said goes in, and comes back when it answers a question."""

from datetime import timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from api.actors import ActorDependency
from api.dependencies import (
    DatabaseDependency,
    EmbeddersDependency,
    OperationsDependency,
    Principal,
    require,
)
from api.idempotency import IdempotencyKey, fingerprint
from api.pagination import PageRequest, paginate
from api.problems import problem_responses
from api.routes.documents import ACCEPTED, answer, waited
from perdure.db.audit_trail import AuditTrail
from perdure.db.document_repository import DocumentRepository
from perdure.db.forgetting import Forgetting, Selection
from perdure.db.memory_acceptance import accept_forgetting, accept_memory, accept_memory_at_once
from perdure.db.memory_repository import MemoryRepository
from perdure.db.models import OperationRow, SpaceRow
from perdure.db.recall_service import RecallService
from perdure.db.related_memories import related_memories
from perdure.domain.audit import Action, Actor
from perdure.domain.ids import ID_PATTERN
from perdure.domain.memories import MemoryKind, embedded_text, estimated_tokens
from perdure.errors import ConflictError, NotFoundError
from perdure.ports.models import EmbeddingCall
from perdure.schemas.base import Page
from perdure.schemas.documents import SpaceName
from perdure.schemas.memories import (
    ForgetCreate,
    ForgetPreview,
    MemoryCreate,
    MemoryRead,
    MemoryUpdate,
    MemoryVersionRead,
    RecallAnswer,
    RecallRequest,
    RelatedMemories,
    SessionRecall,
)
from perdure.schemas.operations import OperationRead, Subject

router = APIRouter(prefix="/api/v1/memories", tags=["memories"])

Reader = Annotated[Principal, require("memories:read")]
Writer = Annotated[Principal, require("memories:write")]
MemoryId = Annotated[str, Path(pattern=ID_PATTERN, description="Id of a memory, `mem_…`.")]
NameQuery = Annotated[str | None, Query(pattern=r"^[^\x00]{1,200}$")]

WAITABLE: dict[str, Any] = {
    **ACCEPTED,
    "responses": {
        200: {
            "model": OperationRead,
            "description": "With `wait`, the operation that has ended; else the Idempotency-Key was used before.",
        },
        **problem_responses(404, 409, 502),
    },
}
Wait = Annotated[
    bool, Query(description="Answer when it is done, with its result; after 30 s with 202, as without.")
]
PREVIEWED = 100
# Somebody waits for the answer.
_PATIENCE = timedelta(seconds=20)


@router.post("", **WAITABLE)
async def create_memories(
    body: MemoryCreate,
    request: Request,
    response: Response,
    caller: Writer,
    key: IdempotencyKey,
    operations: OperationsDependency,
    embedders: EmbeddersDependency,
    wait: Wait = False,
) -> OperationRead:
    """Remember `content`, or the `messages` of a conversation. What is said twice is kept once."""

    async def build(session: AsyncSession, operation_id: str) -> OperationRow:
        return await accept_memory(
            session, caller.organisation_id, caller.actor_id, body, embedders.default, operation_id
        )

    async def build_at_once(
        connection: AsyncConnection, operation_id: str, trace_parent: str | None
    ) -> OperationRow | None:
        return await accept_memory_at_once(
            connection, caller.organisation_id, caller.actor_id, body, operation_id, trace_parent
        )

    sha256 = fingerprint(request.method, request.url.path, body)
    accepted = await operations.accept(caller, key, sha256, build, build_at_once)
    return await waited(operations, caller, response, answer(response, accepted), wait=wait)


@router.get("", responses=problem_responses())
async def list_memories(
    caller: Reader,
    database: DatabaseDependency,
    page: PageRequest,
    space: Annotated[SpaceName | None, Query()] = None,
    subject: NameQuery = None,
    session_id: NameQuery = None,
    external_id: Annotated[str | None, Query(pattern=r"^[^\x00]{1,512}$")] = None,
    kind: Annotated[MemoryKind | None, Query()] = None,
    document_id: Annotated[
        str | None, Query(pattern=ID_PATTERN, description="Only what came out of this document.")
    ] = None,
    state: Annotated[
        Literal["current", "all"], Query(description="`all` shows what was retired, too.")
    ] = "current",
) -> Page[MemoryRead]:
    """Memories of the organisation, newest first."""
    async with database.transaction(caller.organisation_id) as session:
        memories = await MemoryRepository(session, caller.organisation_id).list(
            space=space,
            subject=subject,
            session_id=session_id,
            external_id=external_id,
            kind=kind,
            document_id=document_id,
            retired=state == "all",
            after=page.after,
            limit=page.limit + 1,
        )
    return paginate(memories, page, read=lambda memory: memory, key=lambda memory: memory.id)


@router.post("/recall", responses=problem_responses(404, 409, 502))
async def recall_memories(body: RecallRequest, caller: Reader, request: Request) -> RecallAnswer:
    """Find the memories that answer a question. Answers directly, and says when there is nothing to be found."""
    service: RecallService = request.app.state.recall
    return await service.recall(caller.organisation_id, caller.actor_id, body)


@router.post("/forget/preview", responses=problem_responses(404, 409, 502))
async def preview_forgetting(
    body: ForgetCreate, caller: Reader, request: Request, database: DatabaseDependency
) -> ForgetPreview:
    """What `forget` would forget, and forget nothing."""
    selection = await _selection(body, caller, request)
    async with database.transaction(caller.organisation_id) as session:
        space = await _space(session, caller, body.space)
        forgetting = Forgetting(session, caller.organisation_id, space.id)
        chosen = await forgetting.selected(selection, PREVIEWED)
        memories = await MemoryRepository(session, caller.organisation_id).by_id(chosen)
        return ForgetPreview(items=memories, total=await forgetting.count(selection))


@router.post("/forget", **WAITABLE)
async def forget_memories(
    body: ForgetCreate,
    request: Request,
    response: Response,
    caller: Writer,
    key: IdempotencyKey,
    operations: OperationsDependency,
    actor: ActorDependency,
    wait: Wait = False,
) -> OperationRead:
    """Forget for good: texts, versions, vectors, words and relations go, and the same text is not kept again."""
    selection = await _selection(body, caller, request)

    async def build(session: AsyncSession, operation_id: str) -> OperationRow:
        space = await _space(session, caller, body.space)
        return await _forgetting(session, caller, actor, space.id, selection, body.reason, operation_id)

    sha256 = fingerprint(request.method, request.url.path, body)
    accepted = await operations.accept(caller, key, sha256, build, counts=False)
    return await waited(operations, caller, response, answer(response, accepted), wait=wait)


@router.get("/sessions/{session_id}", responses=problem_responses(404))
async def get_session(
    session_id: Annotated[str, Path(pattern=r"^[^\x00]{1,200}$", description="As it was given to `recall`.")],
    caller: Reader,
    database: DatabaseDependency,
    page: PageRequest,
) -> Page[SessionRecall]:
    """What was asked in a session, newest first: the questions, what they found, how long it took."""
    async with database.transaction(caller.organisation_id) as session:
        recalls = await MemoryRepository(session, caller.organisation_id).session_recalls(
            session_id, after=page.after, limit=page.limit + 1
        )
    if not recalls and page.after is None:
        raise NotFoundError("nothing was asked in this session: give its `session_id` to recall")
    return paginate(recalls, page, read=lambda recall: recall, key=lambda recall: recall.id)


@router.get("/{memory_id}", responses=problem_responses(404))
async def get_memory(memory_id: MemoryId, caller: Reader, database: DatabaseDependency) -> MemoryRead:
    """One memory."""
    async with database.transaction(caller.organisation_id) as session:
        return await _found(session, caller, memory_id)


@router.get("/{memory_id}/history", responses=problem_responses(404))
async def get_history(
    memory_id: MemoryId, caller: Reader, database: DatabaseDependency, page: PageRequest
) -> Page[MemoryVersionRead]:
    """Versions of a memory, newest first."""
    async with database.transaction(caller.organisation_id) as session:
        await _found(session, caller, memory_id)
        versions = await MemoryRepository(session, caller.organisation_id).history(
            memory_id, before=page.after_number(), limit=page.limit + 1
        )
    return paginate(versions, page, read=lambda version: version, key=lambda version: version.version)


@router.get("/{memory_id}/related", responses=problem_responses(404))
async def get_related(memory_id: MemoryId, caller: Reader, database: DatabaseDependency) -> RelatedMemories:
    """What a memory is connected with: the turns beside it, the rest of its message, and relations."""
    async with database.transaction(caller.organisation_id) as session:
        await _found(session, caller, memory_id)
    async with database.quick(caller.organisation_id) as statements:
        related = await related_memories(statements, [memory_id])
    return RelatedMemories(items=related.get(memory_id, []))


@router.delete("/{memory_id}", **WAITABLE)
async def forget_memory(
    memory_id: MemoryId,
    request: Request,
    response: Response,
    caller: Writer,
    key: IdempotencyKey,
    operations: OperationsDependency,
    actor: ActorDependency,
    wait: Wait = False,
) -> OperationRead:
    """Forget one memory for good, with its versions and vectors."""

    async def build(session: AsyncSession, operation_id: str) -> OperationRow:
        space = await MemoryRepository(session, caller.organisation_id).space_of(memory_id)
        if space is None:
            raise _missing(memory_id)
        selection = Selection(ids=[memory_id])
        return await _forgetting(session, caller, actor, space.id, selection, None, operation_id)

    sha256 = fingerprint(request.method, request.url.path, None)
    accepted = await operations.accept(caller, key, sha256, build, counts=False)
    return await waited(operations, caller, response, answer(response, accepted), wait=wait)


@router.patch("/{memory_id}", responses=problem_responses(404, 409, 502))
async def update_memory(
    memory_id: MemoryId,
    body: MemoryUpdate,
    caller: Writer,
    database: DatabaseDependency,
    embedders: EmbeddersDependency,
) -> MemoryRead:
    """Correct a memory. The version before stays in its history and answers `known_at`."""
    async with database.transaction(caller.organisation_id) as session:
        memories = MemoryRepository(session, caller.organisation_id)
        space = await memories.space_of(memory_id)
        if space is None:
            raise _missing(memory_id)
        before = await _found(session, caller, memory_id)
    embedded = None
    if body.content is not None and body.content != before.content:
        model = embedders.named(space.embedding_model)
        call = EmbeddingCall(caller.organisation_id, "correct", patience=_PATIENCE)
        vectors = await embedders.embed(call, model.name, [embedded_text(before.speaker, body.content)])
        tokens = estimated_tokens(body.content, model.max_tokens)
        embedded = vectors[0], model, tokens
    async with database.transaction(caller.organisation_id) as session:
        memories = MemoryRepository(session, caller.organisation_id)
        row = await memories.lock(memory_id)
        if row is None:
            raise _missing(memory_id)
        if row.retired_at is not None:
            detail = f"memory {memory_id} was replaced by {row.superseded_by}: change that one"
            raise ConflictError(detail)
        if row.version != (body.version or before.version):
            detail = f"memory {memory_id} is at version {row.version} now: read it again, then change it"
            raise ConflictError(detail)
        served = await memories.space_of(memory_id)
        if embedded is not None and (served is None or served.embedding_model != space.embedding_model):
            raise ConflictError("the space has just changed its embedding model: try again")
        changes = _changes(body, before)
        if changes:
            await memories.change(
                row, changes, actor_id=caller.actor_id, reason=body.reason, embedded=embedded
            )
            session.expire_all()
        return await _found(session, caller, memory_id)


async def _selection(body: ForgetCreate, caller: Principal, request: Request) -> Selection:
    """What is meant; a query means what it finds now."""
    if body.query is None:
        return Selection(ids=body.ids, text=body.text, subject=body.subject)
    service: RecallService = request.app.state.recall
    asked = RecallRequest(query=body.query, space=body.space, limit=body.limit, min_score=body.min_score)
    return Selection(ids=await service.matches(caller.organisation_id, asked))


async def _space(session: AsyncSession, caller: Principal, name: str) -> SpaceRow:
    space = await DocumentRepository(session, caller.organisation_id).space(name)
    if space is None:
        raise NotFoundError(f"no space '{name}': list them with GET /api/v1/spaces")
    return space


async def _forgetting(
    session: AsyncSession,
    caller: Principal,
    actor: Actor,
    space_id: str,
    selection: Selection,
    reason: str | None,
    operation_id: str,
) -> OperationRow:
    """The accepted operation, which the audit trail knows of."""
    row = await accept_forgetting(
        session, caller.organisation_id, caller.actor_id, space_id, selection, reason, operation_id
    )
    await AuditTrail(session, caller.organisation_id).record(
        Action.MEMORIES_FORGOTTEN,
        actor,
        subject=Subject(type="space", id=space_id),
        details={"operation_id": operation_id},
    )
    return row


def _changes(body: MemoryUpdate, before: MemoryRead) -> dict[str, Any]:
    """What is to be different, by column."""
    given = body.model_dump(exclude={"reason", "version"}, exclude_none=True)
    changed = {name: value for name, value in given.items() if value != getattr(before, name)}
    if "metadata" in changed:
        changed["metadata_"] = changed.pop("metadata")
    if "kind" in changed:
        changed["kind"] = changed["kind"].value
    return changed


async def _found(session: AsyncSession, caller: Principal, memory_id: str) -> MemoryRead:
    memory = await MemoryRepository(session, caller.organisation_id).get(memory_id)
    if memory is None:
        raise _missing(memory_id)
    return memory


def _missing(memory_id: str) -> NotFoundError:
    return NotFoundError(f"no memory {memory_id}: check the id, or list GET /api/v1/memories")
