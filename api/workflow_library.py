"""Stored workflows: read, checked with all faults, versioned, compared, shared; routes and console use it."""

import asyncio
import copy
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from api.authentication import Principal
from api.idempotency import Idempotency
from api.workflow_links import SharedVersion, WorkflowLinks
from perdure.db.audit_trail import AuditTrail
from perdure.db.document_workflows import DocumentWorkflows, count_steps, digest, parameters_of
from perdure.db.models import DocumentWorkflowRow, DocumentWorkflowVersionRow
from perdure.db.session import Database
from perdure.domain import workflow_templates
from perdure.domain.audit import Action, Actor
from perdure.domain.json_objects import Faults, escaped
from perdure.domain.roles import Role
from perdure.domain.workflow_definitions import WorkflowDefinition
from perdure.domain.workflow_diff import differences
from perdure.domain.workflow_reading import parse_definition
from perdure.domain.workflow_references import Referred, references_in, steps_in
from perdure.domain.workflow_yaml import read_yaml
from perdure.errors import ConflictError, FieldError, InvalidInputError, NotFoundError
from perdure.schemas.base import storable
from perdure.schemas.document_workflows import (
    ChangeRead,
    DocumentWorkflowDetail,
    DocumentWorkflowRead,
    FaultRead,
    ShareRead,
    TemplateRead,
    ValidationRead,
    WorkflowDifference,
    WorkflowImport,
)
from perdure.schemas.operations import Subject

MAX_DEFINITION_BYTES = 256 * 1024
ROLES = tuple(role.value for role in Role)


@dataclass(frozen=True)
class NewDefinition:
    """A definition as it was given, and how it is to be kept."""

    given: Any
    note: str | None = None
    template: str | None = None
    # Where it stands in the request.
    pointer: str = ""


class WorkflowLibrary:
    """Workflows of the whole installation; each call is made for one caller."""

    def __init__(self, database: Database, links: WorkflowLinks) -> None:
        self._database, self._links = database, links

    # Reading

    async def list(
        self, caller: Principal, *, archived: bool = False, after: str | None = None, limit: int = 50
    ) -> Sequence[DocumentWorkflowRead]:
        """Workflows, newest first."""
        async with self._database.transaction(caller.organisation_id) as session:
            workflows = DocumentWorkflows(session, caller.organisation_id)
            return await workflows.list(archived=archived, after=after, limit=limit)

    async def get(self, caller: Principal, workflow_id: str) -> DocumentWorkflowDetail:
        """One workflow with its newest version."""
        async with self._database.transaction(caller.organisation_id) as session:
            workflows = DocumentWorkflows(session, caller.organisation_id)
            return await workflows.detail(await found(workflows, workflow_id))

    async def versions(
        self, caller: Principal, workflow_id: str, *, before: int | None = None, limit: int = 50
    ) -> Sequence[DocumentWorkflowVersionRow]:
        """Versions of a workflow, newest first."""
        async with self._database.transaction(caller.organisation_id) as session:
            workflows = DocumentWorkflows(session, caller.organisation_id)
            row = await found(workflows, workflow_id)
            return await workflows.versions(row.id, before=before, limit=limit)

    async def version(
        self, caller: Principal, workflow_id: str, version: int | None = None
    ) -> DocumentWorkflowVersionRow:
        """One version; the newest, where none is named."""
        async with self._database.transaction(caller.organisation_id) as session:
            workflows = DocumentWorkflows(session, caller.organisation_id)
            row = await found(workflows, workflow_id)
            return await version_of(workflows, row, version)

    async def compare(
        self, caller: Principal, workflow_id: str, before: int | None, after: int | None
    ) -> WorkflowDifference:
        """What is different between two versions: the newest and the one before it, where none are named."""
        async with self._database.transaction(caller.organisation_id) as session:
            workflows = DocumentWorkflows(session, caller.organisation_id)
            row = await found(workflows, workflow_id)
            later = await version_of(workflows, row, after)
            earlier = await version_of(workflows, row, before or max(1, later.version - 1))
        return WorkflowDifference(
            workflow_id=row.id,
            from_version=earlier.version,
            to_version=later.version,
            changes=[
                ChangeRead(
                    difference=change.difference.value,
                    place=change.place,
                    before=change.before,
                    after=change.after,
                )
                for change in differences(earlier.definition, later.definition)
            ],
        )

    # Checking

    async def validate(self, caller: Principal, given: Any) -> ValidationRead:
        """All that is wrong with a definition, for this organisation."""
        faults = Faults()
        _, understood = await _understand(given, "", faults)
        async with self._database.transaction(caller.organisation_id) as session:
            await _check_stored(session, caller, given, "", faults)
        return ValidationRead(
            valid=not len(faults),
            faults=[FaultRead(pointer=fault.pointer, detail=fault.detail) for fault in faults],
            steps=count_steps(understood.steps) if understood else sum(1 for _ in steps_in(given)),
        )

    # Writing

    async def create(
        self,
        caller: Principal,
        actor: Actor,
        new: NewDefinition,
        *,
        idempotency: Idempotency | None = None,
        request: BaseModel | bytes | None = None,
    ) -> DocumentWorkflowDetail | JSONResponse:
        """Store a definition as version 1 of a new workflow; InvalidInputError names every fault."""
        faults = Faults()
        given, understood = await _understand(new.given, new.pointer, faults)
        async with self._database.transaction(caller.organisation_id) as session:
            if idempotency is not None:
                before = await idempotency.replay(session, caller.organisation_id, request)
                if before is not None:
                    return before
            understood = await _checked(session, caller, given, new.pointer, faults, understood)
            workflows = DocumentWorkflows(session, caller.organisation_id)
            await _refuse_name(workflows, understood.name)
            row = await workflows.create(
                given, understood, caller.user_id, note=new.note, template=new.template
            )
            await _record(session, caller, actor, Action.WORKFLOW_CREATED, row)
            made = await workflows.detail(row)
            if idempotency is not None:
                answer = made.model_dump(mode="json")
                await idempotency.remember(session, caller.organisation_id, answer)
            return made

    async def change(
        self, caller: Principal, actor: Actor, workflow_id: str, new: NewDefinition
    ) -> DocumentWorkflowDetail:
        """Make the next version; one that says the same as the newest makes none."""
        faults = Faults()
        given, understood = await _understand(new.given, new.pointer, faults)
        async with self._database.transaction(caller.organisation_id) as session:
            workflows = DocumentWorkflows(session, caller.organisation_id)
            row = await found(workflows, workflow_id, lock=True)
            refuse_archived(row)
            understood = await _checked(session, caller, given, new.pointer, faults, understood)
            newest = await version_of(workflows, row, None)
            if newest.sha256 != digest(given):
                if understood.name != row.name:
                    await _refuse_name(workflows, understood.name)
                await workflows.add_version(row, given, understood, caller.user_id, new.note)
                await _record(session, caller, actor, Action.WORKFLOW_VERSION_CREATED, row)
            return await workflows.detail(row)

    async def archive(self, caller: Principal, actor: Actor, workflow_id: str) -> DocumentWorkflowDetail:
        """Take a workflow out of use: executions go on, its name is free again."""
        async with self._database.transaction(caller.organisation_id) as session:
            workflows = DocumentWorkflows(session, caller.organisation_id)
            row = await found(workflows, workflow_id, lock=True)
            if row.archived_at is None:
                await workflows.archive(row.id)
                await _record(session, caller, actor, Action.WORKFLOW_ARCHIVED, row)
                session.expire_all()
                row = await found(workflows, workflow_id)
            return await workflows.detail(row)

    # From elsewhere

    async def share(
        self,
        caller: Principal,
        actor: Actor,
        workflow_id: str,
        *,
        version: int | None,
        lifetime: timedelta,
        base_url: str,
    ) -> ShareRead:
        """A link to a version for another organisation of this installation."""
        async with self._database.transaction(caller.organisation_id) as session:
            workflows = DocumentWorkflows(session, caller.organisation_id)
            row = await found(workflows, workflow_id)
            refuse_archived(row)
            shared = await version_of(workflows, row, version)
            await _record(session, caller, actor, Action.WORKFLOW_SHARED, row, version=shared.version)
        link = SharedVersion(caller.organisation_id, row.id, shared.version)
        return self._links.create(link, lifetime, base_url)

    async def imported(self, body: WorkflowImport) -> NewDefinition:
        """What a request for an import is to store."""
        found = await self.shared(body.link) if body.link is not None else _document_in(body.definition)
        given = replaced(found, storable(body.replace))
        if body.name is not None:
            given = {**given, "name": body.name}
        return NewDefinition(given, pointer="/body/definition")

    async def shared(self, link: str) -> dict[str, Any]:
        """The definition that a link stands for, unless its workflow was archived since."""
        shared = self._links.read(link)
        async with self._database.transaction(shared.organisation_id) as session:
            workflows = DocumentWorkflows(session, shared.organisation_id)
            row = await workflows.get(shared.workflow_id)
            version = await workflows.version(shared.workflow_id, shared.version)
        if row is None or version is None or row.archived_at is not None:
            raise NotFoundError("what this link stands for is not shared any more: ask for a new one")
        return dict(version.definition)


def _document_in(given: dict[str, Any] | str | None) -> dict[str, Any]:
    """What an export gave: an object, or YAML that says one."""
    said = read_yaml(given) if isinstance(given, str) else given
    if not isinstance(said, dict):
        detail = "must be an object with name and steps"
        raise InvalidInputError(f"The definition {detail}.", [FieldError("/body/definition", detail)])
    document: dict[str, Any] = storable(said)
    return document


def templates() -> Sequence[TemplateRead]:
    """All templates."""
    return [template_read(name) for name in workflow_templates.NAMES]


def template_read(name: str) -> TemplateRead:
    """One template as the API shows it."""
    definition = workflow_templates.template(name)
    return TemplateRead(
        name=name,
        title=definition["name"],
        description=definition["description"],
        parameters=parameters_of(definition),
        definition=definition,
    )


def from_template(name: str, given: Mapping[str, Any], called: str | None, pointer: str) -> dict[str, Any]:
    """The definition that a template is with these values; faults point to where the values stand."""
    try:
        return workflow_templates.instantiate(name, storable(dict(given)), called)
    except InvalidInputError as error:
        errors = [FieldError(f"{pointer}{fault.pointer}", fault.detail) for fault in error.errors]
        raise InvalidInputError(str(error), errors) from None


def replaced(definition: dict[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a definition with other values at some places; InvalidInputError names each place that is not there."""
    changed = copy.deepcopy(definition)
    faults = Faults()
    for pointer, value in values.items():
        *way, last = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]] or [""]
        holder: Any = changed
        for part in way:
            holder = _inner(holder, part)
        if _inner(holder, last) is None or not pointer.startswith("/"):
            faults.add(f"/body/replace/{escaped(pointer)}", "is no place of the definition")
        elif isinstance(holder, list):
            holder[int(last)] = value
        else:
            holder[last] = value
    faults.raise_for("import")
    return changed


def _inner(holder: Any, part: str) -> Any:
    if isinstance(holder, dict):
        return holder.get(part)
    if isinstance(holder, list) and re.fullmatch("[0-9]{1,6}", part) and int(part) < len(holder):
        return holder[int(part)]
    return None


async def found(workflows: DocumentWorkflows, workflow_id: str, *, lock: bool = False) -> DocumentWorkflowRow:
    """A workflow that is there."""
    row = await workflows.get(workflow_id, lock=lock)
    if row is None:
        raise NotFoundError(f"no workflow {workflow_id}: check the id, or list GET /api/v1/ai/workflows")
    return row


async def version_of(
    workflows: DocumentWorkflows, row: DocumentWorkflowRow, number: int | None
) -> DocumentWorkflowVersionRow:
    """A version that is there; the newest, where none is named."""
    version = await workflows.version(row.id, number or row.version)
    if version is None:
        raise NotFoundError(f"workflow {row.id} has no version {number}; it has 1 to {row.version}")
    return version


def refuse_archived(row: DocumentWorkflowRow) -> None:
    """What is archived is changed and started no more."""
    if row.archived_at is not None:
        raise ConflictError(f"workflow {row.id} is archived: make a new one")


def read_definition(given: Any, pointer: str = "") -> WorkflowDefinition:
    """A definition as far as it can be understood without the database; InvalidInputError names every fault."""
    from perdure.providers.cel_expressions import check  # noqa: PLC0415  # loads what evaluates expressions

    return parse_definition(given, pointer, check=check, roles=ROLES)


async def _understand(
    given: Any, pointer: str, faults: Faults
) -> tuple[dict[str, Any], WorkflowDefinition | None]:
    """What is to be stored, and what it means; in a thread, as many steps take a while."""
    kept = storable(given)
    if isinstance(kept, dict):
        _check_size(kept, pointer)
    try:
        return kept, await asyncio.to_thread(read_definition, kept, pointer)
    except InvalidInputError as error:
        for fault in error.errors:
            faults.add(fault.pointer, fault.detail)
        return kept if isinstance(kept, dict) else {}, None


def _check_size(given: Mapping[str, Any], pointer: str) -> None:
    try:
        size = len(json.dumps(given, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace"))
    except ValueError:
        detail = "holds a number that JSON does not know (NaN or Infinity)"
        raise InvalidInputError(f"The definition {detail}.", [FieldError(pointer, detail)]) from None
    if size > MAX_DEFINITION_BYTES:
        detail = f"has {size} bytes; at most {MAX_DEFINITION_BYTES} are allowed"
        raise InvalidInputError(f"The definition {detail}.", [FieldError(pointer, detail)])


async def _checked(
    session: AsyncSession,
    caller: Principal,
    given: dict[str, Any],
    pointer: str,
    faults: Faults,
    understood: WorkflowDefinition | None,
) -> WorkflowDefinition:
    await _check_stored(session, caller, given, pointer, faults)
    faults.raise_for("workflow definition")
    if understood is None:
        raise InvalidInputError(
            "The workflow definition cannot be read.", [FieldError(pointer, "cannot be read")]
        )
    return understood


async def _check_stored(
    session: AsyncSession, caller: Principal, given: Any, pointer: str, faults: Faults
) -> None:
    """Whether the people and workflows that a definition names are there."""
    named = list(references_in(given))
    workflows = DocumentWorkflows(session, caller.organisation_id)
    people = [one.name for one in named if one.kind is Referred.USER]
    others = [one.name for one in named if one.kind is not Referred.USER]
    members = await workflows.members(people) if people else set()
    usable = await workflows.usable(others) if others else set()
    for one in named:
        if one.kind is Referred.USER and one.name not in members:
            faults.add(f"{pointer}{one.pointer}", f"{one.name[:60]!r} is no member of this organisation")
        elif one.kind is not Referred.USER and one.name not in usable:
            what = one.kind.value.replace("_", " ")
            faults.add(f"{pointer}{one.pointer}", f"{one.name[:60]!r} is no {what} that is in use here")
    for place, step in steps_in(given):
        settings = step.get("with")
        policy = settings.get("policy") if isinstance(settings, Mapping) else None
        if step.get("type") == "approval" and isinstance(policy, str):
            faults.add(f"{pointer}{place}/with/policy", "must be a policy: none are stored by name yet")


async def _refuse_name(workflows: DocumentWorkflows, name: str) -> None:
    if await workflows.named(name) is not None:
        detail = f"there is a workflow '{name}' already: choose another name, or make a new version of it"
        raise ConflictError(detail)


async def _record(
    session: AsyncSession,
    caller: Principal,
    actor: Actor,
    action: Action,
    row: DocumentWorkflowRow,
    version: int | None = None,
) -> None:
    await AuditTrail(session, caller.organisation_id).record(
        action,
        actor,
        subject=Subject(type="document_workflow", id=row.id),
        details={"version": version or row.version},
    )
