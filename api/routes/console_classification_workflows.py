"""Console: classification workflows, their versions, and how good they are."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api.actors import ActorDependency
from api.dependencies import LabelSetsDependency, Principal
from api.pagination import PageParameters, decode_cursor
from api.routes import classification_workflows
from api.routes.classification_workflows import VersionNumber, WorkflowId
from api.routes.console_charts import percent
from api.routes.console_classification import FAULTS, CursorField, Reader, Writer
from api.routes.console_classification_forms import (
    FormError,
    Values,
    review_of,
    stages_of,
    values_of,
    values_of_version,
)
from api.routes.console_classification_views import (
    BELOWS,
    PROVIDERS,
    STAGES,
    WorkflowVersionView,
)
from api.routes.console_pages import PAGE_SIZE, ConsoleRoute, Pages, Shown, query_string, said_of
from api.routes.console_quality_charts import choice, reliability_diagram, risk_coverage_curve, thinned
from perdure.db.label_sets import LabelSets
from perdure.errors import ConflictError
from perdure.schemas.classification import (
    ActivateRequest,
    Below,
    QualityRead,
    Stage,
    StageGiven,
    VersionCreate,
    VersionRead,
    WorkflowCreate,
    WorkflowDetail,
)

router = APIRouter(prefix="/classification/workflows", route_class=ConsoleRoute, include_in_schema=False)

_OTHERS = {stage.value: words for stage, words in STAGES.items() if stage is not Stage.CATEGORY}
# What a form offers; a workflow with several category stages is made by the API.
_BELOWS = {below.value: words for below, words in BELOWS.items() if below is not Below.NEXT_STAGE}
_DEFAULT_TARGET = 95


@router.get("")
async def show_workflows(
    pages: Shown,
    caller: Reader,
    archived: Annotated[str, Query(max_length=10)] = "",
    cursor: CursorField = "",
) -> Response:
    """All workflows, newest first."""
    page = PageParameters(after=decode_cursor(cursor) if cursor else None, limit=PAGE_SIZE)
    with_archived = archived == "true"
    listed = await classification_workflows.list_workflows(
        caller, pages.database, page, archived=with_archived
    )
    shown = {"archived": "true" if with_archived else ""}
    here = "/classification/workflows"
    return await pages.inside(
        "classification_workflows.html",
        caller,
        "classification",
        tab="workflows",
        fault=None,
        workflows=listed.items,
        archived=with_archived,
        first_url=here + query_string(**shown),
        next_url=here + query_string(**shown, cursor=listed.next_cursor) if listed.next_cursor else None,
        is_first_page=not cursor,
    )


async def _form_page(
    pages: Pages,
    caller: Principal,
    values: Values,
    workflow: WorkflowDetail | None = None,
    fault: str | None = None,
) -> Response:
    below = {values.below: BELOWS[Below(values.below)]} if values.below in set(Below) else {}
    return await pages.inside(
        "classification_workflow_form.html",
        caller,
        "classification",
        http_status=422 if fault else 200,
        tab="workflows",
        workflow=workflow,
        values=values,
        others=_OTHERS,
        belows=_BELOWS | below,
        providers=PROVIDERS,
        fault=fault,
    )


@router.get("/new")
async def show_new(pages: Shown, caller: Writer) -> Response:
    """The form for a workflow."""
    return await _form_page(pages, caller, Values())


@router.post("/new")
async def create(request: Request, pages: Shown, caller: Writer, actor: ActorDependency) -> Response:
    """Create a workflow, and go to it."""
    values = values_of(await request.form())
    try:
        body = WorkflowCreate(
            name=values.name,
            description=values.description,
            stages=stages_of(values),
            region=values.region or None,
            review=review_of(values),
        )
        created = await classification_workflows.create_workflow(body, caller, pages.database, actor)
    except FAULTS as error:
        return await _form_page(pages, caller, values, fault=said_of(error))
    return pages.redirect(f"/classification/workflows/{created.id}", "workflow-created")


@router.get("/{workflow_id}")
async def show_workflow(workflow_id: WorkflowId, pages: Shown, caller: Reader) -> Response:
    """A workflow and its versions."""
    return await _workflow_page(pages, caller, workflow_id)


async def _workflow_page(
    pages: Pages, caller: Principal, workflow_id: str, *, refused: int | None = None, fault: str | None = None
) -> Response:
    workflow = await classification_workflows.get_workflow(workflow_id, caller, pages.database)
    views = [WorkflowVersionView(version) for version in workflow.versions]
    return await pages.inside(
        "classification_workflow.html",
        caller,
        "classification",
        http_status=409 if fault else 200,
        tab="workflows",
        workflow=workflow,
        active=WorkflowVersionView(_active(workflow)),
        versions=views,
        refused=next((view.version for view in views if view.version.version == refused), None),
        fault=fault,
    )


def _active(workflow: WorkflowDetail) -> VersionRead:
    return next(version for version in workflow.versions if version.is_active)


def _newest(workflow: WorkflowDetail) -> VersionRead:
    return max(workflow.versions, key=lambda version: version.version)


@router.get("/{workflow_id}/edit")
async def show_edit(workflow_id: WorkflowId, pages: Shown, caller: Writer) -> Response:
    """The form for a new version, with what the newest one says."""
    workflow = await classification_workflows.get_workflow(workflow_id, caller, pages.database)
    return await _form_page(pages, caller, values_of_version(_newest(workflow)), workflow)


@router.post("/{workflow_id}/edit")
async def make_version(
    workflow_id: WorkflowId,
    request: Request,
    pages: Shown,
    caller: Writer,
    label_sets: LabelSetsDependency,
    actor: ActorDependency,
) -> Response:
    """Make a new version, and go back to the workflow, where it can be activated."""
    values = values_of(await request.form())
    workflow = await classification_workflows.get_workflow(workflow_id, caller, pages.database)
    newest = _newest(workflow)
    try:
        body = VersionCreate(
            stages=stages_of(values, newest.stages),
            region=values.region or None,
            language=newest.language,
            review=review_of(values),
            learn=values.learn,
            note=values.note or None,
        )
        made = await classification_workflows.create_version(
            workflow_id, body, caller, pages.database, label_sets, actor
        )
    except FAULTS as error:
        return await _form_page(pages, caller, values, workflow, said_of(error))
    return pages.redirect(f"/classification/workflows/{workflow_id}", _notice(made))


def _notice(made: VersionRead) -> str:
    return "version-active" if made.is_active else "version-made"


@router.post("/{workflow_id}/archive")
async def archive(workflow_id: WorkflowId, pages: Shown, caller: Writer, actor: ActorDependency) -> Response:
    """Take a workflow out of use."""
    await classification_workflows.archive_workflow(workflow_id, caller, pages.database, actor)
    return pages.redirect("/classification/workflows", "archived")


@router.post("/{workflow_id}/versions/{version}/activate")
async def activate(
    workflow_id: WorkflowId,
    version: VersionNumber,
    request: Request,
    pages: Shown,
    caller: Writer,
    label_sets: LabelSetsDependency,
    actor: ActorDependency,
) -> Response:
    """Use a version from now on. One that is worse is refused with the figures, and activated when they insist."""
    form = await request.form()
    body = ActivateRequest(force=form.get("force") == "true")
    try:
        await classification_workflows.activate_version(
            workflow_id, version, caller, pages.database, label_sets, actor, body
        )
    except ConflictError as error:
        return await _workflow_page(pages, caller, workflow_id, refused=version, fault=said_of(error))
    return pages.redirect(f"/classification/workflows/{workflow_id}", "version-active")


@router.get("/{workflow_id}/quality")
async def show_quality(
    workflow_id: WorkflowId,
    pages: Shown,
    caller: Reader,
    label_sets: LabelSetsDependency,
    target: Annotated[int | None, Query(ge=50, le=99)] = None,
) -> Response:
    """How good the active version is, and what a target would mean."""
    return await _quality_page(pages, caller, label_sets, workflow_id, target)


async def _quality_page(
    pages: Pages,
    caller: Principal,
    label_sets: LabelSets,
    workflow_id: str,
    target: int | None,
    fault: str | None = None,
) -> Response:
    workflow = await classification_workflows.get_workflow(workflow_id, caller, pages.database)
    quality = await classification_workflows.get_quality(workflow_id, caller, pages.database, label_sets)
    own = round(100 * quality.target_accuracy) if quality.target_accuracy else _DEFAULT_TARGET
    wanted = target if target is not None else min(99, max(50, own))
    chosen = choice(quality.risk_coverage, wanted / 100)
    return await pages.inside(
        "classification_quality.html",
        caller,
        "classification",
        http_status=422 if fault else 200,
        tab="workflows",
        workflow=workflow,
        quality=quality,
        target=wanted,
        chosen=chosen,
        coverage=thinned(quality.risk_coverage),
        coverage_chart=risk_coverage_curve(quality.risk_coverage, chosen),
        reliability_chart=reliability_diagram(quality.reliability),
        history=[WorkflowVersionView(version) for version in quality.history],
        fault=fault,
        **_figures(quality),
    )


def _figures(quality: QualityRead) -> dict[str, Any]:
    low, high = quality.accuracy_low, quality.accuracy_high
    has_interval = low is not None and high is not None
    return {
        "accuracy": percent(quality.accuracy) if quality.accuracy is not None else None,
        "interval": f"{percent(low or 0)} to {percent(high or 0)} in 95 of 100 cases"
        if has_interval
        else None,
        "ece": f"{100 * quality.ece:.1f} %" if quality.ece is not None else None,
        "automatic": percent(quality.automatic_share) if quality.automatic_share is not None else None,
        "is_one_sided": quality.n_sure < quality.n * (quality.automatic_share or 0.0) / 2,
    }


@router.post("/{workflow_id}/target")
async def aim(
    workflow_id: WorkflowId,
    request: Request,
    pages: Shown,
    caller: Writer,
    label_sets: LabelSetsDependency,
    actor: ActorDependency,
) -> Response:
    """Make a version that differs in its target accuracy alone."""
    form = await request.form()
    workflow = await classification_workflows.get_workflow(workflow_id, caller, pages.database)
    active = _active(workflow)
    try:
        target = _target(str(form.get("target", "")))
        body = VersionCreate(
            stages=_aimed(active.stages, target / 100),
            region=active.region,
            language=active.language,
            review=active.review,
            learn=False,
            note=f"Target accuracy {target} %",
        )
        made = await classification_workflows.create_version(
            workflow_id, body, caller, pages.database, label_sets, actor
        )
    except FAULTS as error:
        return await _quality_page(pages, caller, label_sets, workflow_id, None, said_of(error))
    return pages.redirect(f"/classification/workflows/{workflow_id}", _notice(made))


def _target(given: str) -> int:
    if not (given.isascii() and given.isdigit() and 50 <= int(given[:3]) <= 99):
        raise FormError("Give a target between 50 and 99 per cent.")
    return int(given[:3])


def _aimed(stages: list[StageGiven], target: float) -> list[StageGiven]:
    """The same stages; the first category has the target in place of its rule."""
    aimed: list[StageGiven] = []
    for stage in stages:
        is_first = stage.task is Stage.CATEGORY and not any(one.task is Stage.CATEGORY for one in aimed)
        update: dict[str, Any] = {"threshold": None, "target_accuracy": target}
        aimed.append(stage.model_copy(update=update) if is_first else stage)
    return aimed
