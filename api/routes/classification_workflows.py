"""`/api/v1/ai/classification/workflows`: stored definitions, their versions, and how good they are."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, status
from fastapi.responses import JSONResponse
from sqlalchemy.ext.asyncio import AsyncSession

from api.actors import ActorDependency
from api.dependencies import DatabaseDependency, LabelSetsDependency, Principal, require
from api.idempotency import IdempotentRequest
from api.pagination import PageRequest, paginate
from api.problems import problem_responses
from perdure.db.audit_trail import AuditTrail
from perdure.db.classification_quality import ClassificationQuality
from perdure.db.classification_workflows import ClassificationWorkflows, version_read
from perdure.db.label_sets import LabelSets
from perdure.db.models import ClassificationVersionRow, ClassificationWorkflowRow
from perdure.db.session import Database
from perdure.domain.audit import Action, Actor
from perdure.domain.ids import ID_PATTERN
from perdure.errors import ConflictError, NotFoundError
from perdure.schemas.base import Page
from perdure.schemas.classification import (
    ActivateRequest,
    Comparison,
    Definition,
    QualityRead,
    VersionCreate,
    VersionRead,
    WorkflowCreate,
    WorkflowDetail,
    WorkflowRead,
)
from perdure.schemas.operations import Subject

router = APIRouter(prefix="/api/v1/ai/classification/workflows", tags=["classification"])

Reader = Annotated[Principal, require("classification:read")]
Writer = Annotated[Principal, require("classification:write")]
WorkflowId = Annotated[str, Path(pattern=ID_PATTERN, description="Id of a workflow, `clw_…`.")]
VersionNumber = Annotated[int, Path(ge=1, le=1_000_000)]


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    response_model=WorkflowDetail,
    responses={
        200: {"model": WorkflowDetail, "description": "The Idempotency-Key was used before."},
        **problem_responses(409),
    },
    operation_id="create_classification_workflow",
)
async def post_workflow(
    body: WorkflowCreate,
    caller: Writer,
    database: DatabaseDependency,
    idempotency: IdempotentRequest,
    actor: ActorDependency,
) -> WorkflowDetail | JSONResponse:
    """Store a definition as version 1, which is active at once."""
    async with database.transaction(caller.organisation_id) as session:
        before = await idempotency.replay(session, caller.organisation_id, body)
        if before is not None:
            return before
        made = await _created(session, body, caller, actor)
        await idempotency.remember(session, caller.organisation_id, made.model_dump(mode="json"))
        return made


async def create_workflow(
    body: WorkflowCreate, caller: Principal, database: Database, actor: Actor
) -> WorkflowDetail:
    """The same for whoever sends no Idempotency-Key."""
    async with database.transaction(caller.organisation_id) as session:
        return await _created(session, body, caller, actor)


async def _created(
    session: AsyncSession, body: WorkflowCreate, caller: Principal, actor: Actor
) -> WorkflowDetail:
    definition = Definition(
        stages=body.stages, region=body.region, language=body.language, review=body.review
    )
    workflows = ClassificationWorkflows(session, caller.organisation_id)
    if await workflows.named(body.name) is not None:
        detail = (
            f"there is a workflow '{body.name}' already: choose another name, or make a new version of it"
        )
        raise ConflictError(detail)
    row = await workflows.create(body.name, body.description, definition, caller.user_id)
    await _record(session, caller, actor, Action.CLASSIFICATION_WORKFLOW_CREATED, row.id, version=1)
    return await _detail(workflows, row)


@router.get("", responses=problem_responses())
async def list_workflows(
    caller: Reader,
    database: DatabaseDependency,
    page: PageRequest,
    archived: Annotated[bool, Query(description="Show those that are archived, too.")] = False,
) -> Page[WorkflowRead]:
    """Workflows, newest first."""
    async with database.transaction(caller.organisation_id) as session:
        workflows = ClassificationWorkflows(session, caller.organisation_id)
        found = await workflows.list(archived=archived, after=page.after, limit=page.limit + 1)
    return paginate(found, page, read=lambda workflow: workflow, key=lambda workflow: workflow.id)


@router.get("/{workflow_id}", responses=problem_responses(404))
async def get_workflow(
    workflow_id: WorkflowId, caller: Reader, database: DatabaseDependency
) -> WorkflowDetail:
    """One workflow with all its versions."""
    async with database.transaction(caller.organisation_id) as session:
        workflows = ClassificationWorkflows(session, caller.organisation_id)
        return await _detail(workflows, await _found(workflows, workflow_id))


@router.post(
    "/{workflow_id}/versions",
    status_code=status.HTTP_201_CREATED,
    response_model=VersionRead,
    responses={
        200: {"model": VersionRead, "description": "The Idempotency-Key was used before."},
        **problem_responses(404, 409),
    },
    operation_id="create_classification_version",
)
async def post_version(
    workflow_id: WorkflowId,
    body: VersionCreate,
    caller: Writer,
    database: DatabaseDependency,
    label_sets: LabelSetsDependency,
    idempotency: IdempotentRequest,
    actor: ActorDependency,
) -> VersionRead | JSONResponse:
    """Make a new version, which learns what reviewers have answered, and compare it with the active one.

    It is used when it is activated.
    """
    prepared = await _prepared(workflow_id, body, caller, database, label_sets)
    async with database.transaction(caller.organisation_id) as session:
        before = await idempotency.replay(session, caller.organisation_id, body)
        if before is not None:
            return before
        made = await _added(session, prepared, caller, actor)
        await idempotency.remember(session, caller.organisation_id, made.model_dump(mode="json"))
        return made


async def create_version(
    workflow_id: str,
    body: VersionCreate,
    caller: Principal,
    database: Database,
    label_sets: LabelSets,
    actor: Actor,
) -> VersionRead:
    """The same for whoever sends no Idempotency-Key."""
    prepared = await _prepared(workflow_id, body, caller, database, label_sets)
    async with database.transaction(caller.organisation_id) as session:
        return await _added(session, prepared, caller, actor)


async def _prepared(
    workflow_id: str, body: VersionCreate, caller: Principal, database: Database, label_sets: LabelSets
) -> ClassificationVersionRow:
    """The version as it is to be, measured; nothing is written yet."""
    quality = _quality(database, label_sets)
    calibration = await quality.calibration(caller.organisation_id, workflow_id) if body.learn else None
    async with database.transaction(caller.organisation_id) as session:
        workflows = ClassificationWorkflows(session, caller.organisation_id)
        row = await _found(workflows, workflow_id)
        newest = await _version(workflows, row, row.latest_version)
        until = await workflows.now() if body.learn else None
        learnt = len(await workflows.learnt(row.id, until))
    definition = _changed(Definition.model_validate(newest.definition), body)
    prepared = ClassificationVersionRow(
        workflow_id=row.id,
        version=row.latest_version + 1,
        definition=definition.model_dump(mode="json"),
        note=body.note,
        learnt=learnt,
        learnt_until=until,
        calibration=calibration,
        created_by=caller.user_id,
    )
    comparison = await quality.compare(caller.organisation_id, row, prepared)
    prepared.comparison = comparison.model_dump(mode="json")
    return prepared


async def _added(
    session: AsyncSession, prepared: ClassificationVersionRow, caller: Principal, actor: Actor
) -> VersionRead:
    workflows = ClassificationWorkflows(session, caller.organisation_id)
    row = await _found(workflows, prepared.workflow_id, lock=True)
    _refuse_archived(row)
    if prepared.version != row.latest_version + 1:
        raise ConflictError("another version was made just now: look at it, then try again")
    version = await workflows.add_version(row, prepared)
    await _record(
        session, caller, actor, Action.CLASSIFICATION_VERSION_CREATED, row.id, version=version.version
    )
    return version_read(version, row.active_version)


@router.post("/{workflow_id}/versions/{version}/activate", responses=problem_responses(404, 409))
async def activate_version(
    workflow_id: WorkflowId,
    version: VersionNumber,
    caller: Writer,
    database: DatabaseDependency,
    label_sets: LabelSetsDependency,
    actor: ActorDependency,
    body: ActivateRequest | None = None,
) -> WorkflowDetail:
    """Classify with this version from now on. Refused when it is worse on the frozen set than the active one."""
    forced = body is not None and body.force
    async with database.transaction(caller.organisation_id) as session:
        workflows = ClassificationWorkflows(session, caller.organisation_id)
        row = await _found(workflows, workflow_id)
        _refuse_archived(row)
        candidate = await _version(workflows, row, version)
        if version == row.active_version:
            return await _detail(workflows, row)
    comparison = await _quality(database, label_sets).compare(caller.organisation_id, row, candidate)
    is_worse = _is_worse(comparison)
    if is_worse and not forced:
        raise ConflictError(_worse(row.active_version, version, comparison))
    async with database.transaction(caller.organisation_id) as session:
        workflows = ClassificationWorkflows(session, caller.organisation_id)
        now = await _found(workflows, workflow_id, lock=True)
        if now.active_version != row.active_version:
            raise ConflictError("another version was activated just now: look at it, then try again")
        await workflows.activate(now, version, comparison, forced=is_worse)
        await _record(
            session,
            caller,
            actor,
            Action.CLASSIFICATION_VERSION_ACTIVATED,
            workflow_id,
            version=version,
            forced=is_worse,
        )
        session.expire_all()
        return await _detail(workflows, await _found(workflows, workflow_id))


@router.post("/{workflow_id}/archive", responses=problem_responses(404))
async def archive_workflow(
    workflow_id: WorkflowId, caller: Writer, database: DatabaseDependency, actor: ActorDependency
) -> WorkflowDetail:
    """Take a workflow out of use. What it has classified stays; its name is free again."""
    async with database.transaction(caller.organisation_id) as session:
        workflows = ClassificationWorkflows(session, caller.organisation_id)
        row = await _found(workflows, workflow_id, lock=True)
        if row.archived_at is None:
            await workflows.archive(workflow_id)
            await _record(session, caller, actor, Action.CLASSIFICATION_WORKFLOW_ARCHIVED, workflow_id)
            session.expire_all()
        return await _detail(workflows, await _found(workflows, workflow_id))


@router.get("/{workflow_id}/quality", responses=problem_responses(404))
async def get_quality(
    workflow_id: WorkflowId,
    caller: Reader,
    database: DatabaseDependency,
    label_sets: LabelSetsDependency,
    version: Annotated[int | None, Query(ge=1, le=1_000_000, description="Default: the active one.")] = None,
) -> QualityRead:
    """How right and how sure a version is on the frozen set: what reviewers have answered and no version learns."""
    return await _quality(database, label_sets).quality(caller.organisation_id, workflow_id, version)


def _quality(database: Database, label_sets: LabelSets) -> ClassificationQuality:
    return ClassificationQuality(database.transaction, label_sets)


def _changed(before: Definition, body: VersionCreate) -> Definition:
    given: dict[str, Any] = {
        name: getattr(body, name)
        for name in ("stages", "region", "language", "review")
        # A null that was said takes away; there are stages always.
        if name in body.model_fields_set and (name != "stages" or body.stages is not None)
    }
    return before.model_copy(update=given)


def _is_worse(comparison: Comparison) -> bool:
    known = comparison.accuracy is not None and comparison.before is not None
    return known and (comparison.accuracy or 0.0) < (comparison.before or 0.0)


def _worse(active: int, version: int, comparison: Comparison) -> str:
    return (
        f"version {version} answers {comparison.accuracy or 0:.1%} of the {comparison.n} texts of the frozen set "
        f"right, the active version {active} {comparison.before or 0:.1%}: it stays active. "
        "Change the version, or activate it with `force`, which is recorded"
    )


def _refuse_archived(row: ClassificationWorkflowRow) -> None:
    if row.archived_at is not None:
        raise ConflictError(f"workflow {row.id} is archived: make a new one")


async def _found(
    workflows: ClassificationWorkflows, workflow_id: str, *, lock: bool = False
) -> ClassificationWorkflowRow:
    row = await workflows.get(workflow_id, lock=lock)
    if row is None:
        raise NotFoundError(
            f"no workflow {workflow_id}: check the id, or list GET /api/v1/ai/classification/workflows"
        )
    return row


async def _version(
    workflows: ClassificationWorkflows, row: ClassificationWorkflowRow, number: int
) -> ClassificationVersionRow:
    version = await workflows.version(row.id, number)
    if version is None:
        raise NotFoundError(f"workflow {row.id} has no version {number}; it has 1 to {row.latest_version}")
    return version


async def _detail(workflows: ClassificationWorkflows, row: ClassificationWorkflowRow) -> WorkflowDetail:
    (read,) = await workflows.read([row])
    versions = await workflows.versions(row.id)
    return WorkflowDetail(
        **read.model_dump(), versions=[version_read(one, row.active_version) for one in versions]
    )


async def _record(
    session: AsyncSession,
    caller: Principal,
    actor: Actor,
    action: Action,
    workflow_id: str,
    **details: int | bool,
) -> None:
    await AuditTrail(session, caller.organisation_id).record(
        action, actor, subject=Subject(type="classification_workflow", id=workflow_id), details=details
    )
