"""Delivering messages, one attempt at a time."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession
from temporalio import activity

from activities.failures import failures
from activities.letters import LetterWriter, NotWantedError
from perdure.db.deliveries import DeliveryRepository
from perdure.db.keyring import Keyring
from perdure.db.messages import recipient_place
from perdure.db.models import MessageRow
from perdure.db.session import Transaction
from perdure.db.webhook_endpoints import OpenedEndpoint, WebhookEndpointRepository
from perdure.domain.letters import Letter, chat_text
from perdure.domain.standard_webhooks import retry_in, signed_headers
from perdure.errors import SealedValueError
from perdure.ports.sending import Attempt, MailSender, Poster
from perdure.schemas.messages import Channel, Delivered, DeliverMessageInput, MessageStatus

# Without a mail server letters wait; who configures one, restarts the worker and waits so long at most.
LOOK_AGAIN = timedelta(hours=1)
KEPT_WAITING = timedelta(days=14)
_NO_SERVER = (
    "There is no mail server: set PERDURE_SMTP_URL and PERDURE_MAIL_FROM for the worker. The letter waits."
)


@dataclass(frozen=True)
class _Posting:
    url: str
    body: bytes
    secrets: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Mailing:
    to: str
    letter: Letter


class MessageActivities:
    """Side effects of delivery. Whoever gets a message twice knows it by its id, which no attempt changes."""

    def __init__(
        self,
        transaction: Transaction,
        keyring: Keyring,
        mail: MailSender,
        poster: Poster,
        letters: LetterWriter,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._transaction, self._keyring = transaction, keyring
        self._mail, self._poster, self._letters, self._clock = mail, poster, letters, clock

    @activity.defn
    async def deliver_message(self, job: DeliverMessageInput) -> Delivered:
        """Try once, and write down how it went. One that is sent or dead is left alone."""
        with failures():
            async with self._transaction(job.organisation_id) as session:
                deliveries = DeliveryRepository(session, job.organisation_id)
                message = await deliveries.waiting(job.message_id)
                if message is None:
                    return Delivered(status=MessageStatus.DEAD)
                if message.channel == Channel.EMAIL and not self._mail.is_configured:
                    return await self._kept_waiting(deliveries, message)
                await deliveries.hand_over([message.id])
                prepared = await self._prepared(session, message)
            at, began = self._clock(), time.monotonic()
            attempt = prepared if isinstance(prepared, Attempt) else await self._tried(message.id, prepared)
            return await self._noted(job, message, attempt, at, (time.monotonic() - began) * 1000)

    async def _kept_waiting(self, deliveries: DeliveryRepository, message: MessageRow) -> Delivered:
        if self._clock() - message.created_at > KEPT_WAITING:
            attempt = Attempt(ok=False, detail=_NO_SERVER, is_final=True)
            return Delivered(status=await deliveries.note(message.id, attempt, self._clock(), 0.0, None))
        await deliveries.postpone(message.id, _NO_SERVER, LOOK_AGAIN)
        return Delivered(status=MessageStatus.WAITING)

    async def _prepared(self, session: AsyncSession, message: MessageRow) -> _Posting | _Mailing | Attempt:
        """What is to be sent where; or how the attempt ended before it began."""
        if message.channel == Channel.EMAIL:
            return await self._mailing(session, message)
        endpoint: OpenedEndpoint | None = None
        if message.endpoint_id is not None:
            try:
                endpoints = WebhookEndpointRepository(session, message.organisation_id, self._keyring)
                endpoint = await endpoints.opened(message.endpoint_id)
            except SealedValueError as error:
                return Attempt(ok=False, detail=str(error), is_final=True)
        try:
            url = endpoint.url if endpoint is not None else await self._address(session, message)
        except SealedValueError as error:
            return Attempt(ok=False, detail=str(error), is_final=True)
        if not url or (message.endpoint_id is not None and endpoint is None):
            detail = "The endpoint is switched off or removed: switch it on, and send this again."
            return Attempt(ok=False, detail=detail, is_final=True)
        body = message.body or "{}"
        if message.channel == Channel.SLACK:
            said = {"text": chat_text(message.kind, json.loads(body))}
            return _Posting(url, json.dumps(said, ensure_ascii=False).encode())
        return _Posting(url, body.encode(), endpoint.secrets if endpoint is not None else ())

    async def _address(self, session: AsyncSession, message: MessageRow) -> str | None:
        """Of a message to no endpoint."""
        if message.sealed_recipient is None:
            return message.recipient  # written by a version that did not seal it
        place = recipient_place(message.organisation_id, message.id)
        return (await self._keyring.open(session, place, message.sealed_recipient)).decode()

    async def _mailing(self, session: AsyncSession, message: MessageRow) -> _Mailing | Attempt:
        recipient = message.recipient or ""
        to = await DeliveryRepository(session, message.organisation_id).address_of(recipient)
        if to is None:
            detail = "Whom it is for is no member of the organisation any more."
            return Attempt(ok=False, detail=detail, is_final=True)
        try:
            return _Mailing(to, await self._letters.written(session, message))
        except NotWantedError as reason:
            return Attempt(ok=False, detail=str(reason), is_final=True)

    async def _tried(self, message_id: str, prepared: _Posting | _Mailing) -> Attempt:
        if isinstance(prepared, _Mailing):
            return await self._mail.send(prepared.letter, to=prepared.to, message_id=message_id)
        headers = {"webhook-id": message_id}
        if prepared.secrets:
            headers = signed_headers(message_id, self._clock(), prepared.body, prepared.secrets)
        return await self._poster.post(prepared.url, prepared.body, headers)

    async def _noted(
        self, job: DeliverMessageInput, message: MessageRow, attempt: Attempt, at: datetime, latency_ms: float
    ) -> Delivered:
        wait = None
        if not attempt.ok and not attempt.is_final:
            wait = retry_in(message.id, message.attempts + 1, attempt.retry_after)
        async with self._transaction(job.organisation_id) as session:
            status = await DeliveryRepository(session, job.organisation_id).note(
                message.id, attempt, at, latency_ms, wait
            )
            if message.endpoint_id is not None:
                endpoints = WebhookEndpointRepository(session, job.organisation_id, self._keyring)
                await endpoints.note(
                    message.endpoint_id, ok=attempt.ok, detail=attempt.detail, is_gone=attempt.is_gone
                )
        waiting = status is MessageStatus.WAITING and wait is not None
        return Delivered(status=status, retry_in_s=wait.total_seconds() if waiting and wait else None)
