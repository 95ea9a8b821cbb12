"""`/api/v1/ai/workflows`: stored definitions, their versions, templates, and what executes them."""

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, status
from fastapi.responses import JSONResponse, Response

from api.actors import ActorDependency
from api.bodies import content_type, read_json_value
from api.dependencies import (
    ExecutionsDependency,
    OperationsDependency,
    Principal,
    WorkflowLibraryDependency,
    require,
)
from api.idempotency import IdempotencyKey, IdempotentRequest, fingerprint
from api.pagination import PageRequest, paginate
from api.problems import UnsupportedMediaTypeError, problem_responses
from api.routes.documents import answer
from api.routes.workflow_drawings import DRAWING, DrawingFormat, drawn
from api.workflow_library import NewDefinition, from_template, template_read, templates
from perdure.db.document_workflows import version_detail, version_read
from perdure.domain.ids import ID_PATTERN
from perdure.domain.workflow_schema import definition_schema
from perdure.domain.workflow_yaml import in_reading_order, read_yaml, write_yaml
from perdure.errors import MalformedRequestError
from perdure.schemas.base import Page
from perdure.schemas.document_workflows import (
    DocumentWorkflowDetail,
    DocumentWorkflowRead,
    DocumentWorkflowVersionDetail,
    DocumentWorkflowVersionRead,
    ExecutionCreate,
    Note,
    ShareCreate,
    ShareRead,
    TemplateRead,
    TemplateUse,
    ValidationRead,
    WorkflowDifference,
    WorkflowImport,
)
from perdure.schemas.operations import OperationRead

_SCHEMA_TYPE = "application/schema+json"
router = APIRouter(prefix="/api/v1/ai/workflows", tags=["document workflows"])

Reader = Annotated[Principal, require("workflows:read")]
Writer = Annotated[Principal, require("workflows:write")]
Executor = Annotated[Principal, require("workflows:execute")]
WorkflowId = Annotated[str, Path(pattern=ID_PATTERN, description="Id of a workflow, `dwf_…`.")]
VersionNumber = Annotated[int, Path(ge=1, le=1_000_000)]
VersionQuery = Annotated[int | None, Query(ge=1, le=1_000_000, description="Default: the newest.")]
NoteQuery = Annotated[Note | None, Query(description="What is new, for whoever reads the versions.")]
TemplateName = Annotated[str, Path(max_length=60, description="Such as `invoice-approval`.")]

YAML = "application/yaml"
_YAMLS = frozenset((YAML, "text/yaml", "application/x-yaml", "text/x-yaml", "text/vnd.yaml"))
_DEFINITION: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "A definition; `GET /api/v1/ai/workflows/schema` says what it may hold.",
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["name", "steps"],
                    "properties": {
                        "name": {"type": "string", "minLength": 1, "maxLength": 200},
                        "description": {"type": "string", "maxLength": 4_000},
                        "parameters": {"type": "object"},
                        "steps": {"type": "array", "minItems": 1, "items": {"type": "object"}},
                    },
                }
            },
            YAML: {"schema": {"type": "string"}},
        },
    }
}
MADE: dict[str, Any] = {
    "status_code": status.HTTP_201_CREATED,
    "response_model": DocumentWorkflowDetail,
    "responses": {
        200: {"model": DocumentWorkflowDetail, "description": "The Idempotency-Key was used before."},
        **problem_responses(404, 409, 415),
    },
}
EXPORT: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The definition, as the header `Accept` asks for it.",
        "content": {
            "application/json": {"schema": {"type": "object"}},
            YAML: {"schema": {"type": "string"}},
        },
    }
}


async def definition_in(request: Request) -> Any:
    """The definition in a body of JSON or YAML."""
    kind = content_type(request)
    if kind in _YAMLS:
        try:
            return read_yaml((await request.body()).decode("utf-8-sig"))
        except UnicodeDecodeError as error:
            raise MalformedRequestError(f"the body is not YAML in UTF-8: {error}") from error
    if kind and kind != "application/json" and not kind.endswith("+json"):
        raise UnsupportedMediaTypeError(f"send application/json or {YAML}, not {kind[:100]}")
    return await read_json_value(request)


@router.post("", **MADE, openapi_extra=_DEFINITION, operation_id="create_workflow")
async def create_workflow(
    request: Request,
    caller: Writer,
    library: WorkflowLibraryDependency,
    idempotency: IdempotentRequest,
    actor: ActorDependency,
    note: NoteQuery = None,
) -> DocumentWorkflowDetail | JSONResponse:
    """Store a definition, in JSON or YAML, as version 1. A 422 names all of its faults with their places."""
    new = NewDefinition(await definition_in(request), note, pointer="/body")
    return await library.create(caller, actor, new, idempotency=idempotency, request=await request.body())


@router.get("", responses=problem_responses(), operation_id="list_workflows")
async def list_workflows(
    caller: Reader,
    library: WorkflowLibraryDependency,
    page: PageRequest,
    archived: Annotated[bool, Query(description="Show those that are archived, too.")] = False,
) -> Page[DocumentWorkflowRead]:
    """Workflows, newest first."""
    listed = await library.list(caller, archived=archived, after=page.after, limit=page.limit + 1)
    return paginate(listed, page, read=lambda one: one, key=lambda one: one.id)


@router.post("/validate", openapi_extra=_DEFINITION, responses=problem_responses(415))
async def validate_definition(
    request: Request, caller: Reader, library: WorkflowLibraryDependency
) -> ValidationRead:
    """All that is wrong with a definition that is not stored, with JSON pointers into it."""
    return await library.validate(caller, await definition_in(request))


@router.get(
    "/schema",
    response_model=dict[str, Any],
    responses={200: {"content": {_SCHEMA_TYPE: {"schema": {"type": "object"}}}}},
    operation_id="get_workflow_schema",
)
async def get_schema(caller: Reader) -> JSONResponse:
    """The JSON Schema of definitions, for editors. It knows fields; `validate` knows the graph and expressions, too."""
    return JSONResponse(definition_schema(), media_type=_SCHEMA_TYPE)


@router.get("/templates", operation_id="list_workflow_templates")
async def list_templates(caller: Reader) -> list[TemplateRead]:
    """Workflows that are ready but for some values."""
    return list(templates())


@router.get("/templates/{template}", responses=problem_responses(404), operation_id="get_workflow_template")
async def get_template(template: TemplateName, caller: Reader) -> TemplateRead:
    """One template with its parameters."""
    return template_read(template)


@router.post("/templates/{template}", **MADE, operation_id="use_workflow_template")
async def use_template(
    template: TemplateName,
    body: TemplateUse,
    caller: Writer,
    library: WorkflowLibraryDependency,
    idempotency: IdempotentRequest,
    actor: ActorDependency,
) -> DocumentWorkflowDetail | JSONResponse:
    """Make a workflow out of a template and values for its parameters."""
    given = from_template(template, body.parameters, body.name, "/body")
    new = NewDefinition(given, template=template, pointer="/body")
    return await library.create(caller, actor, new, idempotency=idempotency, request=body)


@router.post("/import", **MADE, operation_id="import_workflow")
async def import_workflow(
    body: WorkflowImport,
    caller: Writer,
    library: WorkflowLibraryDependency,
    idempotency: IdempotentRequest,
    actor: ActorDependency,
) -> DocumentWorkflowDetail | JSONResponse:
    """Store a definition that was exported elsewhere, or the copy of one that another organisation shares by a link.

    Whom and what it names there is not here: the 422 names each place, and `replace` says what is to stand there.
    """
    new = await library.imported(body)
    return await library.create(caller, actor, new, idempotency=idempotency, request=body)


@router.get("/{document_workflow_id}", responses=problem_responses(404), operation_id="get_workflow")
async def get_workflow(
    document_workflow_id: WorkflowId, caller: Reader, library: WorkflowLibraryDependency
) -> DocumentWorkflowDetail:
    """One workflow with what its newest version says."""
    return await library.get(caller, document_workflow_id)


@router.put(
    "/{document_workflow_id}",
    openapi_extra=_DEFINITION,
    responses=problem_responses(404, 409, 415),
    operation_id="change_workflow",
)
async def put_workflow(
    document_workflow_id: WorkflowId,
    request: Request,
    caller: Writer,
    library: WorkflowLibraryDependency,
    actor: ActorDependency,
    note: NoteQuery = None,
) -> DocumentWorkflowDetail:
    """Make the next version; executions that run keep theirs. The same definition again makes none."""
    new = NewDefinition(await definition_in(request), note, pointer="/body")
    return await library.change(caller, actor, document_workflow_id, new)


@router.delete("/{document_workflow_id}", responses=problem_responses(404), operation_id="archive_workflow")
async def archive_workflow(
    document_workflow_id: WorkflowId,
    caller: Writer,
    library: WorkflowLibraryDependency,
    actor: ActorDependency,
) -> DocumentWorkflowDetail:
    """Archive: it is executed no more, what runs goes on, its versions and executions stay, its name is free again."""
    return await library.archive(caller, actor, document_workflow_id)


@router.post(
    "/{document_workflow_id}/validate",
    openapi_extra={"requestBody": _DEFINITION["requestBody"] | {"required": False}},
    responses=problem_responses(404, 415),
    operation_id="validate_workflow",
)
async def validate_workflow(
    document_workflow_id: WorkflowId,
    request: Request,
    caller: Reader,
    library: WorkflowLibraryDependency,
) -> ValidationRead:
    """All that is wrong with a definition for this workflow; without a body, with what is stored, as things stand."""
    stored = await library.version(caller, document_workflow_id)
    given = await definition_in(request) if await request.body() else stored.definition
    return await library.validate(caller, given)


@router.get(
    "/{document_workflow_id}/versions",
    responses=problem_responses(404),
    operation_id="list_workflow_versions",
)
async def list_versions(
    document_workflow_id: WorkflowId, caller: Reader, library: WorkflowLibraryDependency, page: PageRequest
) -> Page[DocumentWorkflowVersionRead]:
    """Versions, newest first."""
    listed = await library.versions(
        caller, document_workflow_id, before=page.after_number(), limit=page.limit + 1
    )
    return paginate(listed, page, read=version_read, key=lambda one: one.version)


@router.get(
    "/{document_workflow_id}/versions/{number}",
    responses=problem_responses(404),
    operation_id="get_workflow_version",
)
async def get_version(
    document_workflow_id: WorkflowId,
    number: VersionNumber,
    caller: Reader,
    library: WorkflowLibraryDependency,
) -> DocumentWorkflowVersionDetail:
    """One version with what it says."""
    return version_detail(await library.version(caller, document_workflow_id, number))


@router.get(
    "/{document_workflow_id}/diff", responses=problem_responses(404), operation_id="compare_workflow_versions"
)
async def get_difference(
    document_workflow_id: WorkflowId,
    caller: Reader,
    library: WorkflowLibraryDependency,
    before: Annotated[
        int | None,
        Query(alias="from", ge=1, le=1_000_000, description="Default: the version before `to`."),
    ] = None,
    after: Annotated[
        int | None, Query(alias="to", ge=1, le=1_000_000, description="Default: the newest.")
    ] = None,
) -> WorkflowDifference:
    """What is different between two versions, step by step: steps keep their ids when others come before them."""
    return await library.compare(caller, document_workflow_id, before, after)


@router.get(
    "/{document_workflow_id}/diagram",
    response_class=Response,
    responses={**DRAWING, **problem_responses(404)},
    operation_id="get_workflow_diagram",
)
async def get_diagram(
    document_workflow_id: WorkflowId,
    caller: Reader,
    library: WorkflowLibraryDependency,
    version: VersionQuery = None,
    format: DrawingFormat = "svg",
) -> Response:
    """A version as a drawing."""
    return await drawn((await library.version(caller, document_workflow_id, version)).definition, format)


@router.get(
    "/{document_workflow_id}/export",
    response_class=Response,
    responses={**EXPORT, **problem_responses(404)},
    operation_id="export_workflow",
)
async def export_workflow(
    document_workflow_id: WorkflowId,
    request: Request,
    caller: Reader,
    library: WorkflowLibraryDependency,
    version: VersionQuery = None,
) -> Response:
    """A version's definition as a file: YAML with `Accept: application/yaml`, else JSON."""
    found = await library.version(caller, document_workflow_id, version)
    definition = in_reading_order(found.definition)
    name = f"{document_workflow_id}-v{found.version}"
    if any(kind in request.headers.get("accept", "") for kind in _YAMLS):
        return _file(Response(write_yaml(definition), media_type=YAML), f"{name}.yaml")
    return _file(JSONResponse(definition), f"{name}.json")


@router.post(
    "/{document_workflow_id}/share",
    status_code=status.HTTP_201_CREATED,
    responses=problem_responses(404, 409),
    operation_id="share_workflow",
)
async def share_workflow(
    document_workflow_id: WorkflowId,
    body: ShareCreate,
    request: Request,
    caller: Writer,
    library: WorkflowLibraryDependency,
    actor: ActorDependency,
) -> ShareRead:
    """A signed link to a version. Whoever has it may copy that until it expires, or the workflow is archived."""
    return await library.share(
        caller,
        actor,
        document_workflow_id,
        version=body.version,
        lifetime=timedelta(hours=body.expires_in_hours),
        base_url=str(request.base_url),
    )


@router.post(
    "/{document_workflow_id}/execute",
    status_code=status.HTTP_202_ACCEPTED,
    response_model=OperationRead,
    responses={
        200: {"model": OperationRead, "description": "The Idempotency-Key was used before."},
        **problem_responses(404, 409),
    },
    operation_id="execute_workflow",
)
async def execute_workflow(
    document_workflow_id: WorkflowId,
    body: ExecutionCreate,
    request: Request,
    response: Response,
    caller: Executor,
    key: IdempotencyKey,
    executions: ExecutionsDependency,
    operations: OperationsDependency,
    actor: ActorDependency,
) -> OperationRead:
    """Execute the newest version, or another, on a document, on many, or on an input alone.

    On many documents the operation is a batch: each document has an execution and an operation of its own, a few of
    which run at once.
    """
    sha256 = fingerprint(request.method, request.url.path, body)
    accepted = await executions.execute(
        caller, actor, document_workflow_id, body, key=key, request_sha256=sha256
    )
    return answer(response, accepted)


def _file(response: Response, name: str) -> Response:
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
