"""What log-ins leave behind: refresh tokens, console sessions, counted attempts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any

from sqlalchemy import CursorResult, and_, case, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from perdure.db.models import LoginAttemptRow, RefreshTokenRow, SessionRow
from perdure.domain.ids import new_id
from perdure.domain.login_limits import AttemptPolicy

_ATTEMPTS_KEPT = timedelta(days=1)


class Refusal(Enum):
    """Why a refresh token does not work."""

    UNKNOWN = "unknown"
    EXPIRED = "expired"
    REVOKED = "revoked"
    REUSED = "reused"


@dataclass(frozen=True)
class Chain:
    """What a refresh token stands for."""

    user_id: str
    organisation_id: str
    family_id: str


class LoginRepository:
    """Global tables: no organisation is needed. The caller owns the transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def start_chain(
        self, user_id: str, organisation_id: str, token_hash: str, lifetime: timedelta
    ) -> Chain:
        """Insert the first refresh token of a new log-in."""
        chain = Chain(user_id, organisation_id, new_id("fam"))
        self._add_link(chain, token_hash, datetime.now(UTC) + lifetime)
        await self._session.flush()
        return chain

    def _add_link(self, chain: Chain, token_hash: str, expires_at: datetime) -> None:
        self._session.add(
            RefreshTokenRow(
                id=new_id("rft"),
                user_id=chain.user_id,
                active_organisation_id=chain.organisation_id,
                family_id=chain.family_id,
                token_hash=token_hash,
                expires_at=expires_at,
            )
        )

    async def rotate(self, token_hash: str, new_token_hash: str) -> Chain | Refusal:
        """Use a refresh token up and put a new one in its place, which expires when the old one would have.

        The row is locked: of two uses at once, the second sees the first and counts as reuse, which revokes
        the whole family. The caller must commit also when this returns a refusal.
        """
        row = await self._session.scalar(
            select(RefreshTokenRow).where(RefreshTokenRow.token_hash == token_hash).with_for_update()
        )
        if row is None:
            return Refusal.UNKNOWN
        now = datetime.now(UTC)
        if row.revoked_at is not None:
            return Refusal.REVOKED
        if row.used_at is not None:
            await self.revoke_family(row.family_id)
            return Refusal.REUSED
        if row.expires_at <= now:
            return Refusal.EXPIRED
        row.used_at = now
        chain = Chain(row.user_id, row.active_organisation_id, row.family_id)
        self._add_link(chain, new_token_hash, row.expires_at)
        await self._session.flush()
        return chain

    async def chain_of(self, token_hash: str) -> Chain | None:
        """What a refresh token stands for, whatever its state."""
        row = await self._session.scalar(
            select(RefreshTokenRow).where(RefreshTokenRow.token_hash == token_hash)
        )
        return None if row is None else Chain(row.user_id, row.active_organisation_id, row.family_id)

    async def revoke_family(self, family_id: str) -> bool:
        """End a log-in; False when it had ended before."""
        revoked = await self._session.scalars(
            update(RefreshTokenRow)
            .where(RefreshTokenRow.family_id == family_id, RefreshTokenRow.revoked_at.is_(None))
            .values(revoked_at=func.now())
            .returning(RefreshTokenRow.id)
        )
        return bool(revoked.all())

    async def end_all(self, user_id: str, organisation_id: str) -> None:
        """End every log-in and session of a user in an organisation."""
        await self._session.execute(
            update(RefreshTokenRow)
            .where(
                RefreshTokenRow.user_id == user_id,
                RefreshTokenRow.active_organisation_id == organisation_id,
                RefreshTokenRow.revoked_at.is_(None),
            )
            .values(revoked_at=func.now())
        )
        await self._session.execute(
            delete(SessionRow).where(
                SessionRow.user_id == user_id, SessionRow.active_organisation_id == organisation_id
            )
        )

    async def start_session(
        self, user_id: str, organisation_id: str, token_hash: str, csrf_token: str, lifetime: timedelta
    ) -> SessionRow:
        """Insert a console session."""
        row = SessionRow(
            token_hash=token_hash,
            user_id=user_id,
            active_organisation_id=organisation_id,
            csrf_token=csrf_token,
            expires_at=datetime.now(UTC) + lifetime,
        )
        self._session.add(row)
        await self._session.flush()
        return row

    async def end_session(self, token_hash: str) -> None:
        """Delete a console session."""
        await self._session.execute(delete(SessionRow).where(SessionRow.token_hash == token_hash))

    async def locked_until(self, subjects: Sequence[str]) -> datetime | None:
        """The latest lock that still holds for any of the subjects."""
        return await self._session.scalar(
            select(func.max(LoginAttemptRow.locked_until)).where(
                LoginAttemptRow.subject.in_(subjects), LoginAttemptRow.locked_until > func.now()
            )
        )

    async def count_attempt(self, subject: str, policy: AttemptPolicy) -> datetime | None:
        """Count one attempt; returns until when the subject is locked now, if it is."""
        expired = LoginAttemptRow.window_started_at < func.now() - policy.window
        statement = insert(LoginAttemptRow).values(subject=subject, failures=1)
        failures = await self._session.scalar(
            statement.on_conflict_do_update(
                index_elements=["subject"],
                set_={
                    "failures": case((expired, 1), else_=LoginAttemptRow.failures + 1),
                    "window_started_at": case((expired, func.now()), else_=LoginAttemptRow.window_started_at),
                },
            ).returning(LoginAttemptRow.failures)
        )
        lock = policy.lock_after(failures or 1)
        if lock is None:
            return None
        return await self._session.scalar(
            update(LoginAttemptRow)
            .where(LoginAttemptRow.subject == subject)
            .values(locked_until=func.now() + lock)
            .returning(LoginAttemptRow.locked_until)
        )

    async def forget_attempts(self, subject: str) -> None:
        """A success ends the count."""
        await self._session.execute(delete(LoginAttemptRow).where(LoginAttemptRow.subject == subject))

    async def sweep(self) -> dict[str, int]:
        """Delete what can have no effect any more; how many rows of each table that were."""
        old = {
            RefreshTokenRow: RefreshTokenRow.expires_at < func.now() - timedelta(hours=1),
            SessionRow: SessionRow.expires_at < func.now(),
            LoginAttemptRow: and_(
                LoginAttemptRow.window_started_at < func.now() - _ATTEMPTS_KEPT,
                or_(LoginAttemptRow.locked_until.is_(None), LoginAttemptRow.locked_until < func.now()),
            ),
        }
        swept = {}
        for row, is_old in old.items():
            deleted: CursorResult[Any] = await self._session.execute(delete(row).where(is_old))  # type: ignore[assignment]  # of a DELETE
            swept[row.__tablename__] = deleted.rowcount
        return swept
