"""Messages: what is said to people and to other programs, and what became of it."""

from enum import StrEnum
from typing import Any, Literal

from pydantic import Field, SecretStr

from perdure.domain.message_kinds import DeliveryFault, EventType, LetterKind
from perdure.schemas.base import Contract, Id, Instant, RequestBody

__all__ = [
    "Channel",
    "DeliverMessageInput",
    "Delivered",
    "DeliveryFault",
    "DeliveryTry",
    "EventType",
    "LetterKind",
    "MessageNew",
    "MessageRead",
    "MessageStatus",
    "SecretRotate",
    "WebhookEndpointCreate",
    "WebhookEndpointCreated",
    "WebhookEndpointRead",
    "WebhookEndpointUpdate",
]


class Channel(StrEnum):
    """How a message travels."""

    EMAIL = "email"
    WEBHOOK = "webhook"
    SLACK = "slack"


class MessageStatus(StrEnum):
    """What became of a message."""

    WAITING = "waiting"
    SENT = "sent"
    DEAD = "dead"


class MessageNew(Contract):
    """One message to one receiver. `effect` names what it is for: with the same one, nothing is said twice."""

    effect: str = Field(max_length=300)
    channel: Channel
    kind: str = Field(max_length=100, description="A `LetterKind`, or an `EventType` for programs.")
    recipient: str | None = Field(
        default=None,
        max_length=2_000,
        description="`user:usr_…` or `email:…`; for a webhook or Slack without an endpoint, as much of its address as "
        "is no secret.",
    )
    endpoint_id: str | None = Field(default=None, description="`whe_…`, for a webhook or Slack.")
    reference: dict[str, str] = Field(
        default={}, description="Ids that a letter is written from: `approval_id`, `stage`, `document_id`."
    )
    body: dict[str, Any] | None = Field(
        default=None,
        description="What is said, where it cannot be looked up: `{subject, text}` of a notification. For a webhook "
        "it is the `data` of the event.",
    )


class DeliverMessageInput(Contract):
    """Input of `DeliverMessage`, whose workflow id is the message's."""

    organisation_id: Id
    message_id: Id


class Delivered(Contract):
    """What an attempt came to. `retry_in_s` is how long to wait for the next one; null when there is none here."""

    status: MessageStatus
    retry_in_s: float | None = None


class WebhookEndpointCreate(RequestBody):
    """Where to send events."""

    kind: Literal["webhook", "slack"] = Field(
        default="webhook",
        description="`webhook` is signed as Standard Webhooks wants it; `slack` is any address that takes Slack's "
        "incoming messages, such as Slack, Mattermost or Discord with `/slack`.",
    )
    name: str = Field(min_length=1, max_length=100, description="What people call it.")
    url: SecretStr = Field(
        max_length=2_000,
        description="An https address in the open internet. It is stored encrypted, and shown without its query; of "
        "Slack's, whose address is its secret, only the host is shown.",
    )
    events: list[EventType] = Field(
        min_length=1, max_length=20, description="What it is told of.", examples=[["approval.completed"]]
    )
    secret: SecretStr | None = Field(
        default=None,
        max_length=200,
        description="`whsec_` and 24 to 64 bytes in base64; made when it is missing. Only for `webhook`.",
    )


class WebhookEndpointUpdate(RequestBody):
    """What changes; what is missing stays."""

    name: str | None = Field(default=None, min_length=1, max_length=100)
    url: SecretStr | None = Field(default=None, max_length=2_000)
    events: list[EventType] | None = Field(default=None, min_length=1, max_length=20)
    is_active: bool | None = Field(default=None, description="False: nothing new is sent to it.")


class WebhookEndpointRead(Contract):
    """An endpoint, without its secrets."""

    id: str
    kind: Literal["webhook", "slack"]
    name: str
    url: str = Field(description="As much of the address as is no secret.")
    events: list[str]
    is_active: bool
    failures: int = Field(description="Attempts in a row that failed.")
    last_error: str | None
    last_attempt_at: Instant | None
    last_success_at: Instant | None
    previous_secret_until: Instant | None = Field(
        description="Until when messages are signed with the previous secret, too."
    )
    created_by: str | None
    created_at: Instant
    updated_at: Instant


class WebhookEndpointCreated(WebhookEndpointRead):
    """An endpoint as it is answered once."""

    secret: str | None = Field(description="What signatures are verified with. It is shown only now.")


class SecretRotate(RequestBody):
    """How to change the secret of an endpoint."""

    secret: SecretStr | None = Field(
        default=None, max_length=200, description="The new one; made when it is missing."
    )
    overlap_hours: int = Field(
        default=24, ge=0, le=24 * 30, description="For how long messages are signed with both."
    )


class DeliveryTry(Contract):
    """One attempt."""

    at: Instant
    ok: bool
    detail: str
    fault: DeliveryFault | None = Field(default=None, description="Why it failed, where that is known.")
    latency_ms: float


class MessageRead(Contract):
    """A message and what became of it. What it says is not shown: it may stand for somebody else."""

    id: str
    channel: Channel
    kind: str
    recipient: str | None
    endpoint_id: str | None
    reference: dict[str, str]
    status: MessageStatus
    attempts: int
    tries: list[DeliveryTry]
    next_at: Instant | None = Field(description="When it is tried next; null when it is not.")
    last_error: str | None
    created_at: Instant
    sent_at: Instant | None
