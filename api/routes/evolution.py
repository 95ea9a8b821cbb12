"""`/api/v1/memories/evolve` and what it makes: runs, changes that can be undone, proposals, and a space's settings."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response, status
from sqlalchemy.ext.asyncio import AsyncSession

from api.actors import ActorDependency
from api.dependencies import (
    DatabaseDependency,
    EmbeddersDependency,
    OperationsDependency,
    Principal,
    TemporalDependency,
)
from api.idempotency import IdempotencyKey, fingerprint
from api.pagination import PageRequest, paginate
from api.problems import problem_responses
from api.routes.documents import answer, waited
from api.routes.memories import WAITABLE, Reader, Wait, Writer
from perdure.db.audit_trail import AuditTrail
from perdure.db.document_repository import DocumentRepository
from perdure.db.evolution_changes import EvolutionChanges, change_read
from perdure.db.evolution_proposals import EvolutionProposals, embedded_proposal
from perdure.db.evolution_runs import EvolutionRuns, evolution_operation, settings_of
from perdure.db.memory_reversal import take_back
from perdure.db.memory_writer import MemoryWriter
from perdure.db.models import OperationRow
from perdure.db.operation_repository import OperationRepository, input_fields
from perdure.domain.audit import Action
from perdure.domain.evolution import ChangeAction, EvolutionRules, ProposalStatus
from perdure.domain.ids import ID_PATTERN
from perdure.errors import ConflictError, NotFoundError
from perdure.schemas.base import Page
from perdure.schemas.documents import SpaceName
from perdure.schemas.evolution import (
    EvolutionCreate,
    EvolutionRead,
    EvolutionSettings,
    EvolveMemoryInput,
    MemoryChangeRead,
    ProposalRead,
)
from perdure.schemas.operations import OperationRead, Subject
from workflows.schedules import schedule_evolution

router = APIRouter(prefix="/api/v1/memories", tags=["memories"])

OperationId = Annotated[str, Path(pattern=ID_PATTERN, description="Id of a run, `op_…`.")]
ChangeId = Annotated[str, Path(pattern=ID_PATTERN, description="Id of a change, `chg_…`.")]
ProposalId = Annotated[str, Path(pattern=ID_PATTERN, description="Id of a proposal, `prp_…`.")]
SpaceQuery = Annotated[SpaceName | None, Query()]
IdQuery = Annotated[str | None, Query(pattern=ID_PATTERN)]


class _RunningError(Exception):
    """A run of the space is under way: there is nothing to accept."""

    def __init__(self, operation: OperationRead) -> None:
        self.operation = operation


def _does(running: OperationRow, wanted: EvolutionCreate) -> bool:
    """Whether a run that is under way does all that is wanted."""
    run = EvolveMemoryInput.model_validate(input_fields(running))
    return run.dry_run == wanted.dry_run and set(wanted.stages) <= set(run.stages)


@router.post("/evolve", **WAITABLE)
async def evolve_memories(
    body: EvolutionCreate,
    request: Request,
    response: Response,
    caller: Writer,
    key: IdempotencyKey,
    operations: OperationsDependency,
    embedders: EmbeddersDependency,
    wait: Wait = False,
) -> OperationRead:
    """Merge, connect, draw together and put away.

    While a run of the space is under way that does all of this, the answer is that run; while another one is, a
    report for instance, the answer is 409.
    """

    async def build(session: AsyncSession, operation_id: str) -> OperationRow:
        documents = DocumentRepository(session, caller.organisation_id)
        space = await documents.ensure_space(body.space, embedders.default)
        runs = EvolutionRuns(session, caller.organisation_id)
        await runs.alone(space.id)
        running = await runs.running(space.id)
        if running is not None:
            if _does(running, body):
                raise _RunningError(operations.read(running))
            detail = (
                f"{running.id} ({running.summary}) is under way in this space: ask again when it has ended"
            )
            raise ConflictError(detail)
        wanted = evolution_operation(
            caller.organisation_id, caller.actor_id, space.id, body.stages, dry_run=body.dry_run
        )
        return await OperationRepository(session).create(**wanted, operation_id=operation_id)

    sha256 = fingerprint(request.method, request.url.path, body)
    try:
        accepted = await operations.accept(caller, key, sha256, build)
    except _RunningError as running:
        response.status_code = status.HTTP_200_OK
        operation = running.operation
        response.headers["Location"] = f"/api/v1/operations/{operation.id}"
    else:
        operation = answer(response, accepted)
    return await waited(operations, caller, response, operation, wait=wait)


@router.get("/evolutions", responses=problem_responses())
async def list_evolutions(
    caller: Reader, database: DatabaseDependency, page: PageRequest, space: SpaceQuery = None
) -> Page[EvolutionRead]:
    """Runs of evolution, newest first."""
    async with database.transaction(caller.organisation_id) as session:
        runs = await EvolutionRuns(session, caller.organisation_id).list(
            space=space, after=page.after, limit=page.limit + 1
        )
    return paginate(runs, page, read=lambda run: run, key=lambda run: run.operation_id)


# Before `/evolutions/{operation_id}` and the others with ids, because the first route that fits is taken.
@router.get("/evolution/settings", responses=problem_responses())
async def get_evolution_settings(
    caller: Reader, database: DatabaseDependency, space: Annotated[SpaceName, Query()] = "default"
) -> EvolutionSettings:
    """How a space evolves."""
    async with database.transaction(caller.organisation_id) as session:
        row = await DocumentRepository(session, caller.organisation_id).space(space)
        if row is None:
            return settings_of(EvolutionRules())
        return settings_of(await EvolutionRuns(session, caller.organisation_id).rules(row.id))


@router.put("/evolution/settings", responses=problem_responses(502))
async def put_evolution_settings(
    body: EvolutionSettings,
    caller: Writer,
    database: DatabaseDependency,
    embedders: EmbeddersDependency,
    temporal: TemporalDependency,
    actor: ActorDependency,
    space: Annotated[SpaceName, Query()] = "default",
) -> EvolutionSettings:
    """Say how a space evolves from now on, and how often by itself. The space is made on first use."""
    async with database.transaction(caller.organisation_id) as session:
        documents = DocumentRepository(session, caller.organisation_id)
        row = await documents.ensure_space(space, embedders.default)
        runs = EvolutionRuns(session, caller.organisation_id)
        await runs.change_rules(row.id, body)
        await AuditTrail(session, caller.organisation_id).record(
            Action.EVOLUTION_CHANGED,
            actor,
            subject=Subject(type="space", id=row.id),
            details=body.model_dump(mode="json"),
        )
        # In the transaction: what is said here and what the schedule does are never two things for long.
        await schedule_evolution(temporal, caller.organisation_id, row.id, body.every_hours)
    return body


@router.get("/evolutions/{operation_id}", responses=problem_responses(404))
async def get_evolution(
    operation_id: OperationId, caller: Reader, database: DatabaseDependency
) -> EvolutionRead:
    """One run: what it looked at and what it changed so far."""
    async with database.transaction(caller.organisation_id) as session:
        return await _run(session, caller, operation_id)


@router.get("/evolutions/{operation_id}/changes", responses=problem_responses(404))
async def list_evolution_changes(
    operation_id: OperationId, caller: Reader, database: DatabaseDependency, page: PageRequest
) -> Page[MemoryChangeRead]:
    """What a run changed, or as a dry run would change, newest first."""
    async with database.transaction(caller.organisation_id) as session:
        await _run(session, caller, operation_id)
        changes = await EvolutionChanges(session, caller.organisation_id).list(
            operation_id=operation_id, planned=True, after=page.after, limit=page.limit + 1
        )
    return paginate(changes, page, read=lambda change: change[1], key=lambda change: change[0])


@router.get("/changes", responses=problem_responses())
async def list_changes(
    caller: Reader,
    database: DatabaseDependency,
    page: PageRequest,
    space: SpaceQuery = None,
    memory_id: IdQuery = None,
    operation_id: IdQuery = None,
) -> Page[MemoryChangeRead]:
    """Changes of memories, newest first: what was before, what is since, and why."""
    async with database.transaction(caller.organisation_id) as session:
        changes = await EvolutionChanges(session, caller.organisation_id).list(
            space=space,
            memory_id=memory_id,
            operation_id=operation_id,
            after=page.after,
            limit=page.limit + 1,
        )
    return paginate(changes, page, read=lambda change: change[1], key=lambda change: change[0])


@router.post("/changes/{change_id}/undo", responses=problem_responses(404, 409))
async def undo_change(
    change_id: ChangeId, caller: Writer, database: DatabaseDependency, actor: ActorDependency
) -> MemoryChangeRead:
    """Make a memory what it was before a change. It is not changed so again. A second time, nothing happens."""
    async with database.transaction(caller.organisation_id) as session:
        changes = EvolutionChanges(session, caller.organisation_id)
        row, content = await changes.lock(change_id)
        if row.undone_at is not None:
            return change_read(row, content)
        await MemoryWriter(session, caller.organisation_id, row.space_id or "").share()
        if row.action == ChangeAction.UPDATED.value:
            await take_back(session, caller.organisation_id, row, caller.actor_id)
        else:
            await changes.undo(row)
        await AuditTrail(session, caller.organisation_id).record(
            Action.MEMORY_CHANGE_UNDONE,
            actor,
            subject=Subject(type="memory", id=row.memory_id),
            details={"change_id": change_id, "action": row.action},
        )
        session.expire_all()
        row, content = await changes.lock(change_id)
        return change_read(row, content)


@router.get("/proposals", responses=problem_responses())
async def list_proposals(
    caller: Reader,
    database: DatabaseDependency,
    page: PageRequest,
    space: SpaceQuery = None,
    status: Annotated[ProposalStatus | None, Query()] = None,
) -> Page[ProposalRead]:
    """What evolution proposes, newest first."""
    async with database.transaction(caller.organisation_id) as session:
        proposals = await EvolutionProposals(session, caller.organisation_id).list(
            space=space, status=status, after=page.after, limit=page.limit + 1
        )
    return paginate(proposals, page, read=lambda proposal: proposal, key=lambda proposal: proposal.id)


@router.post("/proposals/{proposal_id}/accept", responses=problem_responses(404, 409, 502))
async def accept_proposal(
    proposal_id: ProposalId,
    caller: Writer,
    database: DatabaseDependency,
    embedders: EmbeddersDependency,
    actor: ActorDependency,
) -> ProposalRead:
    """Remember what is proposed. A second time, nothing happens."""
    embedded = await embedded_proposal(database.transaction, caller.organisation_id, proposal_id, embedders)
    async with database.transaction(caller.organisation_id) as session:
        proposals = EvolutionProposals(session, caller.organisation_id)
        await proposals.accept(proposal_id, caller.actor_id, embedded)
        return await _decided(session, caller, actor, proposal_id)


@router.post("/proposals/{proposal_id}/decline", responses=problem_responses(404, 409))
async def decline_proposal(
    proposal_id: ProposalId, caller: Writer, database: DatabaseDependency, actor: ActorDependency
) -> ProposalRead:
    """Do not remember what is proposed; it is not proposed again. A second time, nothing happens."""
    async with database.transaction(caller.organisation_id) as session:
        await EvolutionProposals(session, caller.organisation_id).decline(proposal_id, caller.actor_id)
        return await _decided(session, caller, actor, proposal_id)


async def _decided(
    session: AsyncSession, caller: Principal, actor: ActorDependency, proposal_id: str
) -> ProposalRead:
    """The proposal as it was decided, which the audit trail knows of."""
    proposal = await EvolutionProposals(session, caller.organisation_id).get(proposal_id)
    await AuditTrail(session, caller.organisation_id).record(
        Action.PROPOSAL_DECIDED,
        actor,
        subject=Subject(type="proposal", id=proposal_id),
        details={"status": proposal.status.value},
    )
    return proposal


async def _run(session: AsyncSession, caller: Principal, operation_id: str) -> EvolutionRead:
    run = await EvolutionRuns(session, caller.organisation_id).get(operation_id)
    if run is None:
        raise NotFoundError(f"no evolution {operation_id}: list them with GET /api/v1/memories/evolutions")
    return run
