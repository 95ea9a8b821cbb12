"""Accepting something to remember or to forget: the request with its texts, and the pending operation."""

import hashlib
import json
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from perdure.db.document_repository import DocumentRepository
from perdure.db.forgetting import Selection
from perdure.db.memory_requests import MemoryRequests
from perdure.db.models import OperationRow
from perdure.db.operation_repository import OperationRepository, pending_operation
from perdure.domain.ids import new_id
from perdure.ports.models import EmbeddingModel
from perdure.schemas.memories import MemoryCreate
from perdure.schemas.operations import Subject

KIND = "remember"
FORGET_KIND = "forget"
IMPORT_KIND = "import_memories"

_ACCEPT = text("SELECT space_id, accepted FROM accept_memory(CAST(:given AS jsonb))")


async def accept_memory(
    session: AsyncSession,
    organisation_id: str,
    actor_id: str,
    body: MemoryCreate,
    model: EmbeddingModel,
    operation_id: str,
) -> OperationRow:
    """Insert the request and its operation. Only the request has the texts: nothing else is to be forgotten later."""
    space = await DocumentRepository(session, organisation_id).ensure_space(body.space, model)
    subject = body.subject or ""
    row = await OperationRepository(session).create(
        organisation_id=organisation_id,
        actor_id=actor_id,
        kind=KIND,
        summary=_summary(body),
        subject=Subject(type="space", id=space.id),
        input={"space_id": space.id, "subject_key": subject_key(subject)},
        operation_id=operation_id,
    )
    requests = MemoryRequests(session, organisation_id)
    await requests.add(row.id, space.id, subject, _request(body))
    return row


async def accept_memory_at_once(
    connection: AsyncConnection,
    organisation_id: str,
    actor_id: str,
    body: MemoryCreate,
    operation_id: str,
    trace_parent: str | None,
) -> OperationRow | None:
    """The same in one round trip, on a connection outside of any transaction.

    None, and nothing written, when it is not ordinary: see the function in the database.
    """
    subject = body.subject or ""
    given = {
        "organisation_id": organisation_id,
        "operation_id": operation_id,
        "actor_id": actor_id,
        "kind": KIND,
        "summary": _summary(body),
        "space": body.space,
        "subject": subject,
        "subject_key": subject_key(subject),
        "trace_parent": trace_parent,
        "body": _request(body),
    }
    accepted = (await connection.execute(_ACCEPT, {"given": json.dumps(given)})).one_or_none()
    if accepted is None:
        return None
    return pending_operation(
        accepted.accepted,
        id=operation_id,
        organisation_id=organisation_id,
        actor_id=actor_id,
        kind=KIND,
        subject_type="space",
        subject_id=accepted.space_id,
        summary=_summary(body),
        input={"space_id": accepted.space_id, "subject_key": subject_key(subject)},
        trace_parent=trace_parent,
    )


async def accept_forgetting(
    session: AsyncSession,
    organisation_id: str,
    actor_id: str,
    space_id: str,
    selection: Selection,
    reason: str | None,
    operation_id: str,
) -> OperationRow:
    """Insert the request and its operation; what is to be forgotten stands in the request alone."""
    row = await OperationRepository(session).create(
        organisation_id=organisation_id,
        actor_id=actor_id,
        kind=FORGET_KIND,
        summary="Forget memories",
        subject=Subject(type="space", id=space_id),
        input={"space_id": space_id},
        operation_id=operation_id,
    )
    body = {"selection": selection.described(), "reason": reason}
    await MemoryRequests(session, organisation_id).add(row.id, space_id, "", body)
    return row


async def accept_import(
    session: AsyncSession,
    organisation_id: str,
    actor_id: str,
    space_name: str,
    object_key: str,
    model: EmbeddingModel,
    operation_id: str,
) -> OperationRow:
    """Insert the operation that reads a stored file."""
    space = await DocumentRepository(session, organisation_id).ensure_space(space_name, model)
    return await OperationRepository(session).create(
        organisation_id=organisation_id,
        actor_id=actor_id,
        kind=IMPORT_KIND,
        summary="Import memories",
        subject=Subject(type="space", id=space.id),
        input={"space_id": space.id, "source": {"object_key": object_key}},
        operation_id=operation_id,
    )


def subject_key(subject: str) -> str:
    """What the subject's writer is known by; the name itself stands in no workflow."""
    return hashlib.sha256(subject.encode()).hexdigest()[:24]


def _summary(body: MemoryCreate) -> str:
    return "Remember a statement" if body.messages is None else f"Remember {len(body.messages)} messages"


def _request(body: MemoryCreate) -> dict[str, Any]:
    given = body.model_dump(
        mode="json", include={"session_id", "tags", "metadata", "valid_from", "expires_at"}
    )
    turns = [
        {
            "message_id": new_id("msg"),
            "role": turn.role,
            "speaker": turn.speaker,
            "content": turn.content,
            "created_at": turn.created_at.isoformat() if turn.created_at else None,
            "external_id": turn.external_id,
            "session_id": turn.session_id,
        }
        for turn in body.turns
    ]
    return {**given, "kind": body.kind.value, "in_dialogue": body.messages is not None, "turns": turns}
