"""Console: document workflows, templates, versions and what changed between them, and links to share."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import ValidationError
from starlette.datastructures import FormData
from starlette.responses import JSONResponse, Response

from api.actors import ActorDependency
from api.dependencies import Principal, WorkflowLibraryDependency, require
from api.pagination import decode_cursor, encode_cursor
from api.routes.console_pages import PAGE_SIZE, ConsoleRoute, Pages, Shown, query_string, said_of
from api.routes.console_rendering import HEADERS
from api.routes.console_workflow_text import (
    TextFormat,
    excerpt,
    format_of,
    placed,
    understood,
    written,
)
from api.routes.console_workflow_views import (
    EXPIRIES,
    ChangeView,
    definition_steps,
    drawn,
    parameter_fields,
    parameters_given,
)
from api.routes.document_workflows import TemplateName
from api.workflow_library import (
    NewDefinition,
    WorkflowLibrary,
    from_template,
    template_read,
    templates,
)
from perdure.db.document_workflows import count_steps, version_detail, version_read
from perdure.domain.audit import Actor
from perdure.domain.ids import ID_PATTERN
from perdure.domain.workflow_reading import draft
from perdure.domain.workflow_yaml import MAX_CHARACTERS
from perdure.errors import (
    ConflictError,
    FieldError,
    InvalidInputError,
    NotFoundError,
    PermissionDeniedError,
)
from perdure.schemas.document_workflows import (
    DocumentWorkflowDetail,
    ShareCreate,
    ShareRead,
    TemplateUse,
)

router = APIRouter(prefix="/workflows", route_class=ConsoleRoute, include_in_schema=False)

Reader = Annotated[Principal, require("workflows:read")]
Writer = Annotated[Principal, require("workflows:write")]
WorkflowId = Annotated[str, Path(alias="document_workflow_id", pattern=ID_PATTERN)]
VersionNumber = Annotated[int, Path(alias="number", ge=1, le=1_000_000)]
CursorField = Annotated[str, Query(max_length=512)]
VersionField = Annotated[int | None, Query(ge=1, le=1_000_000)]

# What a form may get wrong; the rest is an error page.
FAULTS = (ValidationError, InvalidInputError, ConflictError, NotFoundError, PermissionDeniedError)

NOT_SAVED = "It was not saved: it has faults."
# With what a new workflow begins.
FIRST_STEPS: Mapping[str, Any] = {
    "name": "Incoming letters",
    "description": "Say what a document is, and remember it.",
    "steps": [
        {
            "id": "classify",
            "type": "classification",
            "with": {"labels": ["invoice", "complaint", "something else"]},
        },
        {
            "id": "keep",
            "type": "remember",
            "needs": ["classify"],
            "when": "steps.classify.sure",
            "with": {"text": "${document.title} is: ${steps.classify.label}"},
        },
    ],
}


@router.get("")
async def show_workflows(
    pages: Shown,
    caller: Reader,
    library: WorkflowLibraryDependency,
    archived: Annotated[str, Query(max_length=10)] = "",
    cursor: CursorField = "",
) -> Response:
    """All workflows, newest first."""
    with_archived = archived == "true"
    listed = await library.list(
        caller,
        archived=with_archived,
        after=decode_cursor(cursor) if cursor else None,
        limit=PAGE_SIZE + 1,
    )
    shown = {"archived": "true" if with_archived else ""}
    following = encode_cursor(listed[PAGE_SIZE - 1].id) if len(listed) > PAGE_SIZE else ""
    return await pages.inside(
        "workflows.html",
        caller,
        "workflows",
        tab="workflows",
        workflows=listed[:PAGE_SIZE],
        archived=with_archived,
        first_url="/workflows" + query_string(**shown),
        next_url="/workflows" + query_string(**shown, cursor=following) if following else None,
        is_first_page=not cursor,
    )


# Templates


@router.get("/templates")
async def show_templates(pages: Shown, caller: Reader) -> Response:
    """What a workflow can begin with."""
    return await pages.inside(
        "workflow_templates.html", caller, "workflows", tab="templates", templates=templates()
    )


@router.get("/templates/{name}")
async def show_template(name: TemplateName, pages: Shown, caller: Reader) -> Response:
    """One template, and the values that it asks for."""
    return await _template_page(pages, caller, name)


async def _template_page(
    pages: Pages, caller: Principal, name: str, form: FormData | None = None, error: Exception | None = None
) -> Response:
    template = template_read(name)
    fields = (
        parameters_given(template.parameters, texts_of(form), error)[1]
        if form
        else parameter_fields(template.parameters)
    )
    definition = draft(template.definition)
    return await pages.inside(
        "workflow_template.html",
        caller,
        "workflows",
        http_status=422 if error else 200,
        tab="templates",
        template=template,
        name=texts_of(form).get("name", template.title),
        fields=fields,
        steps=definition_steps(definition.steps),
        drawing=drawn(definition),
        fault=said_of(error) if error else None,
    )


def texts_of(form: FormData | None) -> dict[str, str]:
    """The fields of a form; the last of several of a name."""
    return {key: str(value) for key, value in form.items()} if form else {}


@router.post("/templates/{name}")
async def use_template(
    name: TemplateName,
    request: Request,
    pages: Shown,
    caller: Writer,
    library: WorkflowLibraryDependency,
    actor: ActorDependency,
) -> Response:
    """Make a workflow of a template, and go to it."""
    form = await request.form()
    values, _ = parameters_given(template_read(name).parameters, texts_of(form))
    try:
        body = TemplateUse(name=str(form.get("name", "")), parameters=values)
        new = NewDefinition(from_template(name, body.parameters, body.name, ""), template=name)
        return await _created(pages, caller, library, actor, new)
    except FAULTS as error:
        return await _template_page(pages, caller, name, form, error)


async def _created(
    pages: Pages, caller: Principal, library: WorkflowLibrary, actor: Actor, new: NewDefinition
) -> Response:
    made = await library.create(caller, actor, new)
    assert not isinstance(made, JSONResponse)  # noqa: S101  # only an Idempotency-Key is answered so
    return pages.redirect(f"/workflows/{made.id}", "workflow-created")


# The text of a definition


async def _form_page(
    pages: Pages,
    caller: Principal,
    library: WorkflowLibrary,
    text: str,
    *,
    workflow: DocumentWorkflowDetail | None = None,
    note: str = "",
    fault: str | None = None,
) -> Response:
    format_ = format_of(text)
    other = TextFormat.YAML if format_ is TextFormat.JSON else TextFormat.JSON
    return await pages.inside(
        "workflow_form.html",
        caller,
        "workflows",
        http_status=422 if fault else 200,
        tab="workflows",
        workflow=workflow,
        text=text,
        format=format_.value,
        other_format=other.value,
        note=note,
        most=MAX_CHARACTERS,
        fault=fault,
        **await _preview(caller, library, text),
    )


async def _preview(caller: Principal, library: WorkflowLibrary, text: str) -> dict[str, Any]:
    """What a text says: its diagram as far as it can be read, and all that is wrong with it at its lines."""
    value, faults = understood(text)
    if not faults:
        faults = placed(text, await _errors(caller, library, value))
    definition = draft(value)
    return {
        "faults": faults,
        "lines": excerpt(text, faults),
        "drawing": drawn(definition) if definition.steps else None,
        "step_count": count_steps(definition.steps),
    }


async def _errors(caller: Principal, library: WorkflowLibrary, value: Any) -> list[FieldError]:
    try:
        found = await library.validate(caller, value)
    except InvalidInputError as error:
        return list(error.errors) or [FieldError("", str(error))]
    return [FieldError(fault.pointer, fault.detail) for fault in found.faults]


@router.post("/preview")
async def preview(
    request: Request, pages: Shown, caller: Writer, library: WorkflowLibraryDependency
) -> Response:
    """The same while somebody writes."""
    context = await _preview(caller, library, _text_of(await request.form()))
    return await pages.inside("partials/workflow_preview.html", caller, "workflows", **context)


def _text_of(form: FormData) -> str:
    """The text of a form, with the ends of lines as people wrote them: forms send two characters."""
    return str(form.get("text", "")).replace("\r\n", "\n")


def _converted(form: FormData) -> str:
    """The text in the format that was asked for; what cannot be read stays as it is."""
    text = _text_of(form)
    value, faults = understood(text)
    if faults or not isinstance(value, Mapping):
        return text
    return written(value, TextFormat(str(form["convert"])))


@router.get("/new")
async def show_new(pages: Shown, caller: Writer, library: WorkflowLibraryDependency) -> Response:
    """The form for a workflow."""
    return await _form_page(pages, caller, library, written(FIRST_STEPS, TextFormat.YAML))


@router.post("/new")
async def create(
    request: Request,
    pages: Shown,
    caller: Writer,
    library: WorkflowLibraryDependency,
    actor: ActorDependency,
) -> Response:
    """Create a workflow, and go to it."""

    async def save(value: Any) -> Response:
        return await _created(pages, caller, library, actor, NewDefinition(value))

    return await _saved(pages, caller, library, await request.form(), save)


async def _saved(
    pages: Pages,
    caller: Principal,
    library: WorkflowLibrary,
    form: FormData,
    save: Callable[[Any], Awaitable[Response]],
    **shown: Any,
) -> Response:
    """Save what a form says, or show it again: in the other format that was asked for, or with its faults."""
    if form.get("convert") in set(TextFormat):
        return await _form_page(pages, caller, library, _converted(form), **shown)
    text = _text_of(form)
    value, faults = understood(text)
    if faults:
        return await _form_page(pages, caller, library, text, **shown, fault=NOT_SAVED)
    try:
        return await save(value)
    except FAULTS as error:
        return await _form_page(pages, caller, library, text, **shown, fault=_fault_of_text(error))


def _fault_of_text(error: Exception) -> str:
    """What stands above a text: its faults are told beside it."""
    return NOT_SAVED if isinstance(error, InvalidInputError) and error.errors else said_of(error)


@router.get("/import")
async def show_import(
    pages: Shown, caller: Writer, link: Annotated[str, Query(max_length=4_000)] = ""
) -> Response:
    """The form for a definition that somebody shared; where a shared link leads."""
    return await _import_page(pages, caller, link)


async def _import_page(
    pages: Pages, caller: Principal, link: str, name: str = "", fault: str | None = None
) -> Response:
    return await pages.inside(
        "workflow_import.html",
        caller,
        "workflows",
        http_status=422 if fault else 200,
        tab="workflows",
        link=link,
        name=name,
        fault=fault,
    )


@router.post("/import")
async def import_shared(
    request: Request,
    pages: Shown,
    caller: Writer,
    library: WorkflowLibraryDependency,
    actor: ActorDependency,
) -> Response:
    """Copy a shared definition, and go to it; what it names that is not here is mended in its text."""
    form = await request.form()
    link, name = str(form.get("link", "")).strip(), str(form.get("name", "")).strip()
    if not link:
        return await _import_page(pages, caller, link, name, "Give the link that somebody shared.")
    try:
        definition = await library.shared(link)
    except FAULTS as error:
        return await _import_page(pages, caller, link, name, said_of(error))
    if name:
        definition["name"] = name[:200]
    try:
        return await _created(pages, caller, library, actor, NewDefinition(definition))
    except ConflictError as error:
        return await _import_page(pages, caller, link, name, said_of(error))
    except InvalidInputError:
        text = written(definition, TextFormat.YAML)
        fault = "It names what is not in your organisation. Mend that, and create it."
        return await _form_page(pages, caller, library, text, fault=fault)


# One workflow


@router.get("/{document_workflow_id}")
async def show_workflow(
    workflow_id: WorkflowId,
    pages: Shown,
    caller: Reader,
    library: WorkflowLibraryDependency,
    before: VersionField = None,
) -> Response:
    """A workflow by its newest version."""
    return await _workflow_page(pages, caller, library, workflow_id, before=before)


@router.get("/{document_workflow_id}/versions/{number}")
async def show_version(
    workflow_id: WorkflowId,
    version: VersionNumber,
    pages: Shown,
    caller: Reader,
    library: WorkflowLibraryDependency,
) -> Response:
    """A workflow by one of its versions."""
    return await _workflow_page(pages, caller, library, workflow_id, version)


async def _workflow_page(
    pages: Pages,
    caller: Principal,
    library: WorkflowLibrary,
    workflow_id: str,
    version: int | None = None,
    *,
    before: int | None = None,
    shared: ShareRead | None = None,
    fault: str | None = None,
) -> Response:
    workflow = await library.get(caller, workflow_id)
    shown = version_detail(await library.version(caller, workflow_id, version))
    versions = await library.versions(caller, workflow_id, before=before, limit=PAGE_SIZE + 1)
    older = versions[PAGE_SIZE - 1].version if len(versions) > PAGE_SIZE else None
    definition = draft(shown.definition)
    return await pages.inside(
        "workflow.html",
        caller,
        "workflows",
        http_status=422 if fault else 200,
        tab="workflows",
        workflow=workflow,
        shown=shown,
        versions=[version_read(row) for row in versions[:PAGE_SIZE]],
        older_url=f"/workflows/{workflow_id}?before={older}#versions" if older else None,
        steps=definition_steps(definition.steps),
        drawing=drawn(definition),
        text=written(shown.definition, TextFormat.YAML),
        shared=shared,
        expiries=EXPIRIES,
        fault=fault,
    )


@router.get("/{document_workflow_id}/download")
async def download(
    workflow_id: WorkflowId,
    caller: Reader,
    library: WorkflowLibraryDependency,
    file_format: Annotated[TextFormat, Query(alias="format")] = TextFormat.YAML,
    version: VersionField = None,
) -> Response:
    """A version as a file."""
    found = await library.version(caller, workflow_id, version)
    name = f"{workflow_id}-v{found.version}.{file_format.value}"
    return Response(
        written(found.definition, file_format),
        media_type=f"application/{file_format.value}",
        headers={**HEADERS, "Content-Disposition": f'attachment; filename="{name}"'},
    )


@router.get("/{document_workflow_id}/edit")
async def show_edit(
    workflow_id: WorkflowId,
    pages: Shown,
    caller: Writer,
    library: WorkflowLibraryDependency,
    version: VersionField = None,
) -> Response:
    """The form for a new version, with what the newest one says, or another."""
    workflow = await library.get(caller, workflow_id)
    begun = await library.version(caller, workflow_id, version)
    text = written(begun.definition, TextFormat.YAML)
    return await _form_page(pages, caller, library, text, workflow=workflow)


@router.post("/{document_workflow_id}/edit")
async def make_version(
    workflow_id: WorkflowId,
    request: Request,
    pages: Shown,
    caller: Writer,
    library: WorkflowLibraryDependency,
    actor: ActorDependency,
) -> Response:
    """Make a new version, and go back to the workflow."""
    form = await request.form()
    workflow = await library.get(caller, workflow_id)
    note = str(form.get("note", "")).strip()[:1_000]

    async def save(value: Any) -> Response:
        made = await library.change(caller, actor, workflow_id, NewDefinition(value, note or None))
        notice = "workflow-version-made" if made.version != workflow.version else "workflow-unchanged"
        return pages.redirect(f"/workflows/{workflow_id}", notice)

    return await _saved(pages, caller, library, form, save, workflow=workflow, note=note)


@router.get("/{document_workflow_id}/diff")
async def show_diff(
    workflow_id: WorkflowId,
    pages: Shown,
    caller: Reader,
    library: WorkflowLibraryDependency,
    from_version: Annotated[int | None, Query(alias="from", ge=1, le=1_000_000)] = None,
    to_version: Annotated[int | None, Query(alias="to", ge=1, le=1_000_000)] = None,
) -> Response:
    """What is different between two versions."""
    workflow = await library.get(caller, workflow_id)
    found = await library.compare(caller, workflow_id, from_version, to_version)
    return await pages.inside(
        "workflow_diff.html",
        caller,
        "workflows",
        tab="workflows",
        workflow=workflow,
        from_version=found.from_version,
        to_version=found.to_version,
        changes=[ChangeView(change) for change in found.changes],
    )


@router.post("/{document_workflow_id}/archive")
async def archive(
    workflow_id: WorkflowId,
    pages: Shown,
    caller: Writer,
    library: WorkflowLibraryDependency,
    actor: ActorDependency,
) -> Response:
    """Take a workflow out of use."""
    await library.archive(caller, actor, workflow_id)
    return pages.redirect("/workflows", "workflow-archived")


@router.post("/{document_workflow_id}/share")
async def share(
    workflow_id: WorkflowId,
    request: Request,
    pages: Shown,
    caller: Writer,
    library: WorkflowLibraryDependency,
    actor: ActorDependency,
) -> Response:
    """Make a link with which others may copy a version; it is shown once."""
    form = await request.form()
    try:
        body = ShareCreate.model_validate(
            {"expires_in_hours": form.get("hours", "72"), "version": form.get("version") or None}
        )
        shared = await library.share(
            caller,
            actor,
            workflow_id,
            version=body.version,
            lifetime=timedelta(hours=body.expires_in_hours),
            base_url=str(request.base_url),
        )
    except FAULTS as error:
        return await _workflow_page(pages, caller, library, workflow_id, fault=said_of(error))
    return await _workflow_page(pages, caller, library, workflow_id, shared.version, shared=shared)
