"""Writes and reads the audit trail.

    async with database.transaction(organisation_id) as session:
        …  # what is to be recorded
        await AuditTrail(session, organisation_id).record(Action.MEMBER_ADDED, actor, subject=Subject(…))

Record last: from here to the commit, other writers of the organisation's trail wait.
"""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, Select, func, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from perdure.db.models import AuditEventRow, AuditHeadRow, AuditPersonKeyRow
from perdure.db.statements import FixedStatement, statements_of
from perdure.domain.audit import (
    GENESIS,
    Action,
    Actor,
    AuditEvent,
    ChainedEvent,
    canonical_json,
    event_hash,
    microseconds,
)
from perdure.domain.audit_anchors import Anchor
from perdure.domain.audit_origins import new_person_key, open_origin, seal_origin
from perdure.schemas.operations import Subject

PAGE = 1000

# One round trip: the head's lock orders the writers, and the clock is read under it, so that time never goes back.
_HEAD = FixedStatement(
    """
    WITH head AS (
        INSERT INTO audit_heads (organisation_id, sequence, hash, at)
        VALUES (:organisation_id, 0, :genesis, clock_timestamp())
        ON CONFLICT (organisation_id) DO UPDATE SET at = clock_timestamp()
        RETURNING sequence, hash, at
    )
    SELECT head.sequence, head.hash, head.at, k.user_id, k.key
    FROM head LEFT JOIN audit_person_keys k
        ON k.organisation_id = :organisation_id AND k.user_id = ANY(CAST(:people AS text[]))
    """
)
# A person who has just been erased gets no new key.
_ADD_KEY = text(
    """
    INSERT INTO audit_person_keys (organisation_id, user_id, key)
    SELECT o.id, u.id, CAST(:key AS text) FROM organisations o, users u
    WHERE o.id = :organisation_id AND u.id = :person_id
    ON CONFLICT DO NOTHING RETURNING key
    """
)
_APPEND = FixedStatement(
    """
    WITH event AS (
        INSERT INTO audit_events (organisation_id, sequence, at, actor_kind, actor_id, person_id, action,
            subject_type, subject_id, request_id, origin, details, previous_hash, hash)
        VALUES (:organisation_id, :sequence, :at, :actor_kind, :actor_id, :person_id, :action,
            :subject_type, :subject_id, :request_id, :origin, :details, :previous_hash, :hash)
    )
    UPDATE audit_heads SET sequence = :sequence, hash = :hash WHERE organisation_id = :organisation_id
    """
)
_HEADS = text("SELECT organisation_id, sequence, hash, at FROM find_audit_heads(:since, :after, :limit)")


@dataclass(frozen=True)
class Entry:
    """Something to be recorded. `details` is for ids, counts and words of ours: it cannot be erased."""

    action: Action
    actor: Actor
    subject: Subject | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class AuditFilter:
    """Which events a reader wants. `actor` is a user, who then stands for their API keys too, or a key."""

    action: str | None = None
    actor: str | None = None
    subject: str | None = None
    since: datetime | None = None
    until: datetime | None = None


# PostgreSQL counts from 2000, and goes further than Python can follow.
_YEAR_2000_US = 946_684_800_000_000
_COLUMNS = tuple(column for column in AuditEventRow.__table__.columns if column.name not in {"at", "hash"})
_EVENTS = select(*_COLUMNS, AuditEventRow.hash, func.timestamptz_send(AuditEventRow.at).label("at"))


def _stored(row: RowMapping) -> ChainedEvent:
    values = {column.name: row[column.name] for column in _COLUMNS}
    at_us = int.from_bytes(row["at"], "big", signed=True) + _YEAR_2000_US
    return ChainedEvent(AuditEvent(**values, at_us=at_us), row["hash"])


class AuditTrail:
    """The trail of the session's organisation; the caller owns the transaction."""

    def __init__(self, session: AsyncSession, organisation_id: str) -> None:
        self._session, self._organisation_id = session, organisation_id

    async def record(
        self,
        action: Action,
        actor: Actor,
        *,
        subject: Subject | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> int:
        """Append an event, which stands when the transaction commits; its sequence number.

        `details` is for ids, counts and words of ours, never for what people wrote: it cannot be erased.
        """
        return await self.record_all([Entry(action, actor, subject, details or {})])

    async def record_all(self, entries: Sequence[Entry]) -> int:
        """Append events in their order, all in two round trips; the sequence number of the last."""
        people = {entry.actor.person_id for entry in entries if entry.actor.person_id is not None}
        given = {"organisation_id": self._organisation_id, "genesis": GENESIS, "people": sorted(people)}
        statements = await statements_of(self._session)
        found = await statements.rows(_HEAD, given)
        sequence: int
        sequence, previous, at = found[0][:3]
        rows = list[dict[str, Any]]()
        keys: dict[str, str] = {user_id: key for _, _, _, user_id, key in found if user_id is not None}
        for entry in entries:
            sequence += 1
            event = AuditEvent(
                organisation_id=self._organisation_id,
                sequence=sequence,
                at_us=microseconds(at),
                actor_kind=entry.actor.kind.value,
                actor_id=entry.actor.id,
                person_id=entry.actor.person_id,
                action=entry.action.value,
                subject_type=entry.subject.type if entry.subject else None,
                subject_id=entry.subject.id if entry.subject else None,
                request_id=entry.actor.request_id,
                origin=await self._origin(entry.actor, keys, sequence),
                details=canonical_json(entry.details),
                previous_hash=previous,
            )
            previous = event_hash(event)
            rows.append({**event.__dict__, "at": at, "hash": previous})
        if rows:
            await statements.each(_APPEND, rows)
        return sequence

    async def record_once(
        self, action: Action, actor: Actor, *, subject: Subject, details: Mapping[str, Any]
    ) -> None:
        """Append an event unless this actor is on record with it: for what an activity does when it is repeated."""
        if not await self.list(AuditFilter(action=action.value, actor=actor.id), limit=1):
            await self.record(action, actor, subject=subject, details=details)

    async def _origin(self, actor: Actor, keys: dict[str, str], sequence: int) -> str | None:
        """The sealed address; none without a person, whose key could be destroyed. A key that is made is kept."""
        if actor.address is None or actor.person_id is None:
            return None
        key = keys.get(actor.person_id)
        if key is None:
            given = {
                "organisation_id": self._organisation_id,
                "person_id": actor.person_id,
                "key": new_person_key(),
            }
            # The look-up above began before the head's lock was free, and may have missed a new key.
            key = await self._session.scalar(_ADD_KEY, given) or await self._session.scalar(
                select(AuditPersonKeyRow.key).where(AuditPersonKeyRow.user_id == actor.person_id)
            )
            if key is None:
                return None
            keys[actor.person_id] = key
        return seal_origin(actor.address, key, self._organisation_id, sequence)

    async def list(
        self, wanted: AuditFilter, *, before: int | None = None, limit: int = 50
    ) -> Sequence[ChainedEvent]:
        """Events, newest first; `before` is the sequence that the page before ended with."""
        row = AuditEventRow
        statement = self._events().order_by(row.sequence.desc()).limit(limit)
        if before is not None:
            statement = statement.where(row.sequence < before)
        if wanted.action is not None:
            statement = statement.where(row.action == wanted.action)
        if wanted.actor is not None:
            statement = statement.where(or_(row.actor_id == wanted.actor, row.person_id == wanted.actor))
        if wanted.subject is not None:
            statement = statement.where(row.subject_id == wanted.subject)
        if wanted.since is not None:
            statement = statement.where(row.at >= wanted.since)
        if wanted.until is not None:
            statement = statement.where(row.at < wanted.until)
        return await self._read(statement)

    async def page(self, after: int | None = None, limit: int = PAGE) -> Sequence[ChainedEvent]:
        """Events in the order of the chain, from the beginning or after a sequence number."""
        statement = self._events().order_by(AuditEventRow.sequence).limit(limit)
        if after is not None:
            statement = statement.where(AuditEventRow.sequence > after)
        return await self._read(statement)

    async def about(
        self, subjects: Collection[str], *, after: int | None = None, limit: int = PAGE
    ) -> Sequence[ChainedEvent]:
        """Events of these subjects in the order of the chain, from the beginning or after a sequence number."""
        row = AuditEventRow
        statement = self._events().where(row.subject_id.in_(subjects)).order_by(row.sequence).limit(limit)
        if after is not None:
            statement = statement.where(row.sequence > after)
        return await self._read(statement)

    def _events(self) -> Select[Any]:
        # Also without row level security, as a superuser reads, a trail is one organisation's.
        return _EVENTS.where(AuditEventRow.organisation_id == self._organisation_id)

    async def _read(self, statement: Select[Any]) -> Sequence[ChainedEvent]:
        return [_stored(row) for row in (await self._session.execute(statement)).mappings()]

    async def head(self) -> AuditHeadRow | None:
        """The end of the chain."""
        return await self._session.get(AuditHeadRow, self._organisation_id)

    async def hash_at(self, sequence: int) -> str | None:
        """The stored hash of one event."""
        statement = select(AuditEventRow.hash).where(
            AuditEventRow.organisation_id == self._organisation_id, AuditEventRow.sequence == sequence
        )
        return await self._session.scalar(statement)

    async def addresses(self, events: Sequence[AuditEvent]) -> dict[int, str]:
        """Where events came from, by sequence; those of erased people are not among them."""
        people = {event.person_id for event in events if event.origin is not None}
        statement = select(AuditPersonKeyRow).where(AuditPersonKeyRow.user_id.in_(people))
        keys = {row.user_id: row.key for row in await self._session.scalars(statement)}
        opened = {
            event.sequence: open_origin(
                event.origin, keys[event.person_id], event.organisation_id, event.sequence
            )
            for event in events
            if event.origin is not None and event.person_id in keys
        }
        return {sequence: address for sequence, address in opened.items() if address is not None}


async def heads_since(session: AsyncSession, since: datetime) -> AsyncIterator[Anchor]:
    """The ends of all organisations' trails that moved since then; works without an organisation."""
    after = ""
    while True:
        given = {"since": since, "after": after, "limit": PAGE}
        rows = (await session.execute(_HEADS, given)).all()
        for row in rows:
            yield Anchor(row.organisation_id, row.sequence, row.hash, row.at)
        if len(rows) < PAGE:
            return
        after = rows[-1].organisation_id
