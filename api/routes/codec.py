"""The codec server: shows payloads in the Temporal UI and CLI to those who may see them.

Temporal's remote codec protocol has `decode` and `encode`. The CLI asks for `encode` also when it has nothing to send,
as in a query; anything else is to be written through the API, which knows whose it is.
"""

import base64
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Depends, Request
from pydantic import Base64Bytes, BaseModel, ConfigDict, Field
from starlette.responses import Response
from temporalio.api.common.v1 import Payload

from api.actors import ActorDependency
from api.cross_origin import CrossOriginRoute, check_origin, preflight
from api.dependencies import DatabaseDependency, Principal, require
from api.payload_reader import PayloadReader
from api.problems import problem_responses
from perdure.db.audit_trail import AuditTrail
from perdure.db.operation_repository import OperationRepository, operation_of
from perdure.db.session import Database
from perdure.domain.audit import Action, Actor
from perdure.errors import ConfigurationError, InvalidInputError, PermissionDeniedError, SealedValueError
from perdure.schemas.operations import Subject

router = APIRouter(
    prefix="/codec", tags=["codec"], route_class=CrossOriginRoute, dependencies=[Depends(check_origin)]
)

Operator = Annotated[Principal, require("payloads:read")]
MAX_PAYLOADS = 1000

_log = structlog.get_logger("perdure.api")


class EncodedPayload(BaseModel):
    """A payload in the JSON form of Temporal's API; fields that are not named here go back as they came."""

    model_config = ConfigDict(frozen=True, extra="allow")

    metadata: dict[str, Base64Bytes] = Field(default_factory=dict, description="Values in base64.")
    data: Base64Bytes = Field(default=b"", description="In base64.")


class EncodedPayloads(BaseModel):
    """Payloads, in the order in which they were sent."""

    model_config = ConfigDict(frozen=True)

    payloads: list[EncodedPayload] = Field(default_factory=list, max_length=MAX_PAYLOADS)


async def _reader(request: Request) -> PayloadReader:
    return PayloadReader(request.app.state.temporal, request.app.state.objects)


@router.options("/{verb:path}", include_in_schema=False)
async def read_preflight(request: Request) -> Response:
    """Tell a browser what it may send."""
    return preflight(request)


@router.post("/decode", responses=problem_responses(), operation_id="decode_payloads")
async def decode_payloads(
    body: EncodedPayloads,
    caller: Operator,
    actor: ActorDependency,
    database: DatabaseDependency,
    reader: Annotated[PayloadReader, Depends(_reader)],
) -> EncodedPayloads:
    """Decrypt payloads of operations of the caller's organisation, for the Temporal UI and the `temporal` CLI.

    Each request is recorded in the audit trail. One payload of anything else, and nothing is decrypted.
    """
    payloads = [Payload(metadata=each.metadata, data=each.data) for each in body.payloads]
    owners = [reader.owner(payload) for payload in payloads]
    await _authorise(database, caller, {owner for owner in owners if owner is not None})
    read = [
        given if owner is None else _encoded(await _read(reader, payload))
        for given, payload, owner in zip(body.payloads, payloads, owners, strict=True)
    ]
    await _record(database, caller, actor, [operation_of(owner) for owner in owners if owner is not None])
    return EncodedPayloads(payloads=read)


@router.post("/encode", responses=problem_responses(), operation_id="encode_payloads")
async def encode_payloads(body: EncodedPayloads, caller: Operator) -> EncodedPayloads:
    """Encrypt nothing: the answer to the `temporal` CLI when it sends a query or a signal without input."""
    if body.payloads:
        detail = (
            "Input for workflows is taken by Perdure's API alone, which binds it to its operation; send signals, "
            "queries and updates without input, or use /api/v1/operations."
        )
        raise InvalidInputError(detail)
    return body


async def _authorise(database: Database, caller: Principal, workflow_ids: set[str]) -> None:
    """Every workflow must be of an operation that the caller's organisation sees."""
    wanted = {operation_of(workflow_id) for workflow_id in workflow_ids}
    if not wanted:
        return
    async with database.transaction(caller.organisation_id) as session:
        found = await OperationRepository(session).by_id(wanted)
    if wanted - found.keys():
        _log.warning("payloads_refused", operation_ids=sorted(wanted - found.keys()))
        detail = (
            "Some of these payloads are of no operation of your organisation; nothing was decrypted. Log in to "
            "the organisation that they belong to."
        )
        raise PermissionDeniedError(detail)


async def _read(reader: PayloadReader, payload: Payload) -> Payload:
    try:
        return await reader.read(payload)
    except (SealedValueError, ConfigurationError) as error:
        _log.warning("payload_unreadable", detail=str(error))
        detail = (
            "A payload cannot be decrypted: it was changed or removed, or its master key is not here any more. "
            "An operator finds the reason in the log under the id of this request."
        )
        raise InvalidInputError(detail) from error


async def _record(database: Database, caller: Principal, actor: Actor, operation_ids: list[str]) -> None:
    if not operation_ids:
        return
    async with database.transaction(caller.organisation_id) as session:
        trail = AuditTrail(session, caller.organisation_id)
        for operation_id in sorted(set(operation_ids)):
            details = {"payload_count": operation_ids.count(operation_id)}
            subject = Subject(type="operation", id=operation_id)
            await trail.record(Action.PAYLOAD_DECODED, actor, subject=subject, details=details)


def _encoded(payload: Payload) -> EncodedPayload:
    fields: dict[str, Any] = {
        "metadata": {name: base64.b64encode(value) for name, value in payload.metadata.items()},
        "data": base64.b64encode(payload.data),
    }
    return EncodedPayload.model_validate(fields)
