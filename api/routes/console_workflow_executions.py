"""Console: executions of document workflows: start them, see what their steps do, and steer them."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from starlette.datastructures import FormData
from starlette.responses import Response

from api.actors import ActorDependency
from api.dependencies import (
    ExecutionsDependency,
    OperationsDependency,
    Principal,
    WorkflowLibraryDependency,
    require,
)
from api.pagination import decode_cursor, encode_cursor
from api.routes.console_classification_forms import FormError
from api.routes.console_offers import offered_documents
from api.routes.console_operations import Verb, steered
from api.routes.console_pages import (
    PAGE_SIZE,
    ConsoleRoute,
    Pages,
    Shown,
    is_partial,
    query_string,
    replacing,
    said_of,
)
from api.routes.console_words import OPERATION_LOOKS
from api.routes.console_workflow_text import understood
from api.routes.console_workflow_views import (
    ExecutionView,
    execution_diagram,
    parameter_fields,
    parameters_given,
    shown_json,
    step_views,
)
from api.routes.console_workflows import FAULTS, WorkflowId, texts_of
from api.routes.workflow_executions import ExecutionId
from api.workflow_library import WorkflowLibrary
from perdure.db.console_repository import ConsoleRepository
from perdure.db.document_workflows import parameters_of
from perdure.db.operation_repository import OperationRepository
from perdure.domain.workflow_reading import draft
from perdure.errors import NotFoundError
from perdure.schemas.document_workflows import ExecutionCreate, ExecutionFilter
from perdure.schemas.operations import OperationStatus

router = APIRouter(prefix="/workflows", route_class=ConsoleRoute, include_in_schema=False)

Reader = Annotated[Principal, require("workflows:read")]
Executor = Annotated[Principal, require("workflows:execute")]
IdField = Annotated[str, Query(max_length=200)]
CursorField = Annotated[str, Query(max_length=512)]
VersionField = Annotated[int | None, Query(ge=1, le=1_000_000)]

# As many workflows and documents as a form offers.
_OFFERED = 200
_OFFERED_DOCUMENTS = 50


@router.get("/executions")
async def show_executions(
    *,
    pages: Shown,
    caller: Reader,
    library: WorkflowLibraryDependency,
    executions: ExecutionsDependency,
    workflow_id: IdField = "",
    status: OperationStatus | Literal[""] = "",
    batch_id: IdField = "",
    cursor: CursorField = "",
) -> Response:
    """Executions, newest first; while some are open, the page asks again for this."""
    shown = {"workflow_id": workflow_id, "status": str(status), "batch_id": batch_id}
    wanted = ExecutionFilter(
        workflow_id=workflow_id or None, status=status or None, batch_id=batch_id or None
    )
    found = await executions.list(
        caller, wanted, after=decode_cursor(cursor) if cursor else None, limit=PAGE_SIZE + 1
    )
    workflows = await library.list(caller, archived=True, limit=_OFFERED)
    titles = await _titles(pages, caller, [one.document_id for one in found[:PAGE_SIZE]])
    views = [ExecutionView(one, titles.get(one.document_id or "")) for one in found[:PAGE_SIZE]]
    following = encode_cursor(views[-1].read.id) if len(found) > PAGE_SIZE else ""
    here = "/workflows/executions"
    return await pages.inside(
        "workflow_executions.html",
        caller,
        "workflows",
        tab="executions",
        views=views,
        filter=wanted,
        workflows={one.id: one.name for one in workflows},
        status_labels={name: look.label for name, look in OPERATION_LOOKS.items()},
        query=query_string(**shown, cursor=cursor),
        first_url=here + query_string(**shown),
        next_url=here + query_string(**shown, cursor=following) if following else None,
        is_first_page=not cursor,
        is_filtered=any(shown.values()) or bool(cursor),
        live=any(view.is_open for view in views),
    )


async def _titles(pages: Pages, caller: Principal, ids: Sequence[str | None]) -> dict[str, str]:
    async with pages.database.transaction(caller.organisation_id) as session:
        return await ConsoleRepository(session).document_titles([one for one in ids if one])


@router.get("/executions/of/{operation_id}")
async def show_execution_of(
    operation_id: str, pages: Shown, caller: Reader, executions: ExecutionsDependency
) -> Response:
    """The execution that an operation is."""
    found = await executions.of_operation(caller, operation_id)
    if found is None:
        raise NotFoundError("There is no such execution in this organisation; go back to the list.")
    return pages.redirect(f"/workflows/executions/{found.id}")


@router.get("/executions/{execution_id}")
async def show_execution(
    execution_id: ExecutionId,
    request: Request,
    pages: Shown,
    caller: Reader,
    executions: ExecutionsDependency,
) -> Response:
    """One execution; while it is open, the events of its operation make the page ask again for this."""
    # Before its steps are read: what happens in between makes the page ask once more.
    operation_id = await executions.operation_id(caller, execution_id)
    async with pages.database.transaction(caller.organisation_id) as session:
        row = await OperationRepository(session).get(operation_id)
    read = await executions.get(caller, execution_id)
    definition = draft(await executions.definition(caller, execution_id))
    titles = await _titles(pages, caller, [read.document_id])
    steps = step_views(definition, read.steps)
    view = ExecutionView(read, titles.get(read.document_id or ""))
    told = {name: value for name, value in _given(read.parameters, read.input).items() if value}
    context: dict[str, Any] = {
        "view": view,
        "revision": row.revision if row else 0,
        "steps": steps,
        "drawing": execution_diagram(definition, steps),
        "given": shown_json(told) if told else None,
        "outputs": shown_json(read.outputs) if read.outputs else None,
    }
    if not is_partial(request):
        return await pages.inside("workflow_execution.html", caller, "workflows", tab="executions", **context)
    # When it has ended, the part around it goes too, and with it the stream of events.
    return await pages.inside(
        "partials/workflow_execution_live.html",
        caller,
        "workflows",
        headers={} if view.is_open else replacing("execution-live"),
        **context,
    )


def _given(parameters: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    return {"parameters": parameters, "input": given}


@router.post("/executions/{execution_id}/{verb}")
async def steer_execution(
    *,
    execution_id: ExecutionId,
    verb: Verb,
    pages: Shown,
    caller: Executor,
    executions: ExecutionsDependency,
    operations: OperationsDependency,
    actor: ActorDependency,
) -> Response:
    """Pause, resume, cancel or retry, by the functions that the API calls."""
    operation_id = await executions.operation_id(caller, execution_id)
    page = f"/workflows/executions/{execution_id}"
    return await steered(pages, caller, operations, operation_id, verb, actor, page)


# Starting


@router.get("/{document_workflow_id}/execute")
async def show_execute(
    workflow_id: WorkflowId,
    pages: Shown,
    caller: Executor,
    library: WorkflowLibraryDependency,
    version: VersionField = None,
    document_id: IdField = "",
) -> Response:
    """The form: on which documents, with which values."""
    chosen = [document_id] if document_id else []
    return await _execute_page(pages, caller, library, workflow_id, version, chosen)


async def _execute_page(
    pages: Pages,
    caller: Principal,
    library: WorkflowLibrary,
    workflow_id: str,
    version: int | None,
    chosen: Sequence[str],
    form: FormData | None = None,
    error: Exception | None = None,
) -> Response:
    workflow = await library.get(caller, workflow_id)
    shown = await library.version(caller, workflow_id, version)
    parameters = parameters_of(shown.definition)
    given = texts_of(form)
    return await pages.inside(
        "workflow_execute.html",
        caller,
        "workflows",
        http_status=422 if error else 200,
        tab="workflows",
        workflow=workflow,
        version=shown.version,
        documents=await offered_documents(pages, caller, _OFFERED_DOCUMENTS, chosen),
        chosen=chosen,
        fields=parameters_given(parameters, given, error)[1] if form else parameter_fields(parameters),
        input=given.get("input", ""),
        fault=said_of(error) if error else None,
    )


@router.post("/{document_workflow_id}/execute")
async def execute(
    *,
    workflow_id: WorkflowId,
    request: Request,
    pages: Shown,
    caller: Executor,
    library: WorkflowLibraryDependency,
    executions: ExecutionsDependency,
    actor: ActorDependency,
) -> Response:
    """Start, and go to where one sees how it is doing."""
    form = await request.form()
    chosen = [str(id_) for id_ in form.getlist("document_id") if str(id_).strip()]
    version = _number(str(form.get("version", "")))
    shown = await library.version(caller, workflow_id, version)
    try:
        values, _ = parameters_given(parameters_of(shown.definition), texts_of(form))
        body = ExecutionCreate(
            document_id=chosen[0] if len(chosen) == 1 else None,
            document_ids=chosen if len(chosen) > 1 else None,
            parameters=values,
            input=_input_of(str(form.get("input", ""))),
            version=shown.version,
        )
        accepted = await executions.execute(caller, actor, workflow_id, body)
    except FAULTS as error:
        return await _execute_page(pages, caller, library, workflow_id, version, chosen, form, error)
    if body.document_ids is not None:
        batch = query_string(batch_id=accepted.operation.id)
        return pages.redirect(f"/workflows/executions{batch}", "execution-started")
    return pages.redirect(f"/workflows/executions/of/{accepted.operation.id}")


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and 0 < int(text[:7]) <= 1_000_000 else None


def _input_of(text: str) -> dict[str, Any]:
    """The input as JSON or YAML; none when nothing is written."""
    if not text.strip():
        return {}
    value, faults = understood(text)
    if faults or not isinstance(value, dict):
        detail = faults[0].detail if faults else 'must be an object such as {"customer": "ACME"}'
        raise FormError(f"The input: {detail}.")
    return value
