"""Messages of tests, and the activities that deliver them to receivers on this machine."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import select

from activities.letters import LetterWriter
from activities.messages import MessageActivities
from perdure.db.deliveries import DeliveryRepository
from perdure.db.keyring import Keyring
from perdure.db.messages import MessageRepository
from perdure.db.models import MessageRow
from perdure.db.session import Database
from perdure.db.webhook_endpoints import WebhookEndpointRepository
from perdure.domain.decision_tokens import DecisionTokens
from perdure.domain.ids import new_id
from perdure.domain.standard_webhooks import new_secret
from perdure.providers.smtp_sender import SmtpSender
from perdure.providers.webhook_poster import WebhookPoster
from perdure.schemas.messages import Channel, DeliverMessageInput, EventType, LetterKind, MessageNew

PUBLIC_URL = "https://perdure.example"
TOKENS = DecisionTokens(b"a secret of the tests, long enough")


@asynccontextmanager
async def delivering(
    database: Database, keyring: Keyring, *, allowed: str = "", smtp_url: str = ""
) -> AsyncIterator[MessageActivities]:
    """The real activities. Hosts of receivers are opened as an operator opens them."""
    poster = WebhookPoster(allowed)
    mail = SmtpSender(smtp_url, "Perdure <perdure@example.org>" if smtp_url else "")
    try:
        yield MessageActivities(database.transaction, keyring, mail, poster, LetterWriter(TOKENS, PUBLIC_URL))
    finally:
        await poster.aclose()


class Outbox:
    """Messages of one organisation."""

    def __init__(self, database: Database, keyring: Keyring, organisation_id: str) -> None:
        self._database, self._keyring, self.organisation_id = database, keyring, organisation_id

    async def endpoint(self, url: str, *, kind: str = "webhook", secret: str | None = None) -> str:
        """An endpoint that hears of every approval that ended."""
        async with self._database.transaction(self.organisation_id) as session:
            row = await WebhookEndpointRepository(session, self.organisation_id, self._keyring).create(
                kind=kind,
                name="receiver",
                url=url,
                events=[EventType.APPROVAL_COMPLETED.value],
                secret=(secret or new_secret()) if kind == "webhook" else None,
                created_by=None,
            )
        return row.id

    async def publish(self, count: int = 1, **data: Any) -> list[str]:
        """Events, each to every endpoint."""
        async with self._database.transaction(self.organisation_id) as session:
            messages = MessageRepository(session, self.organisation_id)
            return [
                message_id
                for number in range(count)
                for message_id in await messages.publish(
                    new_id("eff"), EventType.APPROVAL_COMPLETED, {"number": number, **data}
                )
            ]

    async def letter(self, recipient: str, subject: str = "Hello", text: str = "A text.") -> str:
        """A notification to a person."""
        return await self.add(
            MessageNew(
                effect=new_id("eff"),
                channel=Channel.EMAIL,
                kind=LetterKind.NOTIFICATION.value,
                recipient=recipient,
                body={"subject": subject, "text": text},
            )
        )

    async def add(self, message: MessageNew) -> str:
        """Any message."""
        async with self._database.transaction(self.organisation_id) as session:
            return await MessageRepository(session, self.organisation_id).add(message)

    async def waiting(self) -> list[str]:
        """Ids of what is still to be delivered, oldest first."""
        async with self._database.transaction(self.organisation_id) as session:
            statement = select(MessageRow.id).where(MessageRow.status == "waiting").order_by(MessageRow.id)
            return list((await session.scalars(statement)).all())

    async def row(self, message_id: str) -> MessageRow:
        """What became of a message."""
        async with self._database.transaction(self.organisation_id) as session:
            return await DeliveryRepository(session, self.organisation_id).get(message_id)

    def job(self, message_id: str) -> DeliverMessageInput:
        """What its workflow is started with."""
        return DeliverMessageInput(organisation_id=self.organisation_id, message_id=message_id)
