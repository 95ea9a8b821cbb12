"""Console: ask memory, browse it, and one memory with where it comes from and what became of it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Query, Request
from pydantic import ValidationError
from starlette.responses import Response

from api.actors import ActorDependency
from api.dependencies import EmbeddersDependency, OperationsDependency, Principal, require
from api.pagination import PageParameters, decode_cursor
from api.routes import evolution, memories
from api.routes.console_evolution_views import ChangeView
from api.routes.console_memory_graph import draw, numbered
from api.routes.console_memory_views import (
    KIND_LABELS,
    MODES,
    RELATION_TONES,
    Answered,
    MemoryView,
    RecallView,
    field_instant,
    given_instant,
    marked,
    reasons,
    relation_views,
    version_views,
    without_empty,
)
from api.routes.console_pages import PAGE_SIZE, ConsoleRoute, Pages, Shown, fault_of, is_partial, query_string
from api.routes.memories import MemoryId
from perdure.db.console_repository import ConsoleRepository
from perdure.db.document_repository import DocumentRepository
from perdure.db.identity_repository import IdentityRepository
from perdure.db.memory_repository import MemoryRepository
from perdure.db.related_memories import related_memories
from perdure.db.search_service import NOT_EMBEDDED
from perdure.domain.memories import MemoryKind
from perdure.domain.recall_ranking import RecallMode
from perdure.errors import ConflictError, InvalidInputError, NotFoundError
from perdure.schemas.memories import (
    MemoryCreate,
    MemoryRead,
    MemoryUpdate,
    MemoryVersionRead,
    RecallAnswer,
    RecallRequest,
    RelatedMemory,
    SessionRecall,
)
from perdure.schemas.operations import OperationRead, OperationStatus

router = APIRouter(prefix="/memories", route_class=ConsoleRoute, include_in_schema=False)

Reader = Annotated[Principal, require("memories:read")]
Writer = Annotated[Principal, require("memories:write")]
NameField = Annotated[str, Query(max_length=200)]
InstantField = Annotated[str, Query(max_length=40)]
CursorField = Annotated[str, Query(max_length=512)]

RESULTS = 10
_DEFAULT_SPACE = "default"
# Of each question of a session, as many answers are shown.
_SESSION_HITS = 3
_FORM_FIELDS = ("content", "kind", "tags", "confidence", "importance", "valid_from", "valid_to", "expires_at")


async def spaces_of(pages: Pages, caller: Principal) -> list[str]:
    """Names of all spaces, the default one first."""
    async with pages.database.transaction(caller.organisation_id) as session:
        rows = await DocumentRepository(session, caller.organisation_id).spaces()
    names = [row.name for row in rows if row.name != _DEFAULT_SPACE]
    return [_DEFAULT_SPACE, *names]


async def people_of(pages: Pages, caller: Principal, space: str) -> Sequence[str]:
    """Who speaks and is spoken of in a space."""
    async with pages.database.transaction(caller.organisation_id) as session:
        return await ConsoleRepository(session).people(space)


async def has_memories(pages: Pages, caller: Principal) -> bool:
    """Whether anything is remembered at all."""
    listed = await memories.list_memories(caller, pages.database, PageParameters(limit=1))
    return bool(listed.items)


def _is_ours(request: Request) -> bool:
    """Whether a page of ours asks, or somebody who typed the address: no other site's link."""
    return request.headers.get("sec-fetch-site") != "cross-site"


@router.get("")
async def show_ask(
    *,
    request: Request,
    pages: Shown,
    caller: Reader,
    q: Annotated[str, Query(max_length=10_000)] = "",
    space: Annotated[str, Query(max_length=100)] = _DEFAULT_SPACE,
    mode: RecallMode = RecallMode.HYBRID,
    subject: NameField = "",
    as_of: InstantField = "",
    known_at: InstantField = "",
    session_id: NameField = "",
) -> Response:
    """A question and the memories that answer it; with htmx only the answers are sent."""
    given = {"subject": subject, "as_of": as_of, "known_at": known_at, "session_id": session_id}
    answer: RecallAnswer | None = None
    fault: str | None = None
    if q.strip():
        try:
            asked = without_empty(
                RecallRequest,
                query=q,
                space=space or _DEFAULT_SPACE,
                mode=mode,
                limit=RESULTS,
                explain=True,
                subject=subject.strip(),
                as_of=given_instant(as_of),
                known_at=given_instant(known_at),
                session_id=session_id if _is_ours(request) else "",
            )
            answer = await memories.recall_memories(asked, caller, request)
        except ValidationError as error:
            fault = fault_of(error)
        except (InvalidInputError, NotFoundError, *NOT_EMBEDDED) as error:
            fault = str(error)
    return await pages.inside(
        "partials/memory_answers.html" if is_partial(request) else "memories_ask.html",
        caller,
        "memories",
        tab="ask",
        q=q.strip(),
        space=space or _DEFAULT_SPACE,
        spaces=await spaces_of(pages, caller),
        people=await people_of(pages, caller, space),
        mode=mode.value,
        modes=MODES,
        given=given,
        is_narrowed=any(given.values()),
        answer=answer,
        results=[RecallView(hit) for hit in answer.items] if answer else [],
        fault=fault,
        has_memories=await has_memories(pages, caller),
    )


@router.get("/browse")
async def show_memories(
    *,
    pages: Shown,
    caller: Reader,
    space: Annotated[str, Query(max_length=100)] = "",
    subject: NameField = "",
    session_id: NameField = "",
    kind: MemoryKind | Literal[""] = "",
    state: Literal["current", "all"] = "current",
    cursor: CursorField = "",
) -> Response:
    """Memories, newest first."""
    listed = await memories.list_memories(
        caller,
        pages.database,
        PageParameters(after=decode_cursor(cursor) if cursor else None, limit=PAGE_SIZE),
        space=space or None,
        subject=subject or None,
        session_id=session_id or None,
        kind=MemoryKind(kind) if kind else None,
        state=state,
    )
    shown = {
        "space": space,
        "subject": subject,
        "session_id": session_id,
        "kind": str(kind),
        "state": "" if state == "current" else state,
    }
    return await pages.inside(
        "memories_browse.html",
        caller,
        "memories",
        tab="browse",
        views=[MemoryView(memory) for memory in listed.items],
        shown=shown,
        spaces=await spaces_of(pages, caller),
        people=await people_of(pages, caller, space or _DEFAULT_SPACE),
        kinds=KIND_LABELS,
        first_url="/memories/browse" + query_string(**shown),
        next_url="/memories/browse" + query_string(**shown, cursor=listed.next_cursor)
        if listed.next_cursor
        else None,
        is_first_page=not cursor,
        is_filtered=any(shown.values()) or bool(cursor),
    )


async def _new_page(pages: Pages, caller: Principal, values: dict[str, str], fault: str | None) -> Response:
    fields = ("content", "subject", "speaker", "session_id")
    space = values.get("space") or _DEFAULT_SPACE
    return await pages.inside(
        "memories_new.html",
        caller,
        "memories",
        http_status=422 if fault else 200,
        tab="browse",
        fault=fault,
        values={name: values.get(name, "") for name in fields},
        kind=values.get("kind") or MemoryKind.EVIDENCE.value,
        kinds=KIND_LABELS,
        space=space,
        spaces=await spaces_of(pages, caller),
        people=await people_of(pages, caller, space),
    )


@router.get("/new")
async def show_new(
    pages: Shown, caller: Writer, space: Annotated[str, Query(max_length=100)] = ""
) -> Response:
    """The form for something to remember."""
    return await _new_page(pages, caller, {"space": space}, None)


@router.post("/new")
async def remember(
    *,
    request: Request,
    pages: Shown,
    caller: Writer,
    operations: OperationsDependency,
    embedders: EmbeddersDependency,
    content: Annotated[str, Form()] = "",
    kind: Annotated[MemoryKind, Form()] = MemoryKind.EVIDENCE,
    subject: Annotated[str, Form()] = "",
    speaker: Annotated[str, Form()] = "",
    session_id: Annotated[str, Form()] = "",
    space: Annotated[str, Form()] = "",
) -> Response:
    """Remember a statement, and go to it."""
    values = {
        "content": content,
        "kind": kind.value,
        "subject": subject.strip(),
        "speaker": speaker.strip(),
        "session_id": session_id.strip(),
        "space": space.strip(),
    }
    if not content.strip():
        return await _new_page(pages, caller, values, "Say what is to be remembered.")
    try:
        body = without_empty(MemoryCreate, **values)
        operation = await memories.create_memories(
            body, request, Response(), caller, None, operations, embedders, wait=True
        )
    except ValidationError as error:
        return await _new_page(pages, caller, values, fault_of(error))
    except InvalidInputError as error:
        return await _new_page(pages, caller, values, str(error))
    return _after_remembering(pages, operation)


def _after_remembering(pages: Pages, operation: OperationRead) -> Response:
    result = operation.result or {}
    if operation.status is not OperationStatus.COMPLETED:
        return pages.redirect(f"/operations/{operation.id}")
    ids = result.get("memory_ids") or []
    if result.get("remembered") or result.get("corrected"):
        return pages.redirect(f"/memories/{ids[0]}" if ids else "/memories/browse", "remembered")
    if result.get("forgotten"):
        return pages.redirect("/memories/browse", "stays-forgotten")
    return pages.redirect(f"/memories/{ids[0]}" if ids else "/memories/browse", "known-already")


@router.get("/sessions")
async def show_session(
    *, pages: Shown, caller: Reader, session_id: NameField = "", cursor: CursorField = ""
) -> Response:
    """What was asked in a session, and what it found."""
    recalls: list[SessionRecall] = []
    following: str | None = None
    if session_id:
        page = PageParameters(after=decode_cursor(cursor) if cursor else None, limit=PAGE_SIZE)
        try:
            listed = await memories.get_session(session_id, caller, pages.database, page)
            recalls, following = listed.items, listed.next_cursor
        except NotFoundError:
            recalls = []
    return await pages.inside(
        "memories_session.html",
        caller,
        "memories",
        tab="ask",
        session_id=session_id,
        answered=await _answered(pages, caller, recalls),
        next_url="/memories/sessions" + query_string(session_id=session_id, cursor=following)
        if following
        else None,
    )


async def _answered(pages: Pages, caller: Principal, recalls: Sequence[SessionRecall]) -> list[Answered]:
    wanted = {hit.id for recall in recalls for hit in recall.hits[:_SESSION_HITS]}
    async with pages.database.transaction(caller.organisation_id) as session:
        found = await MemoryRepository(session, caller.organisation_id).by_id(sorted(wanted))
    views = {memory.id: MemoryView(memory) for memory in found}
    return [
        Answered(
            recall,
            hits=[(views[hit.id], hit.score) for hit in recall.hits[:_SESSION_HITS] if hit.id in views],
            more=max(0, len(recall.hits) - _SESSION_HITS),
        )
        for recall in recalls
    ]


@router.get("/{memory_id}")
async def show_memory(
    *, memory_id: MemoryId, pages: Shown, caller: Reader, cursor: CursorField = ""
) -> Response:
    """One memory."""
    return await memory_page(pages, caller, memory_id, cursor=cursor)


async def memory_page(
    pages: Pages, caller: Principal, memory_id: str, *, cursor: str = "", fault: str | None = None
) -> Response:
    """The page of one memory, with what went wrong with it."""
    memory = await memories.get_memory(memory_id, caller, pages.database)
    page = PageParameters(after=decode_cursor(cursor) if cursor else None, limit=PAGE_SIZE)
    history = await memories.get_history(memory_id, caller, pages.database, page)
    changes = await evolution.list_changes(
        caller, pages.database, PageParameters(limit=PAGE_SIZE), memory_id=memory_id
    )
    related = (await memories.get_related(memory_id, caller, pages.database)).items
    numbers = numbered(related)
    relations = relation_views(related, numbers)
    return await pages.inside(
        "memory.html",
        caller,
        "memories",
        http_status=409 if fault else 200,
        tab="browse",
        view=MemoryView(memory),
        fault=fault,
        **await _provenance(pages, caller, memory),
        versions=version_views(history.items, await _names(pages, caller, history.items)),
        reasons=reasons(history.items),
        changes=[ChangeView(change) for change in changes.items],
        back=f"/memories/{memory_id}",
        history_next=query_string(cursor=history.next_cursor) if history.next_cursor else None,
        relations=relations,
        relation_tones=RELATION_TONES,
        graph_names={relation.related.id: relation.name for relation in reversed(relations)},
        graph_centre="this",
        graph=draw(related, await _among(pages, caller, list(numbers))) if related else None,
    )


async def _among(
    pages: Pages, caller: Principal, memory_ids: Sequence[str]
) -> dict[str, list[RelatedMemory]]:
    async with pages.database.quick(caller.organisation_id) as statements:
        return await related_memories(statements, memory_ids)


async def _provenance(pages: Pages, caller: Principal, memory: MemoryRead) -> dict[str, Any]:
    """The message or passage that a memory was made of."""
    source = memory.source
    async with pages.database.transaction(caller.organisation_id) as session:
        repository = ConsoleRepository(session)
        chunk = await repository.chunk_source(source.id) if source.type == "chunk" else None
        message = await repository.message_pieces(memory.id) if source.type == "message" else []
    return {
        "message": message,
        "chunk": chunk,
        "chunk_pieces": marked(chunk.text, source.start, source.end) if chunk else [],
    }


async def _names(pages: Pages, caller: Principal, versions: Sequence[MemoryVersionRead]) -> dict[str, str]:
    """Who changed something, by name where it was a member."""
    ids = {version.changed_by for version in versions if version.changed_by}
    names = {id_: "an API key" for id_ in ids if id_.startswith("key_")}
    names |= {id_: "an operation" for id_ in ids if id_.startswith("op_")}
    async with pages.database.transaction(caller.organisation_id) as session:
        identities = IdentityRepository(session)
        for id_ in sorted(ids - names.keys()):
            member = await identities.member(caller.organisation_id, id_)
            names[id_] = member.name if member else "a former member"
    return names


def _form_values(memory: MemoryRead) -> dict[str, str]:
    """A memory as its form shows it."""
    return {
        "content": memory.content,
        "kind": memory.kind.value,
        "tags": ", ".join(memory.tags),
        "confidence": f"{memory.confidence:g}",
        "importance": f"{memory.importance:g}",
        "valid_from": field_instant(memory.valid_from),
        "valid_to": field_instant(memory.valid_to),
        "expires_at": field_instant(memory.expires_at),
    }


def _update(form: dict[str, str], before: dict[str, str], reason: str, version: str) -> MemoryUpdate:
    """What a form changes: a field that is as it was shown changes nothing, to the millisecond."""
    # Browsers send the line breaks of a text field as CR LF.
    given: dict[str, Any] = {
        name: value for name, value in form.items() if value.replace("\r\n", "\n") != before[name]
    }
    for name in ("valid_from", "valid_to", "expires_at"):
        if name in given:
            given[name] = given_instant(given[name])
    if "tags" in given:
        given["tags"] = [tag.strip() for tag in given["tags"].split(",") if tag.strip()]
    if "content" in given:
        given["content"] = given["content"].replace("\r\n", "\n")
    kept = {name: value for name, value in given.items() if value not in (None, "")}
    return MemoryUpdate.model_validate({**kept, "reason": reason.strip() or None, "version": version or None})


async def _correct_page(
    pages: Pages,
    caller: Principal,
    memory: MemoryRead,
    values: dict[str, str],
    reason: str = "",
    fault: str | None = None,
) -> Response:
    return await pages.inside(
        "memory_correct.html",
        caller,
        "memories",
        http_status=422 if fault else 200,
        tab="browse",
        view=MemoryView(memory),
        values=values,
        reason=reason,
        kinds=KIND_LABELS,
        fault=fault,
    )


@router.get("/{memory_id}/correct")
async def show_correction(memory_id: MemoryId, pages: Shown, caller: Writer) -> Response:
    """The form that corrects a memory."""
    memory = await memories.get_memory(memory_id, caller, pages.database)
    return await _correct_page(pages, caller, memory, _form_values(memory))


@router.post("/{memory_id}/correct")
async def correct(
    *,
    memory_id: MemoryId,
    request: Request,
    pages: Shown,
    caller: Writer,
    embedders: EmbeddersDependency,
    reason: Annotated[str, Form()] = "",
    version: Annotated[str, Form()] = "",
) -> Response:
    """Make a new version, by the function that the API calls."""
    memory = await memories.get_memory(memory_id, caller, pages.database)
    form = await request.form()
    before = _form_values(memory)
    values = {name: str(form.get(name, before[name])).strip() for name in _FORM_FIELDS}
    try:
        body = _update(values, before, reason, version)
        await memories.update_memory(memory_id, body, caller, pages.database, embedders)
    except ValidationError as error:
        return await _correct_page(pages, caller, memory, values, reason, fault_of(error))
    except (ConflictError, InvalidInputError) as error:
        return await _correct_page(pages, caller, memory, values, reason, str(error))
    return pages.redirect(f"/memories/{memory_id}", "corrected")


@router.post("/{memory_id}/end")
async def end(memory_id: MemoryId, pages: Shown, caller: Writer, embedders: EmbeddersDependency) -> Response:
    """Say that a memory is true no longer: questions as of a later time do not find it any more."""
    body = MemoryUpdate(valid_to=datetime.now(UTC), reason="No longer true")
    try:
        await memories.update_memory(memory_id, body, caller, pages.database, embedders)
    except (ConflictError, InvalidInputError) as error:
        return await memory_page(pages, caller, memory_id, fault=str(error))
    return pages.redirect(f"/memories/{memory_id}", "ended")


@router.post("/{memory_id}/forget")
async def forget(
    memory_id: MemoryId,
    request: Request,
    pages: Shown,
    caller: Writer,
    operations: OperationsDependency,
    actor: ActorDependency,
) -> Response:
    """Forget one memory for good, and show the receipt."""
    operation = await memories.forget_memory(
        memory_id, request, Response(), caller, None, operations, actor, wait=True
    )
    return pages.redirect(f"/memories/forget/{operation.id}")
