"""The pages of document workflows with invented content, extremes and hostile texts included."""

from datetime import timedelta
from typing import Any

from api.routes.console_words import OPERATION_LOOKS
from api.routes.console_workflow_text import TextFormat, excerpt, placed, written
from api.routes.console_workflow_views import (
    EXPIRIES,
    ChangeView,
    ExecutionView,
    definition_steps,
    drawn,
    execution_diagram,
    parameter_fields,
    shown_json,
    step_views,
)
from perdure.domain.ids import new_id
from perdure.domain.workflow_diff import differences
from perdure.domain.workflow_reading import parse_definition
from perdure.errors import FieldError
from perdure.schemas.document_workflows import (
    ChangeRead,
    DocumentWorkflowRead,
    DocumentWorkflowVersionRead,
    ExecutionFilter,
    ParameterRead,
    ShareRead,
    TemplateRead,
    WorkflowExecutionRead,
)
from perdure.schemas.operations import OperationError, OperationStatus, Progress
from perdure.schemas.workflow_executions import ExecutionStepState, StepRecordRead
from tests.browser.preview import LONG, Page, ago, common
from tests.workflow_definitions import INVOICES, large

LATER = {
    **INVOICES,
    "description": "Bills above the limit are paid when two people agree.",
    "steps": [
        {**INVOICES["steps"][0], "with": {"labels": ["invoice", "reminder", "<b>letter</b>"]}},
        *INVOICES["steps"][1:],
    ],
}
PARAMETERS = [
    ParameterRead(
        name="limit", type="number", default=1000, description="From which amount on people are asked."
    ),
    ParameterRead(name="approver", type="user", required=True),
    ParameterRead(name="remind_after", type="duration", default="2 business days"),
    ParameterRead(name="also_by_mail", type="boolean", default=True),
]
STATES: dict[str, tuple[str, dict[str, Any]]] = {
    "classify": ("completed", {"output": {"label": "invoice", "confidence": 0.973, "sure": True}}),
    "kind": ("completed", {}),
    "extract": (
        "completed",
        {"attempts": 3, "output": {"total": 1200.5, "name": "x" * 300, "lines": [1] * 40}},
    ),
    "dear": ("completed", {}),
    "approve": ("waiting_approval", {"approval_id": "apr_1", "operation_id": "op_2"}),
    "file": ("skipped", {}),
}


def shell(tab: str, **more: Any) -> dict[str, Any]:
    return {**common("workflows"), "tab": tab, "fault": None, **more}


def workflow(name: str, **more: Any) -> DocumentWorkflowRead:
    values: dict[str, Any] = {
        "id": new_id("dwf"),
        "name": name,
        "description": "Bills above the limit are paid when two people agree. " * 3,
        "version": 3,
        "steps": 9,
        "executions": 1287,
        "open_executions": 12,
        "created_at": ago(days=3),
        "updated_at": ago(hours=2),
    } | more
    return DocumentWorkflowRead(**values)


def workflows(*found: DocumentWorkflowRead, **more: Any) -> dict[str, Any]:
    return shell(
        "workflows",
        workflows=found,
        archived=False,
        first_url="/workflows",
        next_url="/workflows?cursor=x" if found else None,
        is_first_page=True,
    ) | dict(more)


def template(name: str, title: str) -> TemplateRead:
    return TemplateRead(
        name=name,
        title=title,
        description="Reads the bill, asks who may pay so much, and files it. " * 2,
        parameters=PARAMETERS,
        definition=INVOICES,
    )


def template_page(**more: Any) -> dict[str, Any]:
    definition = parse_definition(INVOICES)
    return shell(
        "templates",
        template=template("invoice-approval", "Invoice approval"),
        name="Invoice approval",
        fields=parameter_fields(PARAMETERS),
        steps=definition_steps(definition.steps),
        drawing=drawn(definition),
    ) | dict(more)


def form(current: DocumentWorkflowRead | None, *faults: FieldError, **more: Any) -> dict[str, Any]:
    format_ = TextFormat.JSON if current else TextFormat.YAML
    text = written(LATER, format_)
    found = placed(text, faults)
    definition = parse_definition(LATER)
    return shell(
        "workflows",
        workflow=current,
        text=text,
        format=format_.value,
        other_format="yaml" if current else "json",
        note="",
        most=1_000_000,
        faults=found,
        lines=excerpt(text, found),
        drawing=drawn(definition),
        step_count=9,
    ) | dict(more)


def versions() -> list[DocumentWorkflowVersionRead]:
    notes = ("Ask two people above the limit", LONG, None)
    return [
        DocumentWorkflowVersionRead(
            version=3 - place, sha256="9f86", steps=9 - place, note=note, created_at=ago(days=place)
        )
        for place, note in enumerate(notes)
    ]


def workflow_page(current: DocumentWorkflowRead, definition: Any = LATER, **more: Any) -> dict[str, Any]:
    understood = parse_definition(definition)
    return shell(
        "workflows",
        workflow=current,
        shown=versions()[0],
        versions=versions(),
        older_url=None,
        drawing=drawn(understood),
        steps=definition_steps(understood.steps),
        text=written(definition, TextFormat.YAML),
        shared=None,
        expiries=EXPIRIES,
    ) | dict(more)


def diff(before: Any, after: Any) -> dict[str, Any]:
    changes = [
        ChangeRead(difference=one.difference, place=one.place, before=one.before, after=one.after)
        for one in differences(before, after)
    ]
    return shell(
        "workflows",
        workflow=workflow("Invoices"),
        from_version=2,
        to_version=3,
        changes=[ChangeView(change) for change in changes],
    )


def execution(title: str, status: str, **more: Any) -> ExecutionView:
    error = OperationError(
        type="provider-unavailable",
        detail="No provider with a key answers. Add one, or wait.",
        step="extract",
    )
    values: dict[str, Any] = {
        "id": new_id("exe"),
        "operation_id": new_id("op"),
        "workflow_id": "dwf_1",
        "workflow_name": "Invoices",
        "version": 3,
        "document_id": "doc_1",
        "status": OperationStatus(status),
        "progress": Progress(done=4, total=9),
        "error": error if status in {"failed", "paused"} else None,
        "created_at": ago(minutes=4),
        "updated_at": ago(minutes=1),
        "closed_at": ago(minutes=1) if status in {"failed", "completed", "cancelled"} else None,
    } | more
    return ExecutionView(WorkflowExecutionRead(**values), title)


def executions(*views: ExecutionView, **more: Any) -> dict[str, Any]:
    return shell(
        "executions",
        views=views,
        filter=ExecutionFilter(workflow_id="dwf_1" if views else None),
        workflows={"dwf_1": "Invoices", "dwf_2": "An-unbroken-name-" * 6},
        status_labels={name: look.label for name, look in OPERATION_LOOKS.items()},
        query="",
        first_url="/workflows/executions",
        next_url="/workflows/executions?cursor=x" if views else None,
        is_first_page=True,
        is_filtered=bool(views),
        live=False,
    ) | dict(more)


def records(*, failed: bool) -> list[StepRecordRead]:
    found = []
    kinds = {step["id"]: step["type"] for step in INVOICES["steps"]}
    for place, (step_id, (state, more)) in enumerate(STATES.items()):
        began = ago(minutes=4) + timedelta(seconds=3 * place)
        ended = began + timedelta(seconds=2.4) if state != "waiting_approval" else None
        found.append(
            StepRecordRead(
                step_id=step_id,
                type=kinds[step_id],
                state=ExecutionStepState(state),
                started_at=began,
                ended_at=ended,
                **more,
            )
        )
    error = OperationError(type="upstream-failed", detail="The mail server refuses “a@b”.", step="tell")
    found += [
        StepRecordRead(
            step_id=f"each_line[{turn}].tell",
            type="notification",
            state=ExecutionStepState.FAILED if turn == 2 else ExecutionStepState.COMPLETED,
            error=error if turn == 2 else None,
            output=None if turn == 2 else {"messages": ["msg_1", "msg_2"]},
        )
        for turn in range(3 if failed else 0)
    ]
    if failed:
        found.append(
            StepRecordRead(
                step_id="each_line",
                type="for_each",
                state=ExecutionStepState.FAILED,
                error=error,
                visit=2,
                started_at=ago(minutes=2),
                ended_at=ago(minutes=1),
            )
        )
    return found


def execution_page(view: ExecutionView, *, failed: bool = False, begun: bool = True) -> dict[str, Any]:
    definition = parse_definition(LATER)
    steps = step_views(definition, records(failed=failed) if begun else [])
    return shell(
        "executions",
        view=view,
        revision=3,
        steps=steps,
        drawing=execution_diagram(definition, steps),
        given=shown_json({"parameters": {"limit": 1000, "approver": "ann"}, "input": {"customer": "ACME"}}),
        outputs=shown_json({"classify": {"label": "invoice"}}) if failed else None,
    )


def execute(**more: Any) -> dict[str, Any]:
    documents = [
        {"id": "doc_1", "title": "invoice-4711.pdf"},
        {"id": "doc_2", "title": LONG},
        {"id": "doc_3", "title": "<script>alert(1)</script>"},
    ]
    return shell(
        "workflows",
        workflow=workflow("Invoices"),
        version=3,
        documents=documents,
        chosen=["doc_1"],
        fields=parameter_fields(PARAMETERS),
        input="",
    ) | dict(more)


PAGES: dict[str, Page] = {
    "document-workflows": Page(
        "workflows.html",
        lambda: workflows(
            workflow("Invoices"),
            workflow("An-unbroken-name-" * 6, archived_at=ago(days=1), open_executions=0, description=""),
        ),
    ),
    "document-workflows-empty": Page("workflows.html", workflows),
    "document-workflow": Page(
        "workflow.html",
        lambda: workflow_page(
            workflow("Invoices"),
            shared=ShareRead(
                link=f"https://perdure.example/shared/{'x' * 300}",
                workflow_id="dwf_1",
                version=3,
                expires_at=ago(days=-3),
            ),
        ),
    ),
    "document-workflow-large": Page("workflow.html", lambda: workflow_page(workflow("Large"), large(40))),
    "document-workflow-archived": Page(
        "workflow.html",
        lambda: workflow_page(
            workflow("An-unbroken-name-" * 6, archived_at=ago(days=1)), shown=versions()[2]
        ),
    ),
    "document-workflow-new": Page("workflow_form.html", lambda: form(None)),
    "document-workflow-faults": Page(
        "workflow_form.html",
        lambda: form(
            workflow("Invoices"),
            FieldError("/steps/2/with/url", "is missing: an http step needs it"),
            FieldError("/steps/4/with/policy/stages/0/approvers", "must not be empty"),
            FieldError("", "has no step that can run, " + "x" * 200),
            fault="It was not saved.",
        ),
    ),
    "document-workflow-changes": Page("workflow_diff.html", lambda: diff(INVOICES, LATER)),
    "document-workflow-same": Page("workflow_diff.html", lambda: diff(INVOICES, INVOICES)),
    "document-workflow-import": Page(
        "workflow_import.html",
        lambda: shell("workflows", link="", name="", fault="This link is no longer good: ask for another."),
    ),
    "document-workflow-execute": Page("workflow_execute.html", execute),
    "document-workflow-execute-nothing": Page(
        "workflow_execute.html",
        lambda: execute(documents=[], fields=[], input="{", fault="The input is no JSON object."),
    ),
    "workflow-templates": Page(
        "workflow_templates.html",
        lambda: shell(
            "templates",
            templates=[
                template("invoice-approval", "Invoice approval"),
                template("contract-review", "Contract review"),
                template("support-triage", "Support triage"),
            ],
        ),
    ),
    "workflow-template": Page("workflow_template.html", template_page),
    "executions": Page(
        "workflow_executions.html",
        lambda: executions(
            execution("invoice-4711.pdf", "running"),
            execution(LONG, "waiting_approval"),
            execution("lease.pdf", "failed"),
            execution("letter.txt", "completed"),
        ),
    ),
    "executions-empty": Page("workflow_executions.html", executions),
    "execution-waiting": Page(
        "workflow_execution.html",
        lambda: execution_page(execution("invoice-4711.pdf", "waiting_approval")),
    ),
    "execution-failed": Page(
        "workflow_execution.html", lambda: execution_page(execution(LONG, "failed", attempt=2), failed=True)
    ),
    "execution-paused": Page(
        "workflow_execution.html",
        lambda: execution_page(execution("lease.pdf", "paused", batch_id="op_9"), begun=False),
    ),
}
