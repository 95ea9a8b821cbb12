"""Console: how memory evolves. Its runs with what they changed, undoing, proposals, and a space's settings."""

from typing import Annotated, Literal

from fastapi import APIRouter, Form, Query, Request
from pydantic import ValidationError
from starlette.responses import Response

from api.actors import ActorDependency
from api.dependencies import (
    EmbeddersDependency,
    OperationsDependency,
    Principal,
    TemporalDependency,
)
from api.operations import Operations
from api.pagination import PageParameters, decode_cursor
from api.routes import evolution
from api.routes.console_evolution_views import (
    INSIGHTS,
    PROPOSAL_LOOKS,
    STAGES,
    ChangeView,
    ProposalView,
    RunView,
    begun,
    settings_values,
)
from api.routes.console_memories import CursorField, Reader, Writer, spaces_of
from api.routes.console_memory_views import shortened, without_empty
from api.routes.console_pages import (
    PAGE_SIZE,
    ConsoleRoute,
    Pages,
    Shown,
    fault_of,
    is_partial,
    query_string,
    safe_next,
)
from api.routes.evolution import ChangeId, OperationId, ProposalId
from perdure.db.console_repository import ConsoleRepository
from perdure.db.evolution_runs import KIND
from perdure.db.memory_repository import MemoryRepository
from perdure.domain.evolution import ProposalStatus
from perdure.errors import InvalidInputError, NotFoundError
from perdure.schemas.documents import SpaceName
from perdure.schemas.evolution import EvolutionCreate, EvolutionRead, EvolutionSettings, ProposalRead
from perdure.schemas.operations import TERMINAL

router = APIRouter(prefix="/memories", route_class=ConsoleRoute, include_in_schema=False)

SpaceField = Annotated[SpaceName, Query()]
# How much of each memory that a proposal rests on is shown.
_SOURCE_CHARACTERS = 300


async def _view(run: EvolutionRead, caller: Principal, operations: Operations) -> RunView:
    if run.ended_at is not None:
        return RunView(run)
    return RunView(run, (await operations.get(caller.organisation_id, run.operation_id)).status)


async def _page(
    pages: Pages,
    caller: Principal,
    operations: Operations,
    space: str,
    *,
    cursor: str = "",
    fault: str | None = None,
) -> Response:
    page = PageParameters(after=decode_cursor(cursor) if cursor else None, limit=PAGE_SIZE)
    listed = await evolution.list_evolutions(caller, pages.database, page, space)
    waiting = await evolution.list_proposals(
        caller, pages.database, PageParameters(limit=PAGE_SIZE), space, ProposalStatus.OPEN
    )
    runs = [await _view(run, caller, operations) for run in listed.items]
    return await pages.inside(
        "memories_evolution.html",
        caller,
        "memories",
        http_status=422 if fault else 200,
        tab="evolution",
        fault=fault,
        space=space,
        spaces=await spaces_of(pages, caller),
        stages=STAGES,
        runs=runs,
        live=any(view.is_open for view in runs),
        settings=await evolution.get_evolution_settings(caller, pages.database, space),
        insights=INSIGHTS,
        open_proposals=len(waiting.items),
        many_proposals=waiting.next_cursor is not None,
        first_url="/memories/evolution" + query_string(space=space),
        next_url="/memories/evolution" + query_string(space=space, cursor=listed.next_cursor)
        if listed.next_cursor
        else None,
        is_first_page=not cursor,
    )


@router.get("/evolution")
async def show_evolution(
    *,
    pages: Shown,
    caller: Reader,
    operations: OperationsDependency,
    space: SpaceField = "default",
    cursor: CursorField = "",
) -> Response:
    """The runs of a space, and how it evolves."""
    return await _page(pages, caller, operations, space, cursor=cursor)


@router.post("/evolution")
async def start(
    *,
    request: Request,
    pages: Shown,
    caller: Writer,
    operations: OperationsDependency,
    embedders: EmbeddersDependency,
    space: Annotated[SpaceName, Form()] = "default",
    stages: Annotated[list[str] | None, Form()] = None,
    dry_run: Annotated[Literal["", "true"], Form()] = "",
) -> Response:
    """Begin a run, or go to the one that is under way."""
    if not stages:
        return await _page(pages, caller, operations, space, fault="Tick at least one stage.")
    try:
        body = without_empty(EvolutionCreate, space=space, stages=stages, dry_run=bool(dry_run))
        operation = await evolution.evolve_memories(
            body, request, Response(), caller, None, operations, embedders
        )
    except ValidationError as error:
        return await _page(pages, caller, operations, space, fault=fault_of(error))
    return pages.redirect(f"/memories/evolution/{operation.id}")


@router.get("/evolution/settings")
async def settings_elsewhere(pages: Shown, caller: Reader) -> Response:
    """The settings stand on the page of evolution."""
    return pages.redirect("/memories/evolution")


@router.post("/evolution/settings")
async def change_settings(
    request: Request,
    pages: Shown,
    caller: Writer,
    operations: OperationsDependency,
    embedders: EmbeddersDependency,
    temporal: TemporalDependency,
    actor: ActorDependency,
    space: Annotated[SpaceName, Form()] = "default",
) -> Response:
    """Say how a space evolves from now on."""
    form = {name: str(value) for name, value in (await request.form()).items()}
    try:
        body = EvolutionSettings.model_validate(settings_values(form))
        await evolution.put_evolution_settings(
            body, caller, pages.database, embedders, temporal, actor, space
        )
    except ValidationError as error:
        return await _page(pages, caller, operations, space, fault=fault_of(error))
    except InvalidInputError as error:
        return await _page(pages, caller, operations, space, fault=str(error))
    return pages.redirect("/memories/evolution" + query_string(space=space), "evolution-changed")


@router.get("/evolution/{operation_id}")
async def show_run(
    *,
    operation_id: OperationId,
    pages: Shown,
    caller: Reader,
    operations: OperationsDependency,
    cursor: CursorField = "",
) -> Response:
    """One run: what each stage did, and every change."""
    page = PageParameters(after=decode_cursor(cursor) if cursor else None, limit=PAGE_SIZE)
    try:
        run = await evolution.get_evolution(operation_id, caller, pages.database)
        listed = await evolution.list_evolution_changes(operation_id, caller, pages.database, page)
    except NotFoundError:
        return await _before_it_begins(operation_id, pages, caller, operations)
    return await pages.inside(
        "memories_run.html",
        caller,
        "memories",
        tab="evolution",
        view=await _view(run, caller, operations),
        changes=[ChangeView(change) for change in listed.items],
        back=f"/memories/evolution/{operation_id}",
        next_url=query_string(cursor=listed.next_cursor) if listed.next_cursor else None,
        is_first_page=not cursor,
    )


async def _before_it_begins(
    operation_id: str, pages: Pages, caller: Principal, operations: Operations
) -> Response:
    """The page of a run that no worker has begun; one that ended before has only its operation."""
    operation = await operations.get(caller.organisation_id, operation_id)
    if operation.kind != KIND or operation.status in TERMINAL or operation.subject is None:
        return pages.redirect(f"/operations/{operation_id}")
    async with pages.database.transaction(caller.organisation_id) as session:
        names = await ConsoleRepository(session).space_names([operation.subject.id])
    return await pages.inside(
        "memories_run.html",
        caller,
        "memories",
        tab="evolution",
        view=RunView(begun(operation, names.get(operation.subject.id, ""))),
        changes=[],
        back=f"/memories/evolution/{operation_id}",
        next_url=None,
        is_first_page=True,
    )


def _done(request: Request, pages: Pages, path: str, notice: str) -> Response:
    """Back to where the button was; when a script pressed it, an error stays a message in the corner there."""
    if is_partial(request):
        join = "&" if "?" in path else "?"
        return Response(status_code=204, headers={"HX-Redirect": f"{path}{join}notice={notice}"})
    return pages.redirect(path, notice)


@router.post("/changes/{change_id}/undo")
async def undo(
    change_id: ChangeId,
    request: Request,
    pages: Shown,
    caller: Writer,
    actor: ActorDependency,
    back: Annotated[str, Form(max_length=200)] = "/memories/evolution",
) -> Response:
    """Make a memory what it was before."""
    await evolution.undo_change(change_id, caller, pages.database, actor)
    return _done(request, pages, safe_next(back), "undone")


@router.get("/proposals")
async def show_proposals(
    *,
    pages: Shown,
    caller: Reader,
    space: SpaceField = "default",
    status: ProposalStatus | Literal[""] = ProposalStatus.OPEN,
    cursor: CursorField = "",
) -> Response:
    """What evolution proposes; at first what waits for a decision."""
    wanted = ProposalStatus(status) if status else None
    page = PageParameters(after=decode_cursor(cursor) if cursor else None, limit=PAGE_SIZE)
    listed = await evolution.list_proposals(caller, pages.database, page, space, wanted)
    return await pages.inside(
        "memories_proposals.html",
        caller,
        "memories",
        tab="proposals",
        space=space,
        spaces=await spaces_of(pages, caller),
        status=wanted.value if wanted else "",
        looks=PROPOSAL_LOOKS,
        proposals=[ProposalView(proposal) for proposal in listed.items],
        contents=await _contents(pages, caller, listed.items),
        next_url="/memories/proposals"
        + query_string(space=space, status=str(status), cursor=listed.next_cursor)
        if listed.next_cursor
        else None,
    )


async def _contents(pages: Pages, caller: Principal, proposals: list[ProposalRead]) -> dict[str, str]:
    """What the memories say that proposals rest on, by id."""
    wanted = sorted({id_ for proposal in proposals for id_ in proposal.memory_ids})
    async with pages.database.transaction(caller.organisation_id) as session:
        found = await MemoryRepository(session, caller.organisation_id).by_id(wanted)
    return {memory.id: shortened(memory.content, _SOURCE_CHARACTERS) for memory in found}


@router.post("/proposals/{proposal_id}/accept")
async def accept(
    proposal_id: ProposalId,
    request: Request,
    pages: Shown,
    caller: Writer,
    embedders: EmbeddersDependency,
    actor: ActorDependency,
) -> Response:
    """Remember what is proposed."""
    proposal = await evolution.accept_proposal(proposal_id, caller, pages.database, embedders, actor)
    return _done(request, pages, "/memories/proposals" + query_string(space=proposal.space), "accepted")


@router.post("/proposals/{proposal_id}/decline")
async def decline(
    proposal_id: ProposalId,
    request: Request,
    pages: Shown,
    caller: Writer,
    actor: ActorDependency,
) -> Response:
    """Do not remember it."""
    proposal = await evolution.decline_proposal(proposal_id, caller, pages.database, actor)
    return _done(request, pages, "/memories/proposals" + query_string(space=proposal.space), "declined")
