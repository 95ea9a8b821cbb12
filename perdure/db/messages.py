"""Messages of one organisation: written down with what they tell of, delivered afterwards."""

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import any_, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from perdure.db.models import MembershipRow, MessageRow, WebhookEndpointRow
from perdure.domain.ids import made_at, new_id
from perdure.domain.roles import Role
from perdure.schemas.base import rfc3339, storable
from perdure.schemas.messages import Channel, EventType, LetterKind, MessageNew

_ADMINISTRATORS = (Role.OWNER.value, Role.ADMIN.value)


class MessageRepository:
    """Adds messages; the caller owns the transaction.

    Adding is all that is needed: the API's reconciler starts `DeliverMessage` for what was committed.
    """

    def __init__(self, session: AsyncSession, organisation_id: str) -> None:
        self._session, self._organisation_id = session, organisation_id

    async def add(self, message: MessageNew) -> str:
        """The message's id. Once per effect: added again, nothing changes and the first one's id is answered."""
        message_id = new_id("msg")
        if await self._insert(message_id, message):
            return message_id
        statement = select(MessageRow.id).where(
            MessageRow.organisation_id == self._organisation_id, MessageRow.effect == message.effect
        )
        return (await self._session.execute(statement)).scalar_one()

    async def add_once(self, message: MessageNew) -> bool:
        """Add it, and tell whether it is new."""
        return await self._insert(new_id("msg"), message)

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
        is_new = False
        for user_id in (await self._session.scalars(statement)).all():
            is_new |= await self.add_once(
                MessageNew(
                    effect=f"{effect}:{user_id}",
                    channel=Channel.EMAIL,
                    kind=LetterKind.ALERT.value,
                    recipient=f"user:{user_id}",
                    body={"subject": subject, "text": said},
                )
            )
        return is_new

    async def publish(self, effect: str, event: EventType, data: Mapping[str, Any]) -> list[str]:
        """Tell every active endpoint that wants to hear of an event; ids of the messages that are new by this."""
        statement = (
            select(WebhookEndpointRow.id, WebhookEndpointRow.kind)
            .where(
                WebhookEndpointRow.organisation_id == self._organisation_id,
                WebhookEndpointRow.removed_at.is_(None),
                WebhookEndpointRow.is_active,
                literal(event.value) == any_(WebhookEndpointRow.events),
            )
            .order_by(WebhookEndpointRow.id)
        )
        added = []
        for endpoint_id, kind in (await self._session.execute(statement)).all():
            message = MessageNew(
                effect=f"{effect}:{endpoint_id}",
                channel=Channel(kind),
                kind=event.value,
                endpoint_id=endpoint_id,
                body=dict(data),
            )
            message_id = new_id("msg")
            if await self._insert(message_id, message):
                added.append(message_id)
        return added

    async def _insert(self, message_id: str, message: MessageNew) -> bool:
        statement = (
            insert(MessageRow)
            .values(
                id=message_id,
                organisation_id=self._organisation_id,
                effect=message.effect,
                channel=message.channel.value,
                kind=message.kind,
                recipient=message.recipient,
                endpoint_id=message.endpoint_id,
                reference=message.reference,
                body=_body(message_id, message),
            )
            .on_conflict_do_nothing(index_elements=["organisation_id", "effect"])
            .returning(MessageRow.id)
        )
        return await self._session.scalar(statement) is not None


def _body(message_id: str, message: MessageNew) -> str | None:
    """The body as text. What programs get stands here byte for byte as it is signed and sent, at each attempt."""
    if message.body is None:
        return None
    content: Any = message.body
    if message.channel is Channel.WEBHOOK:
        content = {"type": message.kind, "timestamp": rfc3339(made_at(message_id)), "data": content}
    return json.dumps(storable(content), ensure_ascii=False, separators=(",", ":"))
