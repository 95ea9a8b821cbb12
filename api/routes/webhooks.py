"""Where events of the caller's organisation are sent, and what became of every message."""

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response, status
from starlette.responses import JSONResponse

from api.actors import ActorDependency
from api.dependencies import DatabaseDependency, KeyringDependency, Principal, require
from api.idempotency import IdempotentRequest, keyed_digest
from api.pagination import PageRequest, paginate
from api.problems import problem_responses
from perdure.db.audit_trail import AuditTrail
from perdure.db.deliveries import DeliveryRepository
from perdure.db.messages import MessageRepository
from perdure.db.models import MessageRow, WebhookEndpointRow
from perdure.db.webhook_endpoints import WebhookEndpointRepository
from perdure.domain.audit import Action
from perdure.domain.ids import ID_PATTERN, new_id
from perdure.domain.standard_webhooks import check_secret, new_secret
from perdure.domain.webhook_addresses import check_webhook_url, shown_url, webhook_rules
from perdure.errors import ConflictError, FieldError, InvalidInputError
from perdure.schemas.base import Page
from perdure.schemas.messages import (
    Channel,
    EventType,
    MessageNew,
    MessageRead,
    MessageStatus,
    SecretRotate,
    WebhookEndpointCreate,
    WebhookEndpointCreated,
    WebhookEndpointRead,
    WebhookEndpointUpdate,
)
from perdure.schemas.operations import Subject
from perdure.settings import Settings

router = APIRouter(prefix="/api/v1/webhooks", tags=["webhooks"])

Reader = Annotated[Principal, require("webhooks:read")]
Writer = Annotated[Principal, require("webhooks:write")]
EndpointId = Annotated[str, Path(pattern=ID_PATTERN, description="Id of an endpoint, `whe_…`.")]
MessageId = Annotated[str, Path(pattern=ID_PATTERN, description="Id of a message, `msg_…`.")]

MOST_ENDPOINTS = 50


def _read(row: WebhookEndpointRow) -> WebhookEndpointRead:
    return WebhookEndpointRead(
        id=row.id,
        kind="slack" if row.kind == Channel.SLACK else "webhook",
        name=row.name,
        url=row.shown_url,
        events=row.events,
        is_active=row.is_active,
        failures=row.failures,
        last_error=row.last_error,
        last_attempt_at=row.last_attempt_at,
        last_success_at=row.last_success_at,
        previous_secret_until=row.previous_until,
        created_by=row.created_by,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _delivery(row: MessageRow) -> MessageRead:
    read = MessageRead.model_validate(row, from_attributes=True)
    if row.channel == Channel.EMAIL or row.recipient is None:
        return read
    # Who has the address of a chat may write there.
    return read.model_copy(update={"recipient": shown_url(Channel.SLACK, row.recipient)})


def _check_url(url: str, settings: Settings) -> str:
    check_webhook_url(url, webhook_rules(settings.webhook_allow_hosts))
    return url


def _secret(kind: str, given: str | None) -> str | None:
    """The secret of a new endpoint; a chat has none."""
    if kind == Channel.SLACK:
        if given is not None:
            detail = "Messages of this kind are not signed: leave the secret out."
            raise InvalidInputError(detail, [FieldError("/body/secret", detail)])
        return None
    try:
        return check_secret(given) if given is not None else new_secret()
    except InvalidInputError as error:
        raise InvalidInputError(str(error), [FieldError("/body/secret", str(error))]) from error


def _stand_in(request: Request, body: WebhookEndpointCreate) -> bytes:
    hidden: dict[str, Any] = {
        "url": body.url.get_secret_value(),
        "secret": body.secret.get_secret_value() if body.secret else None,
    }
    return keyed_digest(
        request.app.state.settings, "webhook endpoints", body.model_dump(mode="json") | hidden
    )


@router.post(
    "/endpoints",
    status_code=status.HTTP_201_CREATED,
    response_model=WebhookEndpointCreated,
    responses={
        **problem_responses(409),
        200: {"model": WebhookEndpointCreated, "description": "Replayed, without the secret"},
    },
    operation_id="create_webhook_endpoint",
)
async def create_endpoint(
    body: WebhookEndpointCreate,
    request: Request,
    caller: Writer,
    database: DatabaseDependency,
    keyring: KeyringDependency,
    idempotency: IdempotentRequest,
    actor: ActorDependency,
) -> WebhookEndpointCreated | JSONResponse:
    """Name an address that events are sent to. The secret that signs them is shown once, in this answer."""
    url = _check_url(body.url.get_secret_value(), request.app.state.settings)
    secret = _secret(body.kind, body.secret.get_secret_value() if body.secret else None)
    async with database.transaction(caller.organisation_id) as session:
        before = await idempotency.replay(session, caller.organisation_id, _stand_in(request, body))
        if before is not None:
            return before
        endpoints = WebhookEndpointRepository(session, caller.organisation_id, keyring)
        if len(await endpoints.list(None, MOST_ENDPOINTS)) >= MOST_ENDPOINTS:
            raise ConflictError(
                f"There are {MOST_ENDPOINTS} endpoints, the most: remove one that is not used."
            )
        row = await endpoints.create(
            kind=body.kind,
            name=body.name,
            url=url,
            events=list(dict.fromkeys(event.value for event in body.events)),
            secret=secret,
            created_by=caller.user_id,
        )
        read = _read(row)
        stored = WebhookEndpointCreated(**read.model_dump(), secret=None)
        await idempotency.remember(session, caller.organisation_id, stored.model_dump(mode="json"))
        await endpoints.record(Action.WEBHOOK_CREATED, actor, row.id, kind=row.kind)
    return WebhookEndpointCreated(**read.model_dump(), secret=secret)


@router.get("/endpoints", responses=problem_responses(), operation_id="list_webhook_endpoints")
async def list_endpoints(
    page: PageRequest, caller: Reader, database: DatabaseDependency, keyring: KeyringDependency
) -> Page[WebhookEndpointRead]:
    """List the endpoints, newest first, without their secrets."""
    async with database.transaction(caller.organisation_id) as session:
        endpoints = WebhookEndpointRepository(session, caller.organisation_id, keyring)
        rows = await endpoints.list(page.after, page.limit + 1)
    return paginate(rows, page, read=_read, key=lambda row: row.id)


@router.get(
    "/endpoints/{endpoint_id}", responses=problem_responses(404), operation_id="read_webhook_endpoint"
)
async def read_endpoint(
    endpoint_id: EndpointId, caller: Reader, database: DatabaseDependency, keyring: KeyringDependency
) -> WebhookEndpointRead:
    """Show an endpoint and its health."""
    async with database.transaction(caller.organisation_id) as session:
        endpoints = WebhookEndpointRepository(session, caller.organisation_id, keyring)
        return _read(await endpoints.get(endpoint_id))


@router.patch(
    "/endpoints/{endpoint_id}", responses=problem_responses(404), operation_id="update_webhook_endpoint"
)
async def update_endpoint(
    endpoint_id: EndpointId,
    body: WebhookEndpointUpdate,
    request: Request,
    caller: Writer,
    database: DatabaseDependency,
    keyring: KeyringDependency,
    actor: ActorDependency,
) -> WebhookEndpointRead:
    """Change an endpoint, or switch it off and on: the next attempt takes what holds then."""
    given: dict[str, Any] = {
        name: getattr(body, name) for name in body.model_fields_set if getattr(body, name) is not None
    }
    url = given.pop("url", None)
    if "events" in given:
        given["events"] = list(dict.fromkeys(EventType(event).value for event in given["events"]))
    if url is not None:
        _check_url(url.get_secret_value(), request.app.state.settings)
    async with database.transaction(caller.organisation_id) as session:
        endpoints = WebhookEndpointRepository(session, caller.organisation_id, keyring)
        row = await endpoints.get(endpoint_id)
        if given or url is not None:
            row = await endpoints.change(endpoint_id, url=url.get_secret_value() if url else None, **given)
            changed = ", ".join(sorted([*given, *(["url"] if url is not None else [])]))
            await endpoints.record(Action.WEBHOOK_CHANGED, actor, endpoint_id, changed=changed)
        return _read(row)


@router.post(
    "/endpoints/{endpoint_id}/secret",
    responses=problem_responses(404, 409),
    operation_id="rotate_webhook_secret",
)
async def rotate_secret(
    endpoint_id: EndpointId,
    body: SecretRotate,
    caller: Writer,
    database: DatabaseDependency,
    keyring: KeyringDependency,
    actor: ActorDependency,
) -> WebhookEndpointCreated:
    """Sign with a new secret, which this answer shows, and for a while with the one before it, too."""
    async with database.transaction(caller.organisation_id) as session:
        endpoints = WebhookEndpointRepository(session, caller.organisation_id, keyring)
        row = await endpoints.get(endpoint_id)
        if row.kind == Channel.SLACK:
            raise ConflictError("Messages of this kind are not signed; change its address instead.")
        secret = _secret(row.kind, body.secret.get_secret_value() if body.secret else None) or ""
        row = await endpoints.rotate(endpoint_id, secret, timedelta(hours=body.overlap_hours))
        await endpoints.record(
            Action.WEBHOOK_SECRET_ROTATED, actor, endpoint_id, overlap_hours=str(body.overlap_hours)
        )
        return WebhookEndpointCreated(**_read(row).model_dump(), secret=secret)


@router.delete(
    "/endpoints/{endpoint_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problem_responses(404),
    operation_id="remove_webhook_endpoint",
)
async def remove_endpoint(
    endpoint_id: EndpointId,
    caller: Writer,
    database: DatabaseDependency,
    keyring: KeyringDependency,
    actor: ActorDependency,
) -> Response:
    """Destroy address and secrets: no attempt that begins after this goes there. Its deliveries stay listed."""
    async with database.transaction(caller.organisation_id) as session:
        endpoints = WebhookEndpointRepository(session, caller.organisation_id, keyring)
        await endpoints.remove(endpoint_id)
        await endpoints.record(Action.WEBHOOK_REMOVED, actor, endpoint_id)
    return Response(status_code=status.HTTP_204_NO_CONTENT)


@router.post(
    "/endpoints/{endpoint_id}/test",
    status_code=status.HTTP_202_ACCEPTED,
    responses=problem_responses(404, 409),
    operation_id="test_webhook_endpoint",
)
async def try_endpoint(
    endpoint_id: EndpointId, caller: Writer, database: DatabaseDependency, keyring: KeyringDependency
) -> MessageRead:
    """Send an event of type `test` there. The delivery that is answered tells how it goes."""
    async with database.transaction(caller.organisation_id) as session:
        row = await WebhookEndpointRepository(session, caller.organisation_id, keyring).get(endpoint_id)
        if not row.is_active:
            raise ConflictError("The endpoint is switched off: switch it on first.")
        message = MessageNew(
            effect=f"test:{new_id('tst')}",
            channel=Channel(row.kind),
            kind=EventType.TEST.value,
            endpoint_id=row.id,
            body={"endpoint_id": row.id},
        )
        message_id = await MessageRepository(session, caller.organisation_id).add(message)
        return _delivery(await DeliveryRepository(session, caller.organisation_id).get(message_id))


@router.get("/deliveries", responses=problem_responses(), operation_id="list_deliveries")
async def list_deliveries(
    page: PageRequest,
    caller: Reader,
    database: DatabaseDependency,
    status: Annotated[MessageStatus | None, Query(description="Only those.")] = None,
    endpoint_id: Annotated[str | None, Query(pattern=ID_PATTERN, description="Only what goes there.")] = None,
) -> Page[MessageRead]:
    """List messages to people and to programs, newest first: what was tried when, and how it went."""
    async with database.transaction(caller.organisation_id) as session:
        rows = await DeliveryRepository(session, caller.organisation_id).list(
            status=status.value if status else None,
            endpoint_id=endpoint_id,
            after=page.after,
            limit=page.limit + 1,
        )
    return paginate(rows, page, read=_delivery, key=lambda row: row.id)


@router.get("/deliveries/{message_id}", responses=problem_responses(404), operation_id="read_delivery")
async def read_delivery(message_id: MessageId, caller: Reader, database: DatabaseDependency) -> MessageRead:
    """Show what became of a message."""
    async with database.transaction(caller.organisation_id) as session:
        return _delivery(await DeliveryRepository(session, caller.organisation_id).get(message_id))


@router.post(
    "/deliveries/{message_id}/replay",
    status_code=status.HTTP_202_ACCEPTED,
    responses=problem_responses(404, 409),
    operation_id="replay_delivery",
)
async def replay_delivery(
    message_id: MessageId, caller: Writer, database: DatabaseDependency, actor: ActorDependency
) -> MessageRead:
    """Send a message again, or now: the same id and the same bytes, so that a receiver knows it."""
    async with database.transaction(caller.organisation_id) as session:
        row = await DeliveryRepository(session, caller.organisation_id).replay(message_id)
        trail = AuditTrail(session, caller.organisation_id)
        await trail.record(Action.MESSAGE_REPLAYED, actor, subject=Subject(type="message", id=message_id))
        return _delivery(row)
