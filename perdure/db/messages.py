"""Messages of one organisation: written down with what they tell of, delivered afterwards."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, SQLColumnExpression, any_, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from perdure.db.keyring import Keyring
from perdure.db.models import MembershipRow, MessageRow, WebhookEndpointRow
from perdure.db.statements import FixedStatement, statements_of
from perdure.domain.ids import made_at, new_id
from perdure.domain.roles import Role
from perdure.domain.sealing import Place
from perdure.domain.webhook_addresses import shown_url
from perdure.schemas.base import rfc3339, storable
from perdure.schemas.messages import Channel, EventType, LetterKind, MessageNew

# It leaves a moment later: whoever waits for what it tells of goes first.
_ADD = FixedStatement(
    """
    INSERT INTO messages (id, organisation_id, effect, channel, kind, recipient, sealed_recipient, endpoint_id,
        reference, body, next_at)
    SELECT id, :organisation_id, effect, channel, kind, recipient, sealed_recipient, endpoint_id,
        CAST(reference AS jsonb), body, now() + interval '200 milliseconds'
    FROM unnest(
        CAST(:ids AS text[]), CAST(:effects AS text[]), CAST(:channels AS text[]), CAST(:kinds AS text[]),
        CAST(:recipients AS text[]), CAST(:sealed AS bytea[]), CAST(:endpoint_ids AS text[]),
        CAST(:references AS text[]), CAST(:bodies AS text[])
    ) AS said (id, effect, channel, kind, recipient, sealed_recipient, endpoint_id, reference, body)
    ON CONFLICT (organisation_id, effect) DO NOTHING
    RETURNING id
    """
)
_ADMINISTRATORS = (Role.OWNER.value, Role.ADMIN.value)


@dataclass(frozen=True)
class Publication:
    """An event that programs are told of."""

    effect: str
    event: EventType
    data: Mapping[str, Any]


class MessageRepository:
    """Adds messages; the caller owns the transaction.

    Adding is all that is needed: the API's reconciler starts `DeliverMessage` for what was committed.
    """

    def __init__(self, session: AsyncSession, organisation_id: str) -> None:
        self._session, self._organisation_id = session, organisation_id

    async def add(self, message: MessageNew) -> str:
        """The message's id. Once per effect: added again, nothing changes and the first one's id is answered."""
        message_id = new_id("msg")
        if await self._insert({message_id: message}):
            return message_id
        return await self._of_effect(message.effect)

    async def add_once(self, message: MessageNew) -> bool:
        """Add it, and tell whether it is new."""
        return bool(await self._insert({new_id("msg"): message}))

    async def add_to(self, url: str, message: MessageNew, keyring: Keyring) -> str:
        """The same for a program at an address that is no endpoint: sealed, because whoever knows it may post there."""
        message_id = new_id("msg")
        shown = message.model_copy(update={"recipient": shown_url(message.channel.value, url)})
        place = recipient_place(self._organisation_id, message_id)
        sealed = await keyring.seal(self._session, place, url.encode())
        if await self._insert({message_id: shown}, {message_id: sealed}):
            return message_id
        return await self._of_effect(message.effect)

    async def alert(self, effect: str, subject: str, said: str) -> bool:
        """Write to every owner and administrator by e-mail, each once; whether any of the letters is new."""
        statement = (
            select(MembershipRow.user_id)
            .where(
                MembershipRow.organisation_id == self._organisation_id,
                MembershipRow.role.in_(_ADMINISTRATORS),
            )
            .order_by(MembershipRow.user_id)
        )
        letters = [
            MessageNew(
                effect=f"{effect}:{user_id}",
                channel=Channel.EMAIL,
                kind=LetterKind.ALERT.value,
                recipient=f"user:{user_id}",
                body={"subject": subject, "text": said},
            )
            for user_id in await self._session.scalars(statement)
        ]
        return bool(await self.say(letters))

    async def publish(self, effect: str, event: EventType, data: Mapping[str, Any]) -> list[str]:
        """Tell every active endpoint that wants to hear of an event; ids of the messages that are new by this."""
        return await self.say([Publication(effect, event, data)])

    def is_heard(self, event: EventType) -> ColumnElement[bool]:
        """Whether anybody wants to hear of an event: for a statement that reads something else, too."""
        return is_heard(self._organisation_id, [event])

    async def say(self, said: Sequence[MessageNew | Publication]) -> list[str]:
        """Add letters and events, each once per effect, in two round trips; ids of what is new by this."""
        events = {one.event.value for one in said if isinstance(one, Publication)}
        endpoints = await self._endpoints(events) if events else []
        messages = list[MessageNew]()
        for one in said:
            if isinstance(one, MessageNew):
                messages.append(one)
            else:
                messages += [
                    MessageNew(
                        effect=f"{one.effect}:{endpoint.id}",
                        channel=Channel(endpoint.kind),
                        kind=one.event.value,
                        endpoint_id=endpoint.id,
                        body=dict(one.data),
                    )
                    for endpoint in endpoints
                    if one.event.value in endpoint.events
                ]
        return await self._insert({new_id("msg"): message for message in messages})

    async def _of_effect(self, effect: str) -> str:
        statement = select(MessageRow.id).where(
            MessageRow.organisation_id == self._organisation_id, MessageRow.effect == effect
        )
        return (await self._session.execute(statement)).scalar_one()

    async def _endpoints(self, events: Collection[str]) -> Sequence[Row[str, str, list[str]]]:
        """Active endpoints that want to hear of any of these."""
        listening = _listening(self._organisation_id, events).order_by(WebhookEndpointRow.id)
        return (await self._session.execute(listening)).all()

    async def _insert(
        self, messages: Mapping[str, MessageNew], sealed: Mapping[str, bytes] = MappingProxyType({})
    ) -> list[str]:
        """Ids of what is new, in order."""
        if not messages:
            return []
        said = list(messages.values())
        added = await (await statements_of(self._session)).rows(
            _ADD,
            {
                "organisation_id": self._organisation_id,
                "ids": list(messages),
                "effects": [message.effect for message in said],
                "channels": [message.channel.value for message in said],
                "kinds": [message.kind for message in said],
                "recipients": [message.recipient for message in said],
                "sealed": [sealed.get(message_id) for message_id in messages],
                "endpoint_ids": [message.endpoint_id for message in said],
                "references": [json.dumps(message.reference) for message in said],
                "bodies": [_body(message_id, message) for message_id, message in messages.items()],
            },
        )
        return sorted(message_id for (message_id,) in added)


def is_heard(
    organisation_id: str | SQLColumnExpression[str], events: Collection[EventType]
) -> ColumnElement[bool]:
    """Whether anybody of an organisation wants to hear of any of these."""
    return _listening(organisation_id, {event.value for event in events}).exists()


def _listening(
    organisation_id: str | SQLColumnExpression[str], events: Collection[str]
) -> Select[str, str, list[str]]:
    return select(WebhookEndpointRow.id, WebhookEndpointRow.kind, WebhookEndpointRow.events).where(
        WebhookEndpointRow.organisation_id == organisation_id,
        WebhookEndpointRow.removed_at.is_(None),
        WebhookEndpointRow.is_active,
        or_(*(literal(event) == any_(WebhookEndpointRow.events) for event in sorted(events))),
    )


def recipient_place(organisation_id: str, message_id: str) -> Place:
    """Where the address of a message is sealed for."""
    return Place(organisation_id, MessageRow.__tablename__, "sealed_recipient", message_id)


def _body(message_id: str, message: MessageNew) -> str | None:
    """The body as text. What programs get stands here byte for byte as it is signed and sent, at each attempt."""
    if message.body is None:
        return None
    content: Any = message.body
    if message.channel is Channel.WEBHOOK:
        content = {"type": message.kind, "timestamp": rfc3339(made_at(message_id)), "data": content}
    return json.dumps(storable(content), ensure_ascii=False, separators=(",", ":"))
