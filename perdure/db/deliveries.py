"""What becomes of the messages of one organisation; the caller owns the transaction."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from perdure.db.models import MembershipRow, MessageRow, OrganisationRow, UserRow
from perdure.errors import ConflictError, NotFoundError
from perdure.ports.sending import Attempt
from perdure.schemas.messages import DeliveryTry, MessageStatus

# Whoever was handed a message and has not come back so long after its time, is gone.
SILENT_FOR = timedelta(minutes=10)
_HANDED_JUST_NOW = timedelta(seconds=30)
_DETAIL_CHARACTERS = 500
_TRIES_KEPT = 40
_DUE = text("SELECT id, organisation_id FROM find_due_messages(:silent_for, :limit)")


class DeliveryRepository:
    """Messages as they are delivered."""

    def __init__(self, session: AsyncSession, organisation_id: str) -> None:
        self._session, self._organisation_id = session, organisation_id

    async def waiting(self, message_id: str) -> MessageRow | None:
        """A message that somebody still has to deliver."""
        return await self._session.scalar(
            select(MessageRow).where(self._is(message_id), MessageRow.status == MessageStatus.WAITING)
        )

    async def get(self, message_id: str) -> MessageRow:
        """A message; NotFoundError."""
        row = await self._session.scalar(select(MessageRow).where(self._is(message_id)))
        if row is None:
            detail = f"There is no message {message_id}: list them with GET /api/v1/webhooks/deliveries."
            raise NotFoundError(detail)
        return row

    async def list(
        self, *, status: str | None, endpoint_id: str | None, after: str | None, limit: int
    ) -> Sequence[MessageRow]:
        """Messages, newest first."""
        statement = (
            select(MessageRow)
            .where(MessageRow.organisation_id == self._organisation_id)
            .order_by(MessageRow.id.desc())
            .limit(limit)
        )
        if status is not None:
            statement = statement.where(MessageRow.status == status)
        if endpoint_id is not None:
            statement = statement.where(MessageRow.endpoint_id == endpoint_id)
        if after is not None:
            statement = statement.where(MessageRow.id < after)
        return (await self._session.scalars(statement)).all()

    async def hand_over(self, message_ids: Sequence[str]) -> None:
        """Note that workflows were started for them."""
        await self._session.execute(
            update(MessageRow)
            .where(MessageRow.id.in_(message_ids), MessageRow.next_at <= func.now())
            .values(handed_at=func.now())
        )

    async def note(
        self, message_id: str, attempt: Attempt, at: datetime, latency_ms: float, retry_in: timedelta | None
    ) -> MessageStatus:
        """Write down how an attempt went; what becomes of the message by it."""
        row = await self._session.scalar(
            select(MessageRow)
            .where(self._is(message_id), MessageRow.status == MessageStatus.WAITING)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
        if row is None:
            return MessageStatus.DEAD
        status = MessageStatus.WAITING if retry_in is not None else MessageStatus.DEAD
        if attempt.ok:
            status = MessageStatus.SENT
        now: datetime = (await self._session.execute(select(func.now()))).scalar_one()
        detail = attempt.detail[:_DETAIL_CHARACTERS]
        one = DeliveryTry(
            at=at, ok=attempt.ok, detail=detail, fault=attempt.fault, latency_ms=round(latency_ms, 1)
        )
        row.status, row.attempts = status.value, row.attempts + 1
        row.tries = [*row.tries, one.model_dump(mode="json")][-_TRIES_KEPT:]
        row.next_at = now + retry_in if status is MessageStatus.WAITING and retry_in else None
        row.last_error = None if attempt.ok else detail
        row.sent_at = now if attempt.ok else None
        await self._session.flush()
        return status

    async def postpone(self, message_id: str, detail: str, wait: timedelta) -> None:
        """Nobody could try: somebody looks again then."""
        await self._session.execute(
            update(MessageRow)
            .where(self._is(message_id), MessageRow.status == MessageStatus.WAITING)
            .values(next_at=func.now() + wait, handed_at=None, last_error=detail)
        )

    async def replay(self, message_id: str) -> MessageRow:
        """Send it again, from the first attempt on: the same id and the same bytes. ConflictError while it waits."""
        row = await self.get(message_id)
        now: datetime = (await self._session.execute(select(func.now()))).scalar_one()
        is_handed = row.handed_at is not None and row.handed_at > now - _HANDED_JUST_NOW
        if row.status == MessageStatus.WAITING and is_handed and row.attempts == 0:
            raise ConflictError("It is being sent right now; look again in a moment.")
        row.status, row.attempts = MessageStatus.WAITING.value, 0
        row.handed_at = row.sent_at = None
        row.next_at = now
        await self._session.flush()
        return row

    async def address_of(self, recipient: str) -> str | None:
        """The e-mail address of `user:…` or `email:…`; None when it is nobody of this organisation."""
        kind, _, value = recipient.partition(":")
        if kind == "email":
            return value
        statement = (
            select(UserRow.email)
            .join(MembershipRow, MembershipRow.user_id == UserRow.id)
            .where(MembershipRow.organisation_id == self._organisation_id, UserRow.id == value)
        )
        found: str | None = await self._session.scalar(statement)
        return found

    async def name_of(self, person: str) -> str:
        """What people call somebody."""
        kind, _, value = person.partition(":")
        if kind == "email":
            return value
        return await self._session.scalar(select(UserRow.name).where(UserRow.id == value)) or ""

    async def organisation_name(self) -> str:
        """What the organisation calls itself."""
        statement = select(OrganisationRow.name).where(OrganisationRow.id == self._organisation_id)
        return await self._session.scalar(statement) or ""

    def _is(self, message_id: str) -> ColumnElement[bool]:
        return and_(MessageRow.organisation_id == self._organisation_id, MessageRow.id == message_id)


async def due_messages(session: AsyncSession, limit: int) -> Sequence[tuple[str, str]]:
    """Ids of messages that nobody delivers yet, with their organisations; works without an organisation."""
    rows = await session.execute(_DUE, {"silent_for": SILENT_FOR, "limit": limit})
    return [(row.id, row.organisation_id) for row in rows]
