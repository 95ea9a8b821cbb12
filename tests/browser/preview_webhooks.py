"""The page of notifications with invented content, extremes included."""

from typing import Any

from api.routes.console_webhooks import EVENTS, NOTHING, DeliveryView, EndpointView
from perdure.domain.ids import new_id
from perdure.schemas.messages import (
    Channel,
    MessageRead,
    MessageStatus,
    WebhookEndpointCreated,
    WebhookEndpointRead,
)
from tests.browser.preview import LONG, Page, ago, common


def endpoint(name: str, **more: Any) -> WebhookEndpointRead:
    values: dict[str, Any] = {
        "kind": "webhook",
        "url": "https://billing.example.org/perdure",
        "events": ["approval.completed", "workflow.failed"],
        "is_active": True,
        "failures": 0,
        "last_error": None,
        "last_attempt_at": None,
        "last_success_at": None,
        "previous_secret_until": None,
        **more,
    }
    return WebhookEndpointRead(
        id=new_id("whe"),
        name=name,
        created_by="usr_1",
        created_at=ago(days=3),
        updated_at=ago(days=3),
        **values,
    )


ENDPOINTS = [
    endpoint("billing", last_success_at=ago(minutes=3)),
    endpoint(
        LONG[:100],
        url=f"https://hooks.{'long-' * 10}name.example.org/…",
        events=EVENTS,
        failures=7,
        last_error="It cannot be reached: the host hooks.example.org is not found",
    ),
    endpoint("alerts", kind="slack", url="https://hooks.slack.example/…", is_active=False),
]


def message(status: MessageStatus, channel: Channel, kind: str, **more: Any) -> MessageRead:
    values: dict[str, Any] = {
        "recipient": None,
        "endpoint_id": None,
        "reference": {},
        "attempts": 1,
        "tries": [],
        "next_at": None,
        "last_error": None,
        "sent_at": None,
        **more,
    }
    return MessageRead(
        id=new_id("msg"), channel=channel, kind=kind, status=status, created_at=ago(hours=2), **values
    )


DELIVERIES = [
    DeliveryView(message(MessageStatus.SENT, Channel.WEBHOOK, "approval.completed"), "billing"),
    DeliveryView(
        message(MessageStatus.WAITING, Channel.SLACK, "workflow.failed", attempts=4, last_error=LONG),
        LONG[:100],
    ),
    DeliveryView(
        message(
            MessageStatus.DEAD,
            Channel.EMAIL,
            "approval.asked",
            attempts=13,
            last_error="The mail server answered 550: 5.1.1 no such user",
        ),
        "somebody.with.a.long.name@subsidiary.of.a.large.company.example.org",
    ),
]


def webhooks(**more: Any) -> dict[str, Any]:
    return {
        **common("webhooks"),
        "endpoints": [EndpointView(each) for each in ENDPOINTS],
        "deliveries": DELIVERIES,
        "events": EVENTS,
        "status": "",
        "statuses": [each.value for each in MessageStatus],
        "may_change": True,
        "has_mail": True,
        "fault": None,
        "given": NOTHING,
        "created": None,
        **more,
    }


def made() -> dict[str, Any]:
    created = WebhookEndpointCreated(**ENDPOINTS[0].model_dump(), secret=f"whsec_{'A1b2' * 11}")
    return webhooks(created=created)


def nothing() -> dict[str, Any]:
    given = {"kind": "slack", "name": "x", "url": "http://localhost/", "events": ["test"]}
    fault = "The address cannot be used: localhost is a name of a local network, not of the internet."
    return webhooks(endpoints=[], deliveries=[], has_mail=False, fault=fault, given=given)


PAGES: dict[str, Page] = {
    "webhooks": Page("settings_webhooks.html", webhooks),
    "webhooks-made": Page("settings_webhooks.html", made),
    "webhooks-none": Page("settings_webhooks.html", nothing),
}
