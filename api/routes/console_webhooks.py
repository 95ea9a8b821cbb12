"""Console: where events are sent, and what became of messages. The rules are those of the API's own routes."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from pydantic import ValidationError
from starlette.responses import Response

from api.actors import ActorDependency
from api.dependencies import DatabaseDependency, KeyringDependency, Principal, require
from api.idempotency import IdempotentRequest
from api.pagination import MAX_LIMIT, PageParameters
from api.routes import webhooks
from api.routes.console_pages import PAGE_SIZE, ConsoleRoute, Pages, Shown, said_of
from api.routes.console_words import Look
from perdure.domain.roles import Scope
from perdure.errors import PerdureError
from perdure.schemas.messages import (
    EventType,
    MessageRead,
    MessageStatus,
    SecretRotate,
    WebhookEndpointCreate,
    WebhookEndpointCreated,
    WebhookEndpointRead,
    WebhookEndpointUpdate,
)

router = APIRouter(prefix="/settings/webhooks", route_class=ConsoleRoute, include_in_schema=False)

Reader = Annotated[Principal, require("webhooks:read")]
Writer = Annotated[Principal, require("webhooks:write")]

_ALL = PageParameters(limit=MAX_LIMIT)
_LATEST = PageParameters(limit=PAGE_SIZE)
EVENTS = [event.value for event in EventType if event is not EventType.TEST]
NOTHING: dict[str, Any] = {"kind": "webhook", "name": "", "url": "", "events": []}
_LOOKS = {
    MessageStatus.WAITING: Look("Waiting", "clock", "info"),
    MessageStatus.SENT: Look("Sent", "check-circle", "success"),
    MessageStatus.DEAD: Look("Given up", "x-circle", "danger"),
}


@dataclass(frozen=True)
class EndpointView:
    """An endpoint, and how it looks."""

    endpoint: WebhookEndpointRead

    @property
    def look(self) -> Look:
        """Its health in a word."""
        if not self.endpoint.is_active:
            return Look("Off", "pause-circle", "neutral")
        if self.endpoint.failures:
            return Look("Failing", "alert", "warning")
        if self.endpoint.last_success_at is not None:
            return Look("Works", "check-circle", "success")
        return Look("Not used yet", "clock", "neutral")


@dataclass(frozen=True)
class DeliveryView:
    """A message, and how it looks."""

    message: MessageRead
    where: str

    @property
    def look(self) -> Look:
        """What became of it, in a word."""
        return _LOOKS[self.message.status]


async def _page(
    pages: Pages, caller: Principal, *, status: MessageStatus | None = None, **context: Any
) -> Response:
    shown: dict[str, Any] = {"fault": None, "given": NOTHING, "created": None, **context}
    keyring = pages.request.app.state.keyring
    endpoints = (await webhooks.list_endpoints(_ALL, caller, pages.database, keyring)).items
    listed = await webhooks.list_deliveries(_LATEST, caller, pages.database, status, None)
    names = {endpoint.id: endpoint.name for endpoint in endpoints}
    return await pages.inside(
        "settings_webhooks.html",
        caller,
        "webhooks",
        http_status=422 if shown["fault"] else 200,
        endpoints=[EndpointView(endpoint) for endpoint in endpoints],
        deliveries=[
            DeliveryView(message, names.get(message.endpoint_id or "", _receiver(message)))
            for message in listed.items
        ],
        events=EVENTS,
        status=status.value if status else "",
        statuses=[each.value for each in MessageStatus],
        may_change=Scope.WEBHOOKS_WRITE in caller.scopes,
        has_mail=bool(pages.settings.smtp_url),
        **shown,
    )


def _receiver(message: MessageRead) -> str:
    if message.endpoint_id is not None:
        return "a removed endpoint"
    if message.channel != "email":
        return "an address of a workflow"
    return (message.recipient or "").partition(":")[2] or "somebody"


@router.get("")
async def show_webhooks(pages: Shown, caller: Reader, status: MessageStatus | None = None) -> Response:
    """Endpoints and deliveries."""
    return await _page(pages, caller, status=status)


@router.post("")
async def add_endpoint(
    *,
    pages: Shown,
    caller: Writer,
    request: Request,
    database: DatabaseDependency,
    keyring: KeyringDependency,
    idempotency: IdempotentRequest,
    actor: ActorDependency,
    kind: Annotated[str, Form()] = "webhook",
    name: Annotated[str, Form()] = "",
    url: Annotated[str, Form()] = "",
    events: Annotated[list[str] | None, Form()] = None,
) -> Response:
    """Add an endpoint; its secret is shown once."""
    given = {"kind": kind, "name": name.strip(), "url": url.strip(), "events": events or []}
    try:
        body = WebhookEndpointCreate.model_validate(given)
        created = await webhooks.create_endpoint(body, request, caller, database, keyring, idempotency, actor)
    except (ValidationError, PerdureError) as error:
        return await _page(pages, caller, fault=said_of(error), given=given)
    shown = created if isinstance(created, WebhookEndpointCreated) else None
    return await _page(pages, caller, created=shown)


@router.post("/{endpoint_id}/secret")
async def rotate_secret(
    endpoint_id: str,
    pages: Shown,
    caller: Writer,
    database: DatabaseDependency,
    keyring: KeyringDependency,
    actor: ActorDependency,
) -> Response:
    """Make a new secret; the old one signs for another day."""
    try:
        created = await webhooks.rotate_secret(endpoint_id, SecretRotate(), caller, database, keyring, actor)
    except PerdureError as error:
        return await _page(pages, caller, fault=said_of(error))
    return await _page(pages, caller, created=created)


@router.post("/{endpoint_id}/test")
async def try_endpoint(
    endpoint_id: str, pages: Shown, caller: Writer, database: DatabaseDependency, keyring: KeyringDependency
) -> Response:
    """Send a test event."""
    try:
        await webhooks.try_endpoint(endpoint_id, caller, database, keyring)
    except PerdureError as error:
        return await _page(pages, caller, fault=said_of(error))
    return pages.redirect("/settings/webhooks", "test-sent")


@router.post("/{endpoint_id}/switch")
async def switch_endpoint(
    *,
    endpoint_id: str,
    pages: Shown,
    request: Request,
    caller: Writer,
    database: DatabaseDependency,
    keyring: KeyringDependency,
    actor: ActorDependency,
    on: Annotated[bool, Form()] = False,
) -> Response:
    """Switch it on or off."""
    body = WebhookEndpointUpdate(is_active=on)
    try:
        await webhooks.update_endpoint(endpoint_id, body, request, caller, database, keyring, actor)
    except PerdureError as error:
        return await _page(pages, caller, fault=said_of(error))
    return pages.redirect("/settings/webhooks", "switched-on" if on else "switched-off")


@router.post("/{endpoint_id}/remove")
async def remove_endpoint(
    endpoint_id: str,
    pages: Shown,
    caller: Writer,
    database: DatabaseDependency,
    keyring: KeyringDependency,
    actor: ActorDependency,
) -> Response:
    """Remove it."""
    try:
        await webhooks.remove_endpoint(endpoint_id, caller, database, keyring, actor)
    except PerdureError as error:
        return await _page(pages, caller, fault=said_of(error))
    return pages.redirect("/settings/webhooks", "endpoint-removed")


@router.post("/deliveries/{message_id}/replay")
async def replay_delivery(
    message_id: str, pages: Shown, caller: Writer, database: DatabaseDependency, actor: ActorDependency
) -> Response:
    """Send a message again."""
    try:
        await webhooks.replay_delivery(message_id, caller, database, actor)
    except PerdureError as error:
        return await _page(pages, caller, fault=said_of(error))
    return pages.redirect("/settings/webhooks", "sent-again")
