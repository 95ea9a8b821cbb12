"""Who is calling: an API key, an access token or a console session becomes a `Principal`."""

import asyncio
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

import structlog
from sqlalchemy import RowMapping, TextClause, text
from sqlalchemy.exc import SQLAlchemyError

from perdure.db.api_key_repository import LAST_USED_PRECISION, ApiKeyRepository
from perdure.db.session import Database
from perdure.domain.roles import Role, scopes_of
from perdure.domain.tokens import API_KEY_PREFIX, AccessTokens, hash_secret
from perdure.errors import UnauthenticatedError

# How long a revocation, a demotion or a log-out in another process may go unseen. It saves the one query that
# every request of the same caller would repeat; this process forgets at once.
CACHE_S = 5.0
_CACHE_ENTRIES = 10_000

_API_KEY = text("SELECT id, organisation_id, created_by, scopes, expires_at FROM find_api_key(:key_hash)")
_ACCESS_TOKEN = text(
    "SELECT m.role FROM find_memberships(:user_id) m WHERE m.organisation_id = :organisation_id "
    "AND NOT EXISTS "
    "(SELECT FROM refresh_tokens r WHERE r.family_id = :family_id AND r.revoked_at IS NOT NULL)"
)
_SESSION = text(
    "SELECT s.user_id, s.active_organisation_id, s.csrf_token, s.expires_at, m.role "
    "FROM sessions s CROSS JOIN LATERAL find_memberships(s.user_id) m "
    "WHERE s.token_hash = :token_hash AND s.expires_at > now() "
    "AND m.organisation_id = s.active_organisation_id"
)

Via = Literal["api_key", "access_token", "session"]

_log = structlog.get_logger("perdure.api")


@dataclass(frozen=True)
class Principal:
    """The caller. `actor_id` is the user, or the API key acting for `user_id`; a key has no `role`."""

    organisation_id: str
    user_id: str
    actor_id: str
    role: Role | None
    scopes: frozenset[str]
    via: Via
    csrf_token: str | None = field(default=None, repr=False)
    expires_at: datetime | None = None


class Authenticator:
    """Resolves credentials with at most one query, without a transaction."""

    def __init__(self, database: Database, tokens: AccessTokens) -> None:
        self._database, self._tokens = database, tokens
        self._known: dict[str, tuple[float, Principal]] = {}
        self._changes = 0
        self._touched: dict[str, float] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def bearer(self, token: str) -> Principal:
        """The caller behind `Authorization: Bearer`; raises `UnauthenticatedError`."""
        if token.startswith(API_KEY_PREFIX):
            return await self._api_key(token)
        claims = self._tokens.read(token)
        cached = f"{claims.user_id}/{claims.organisation_id}/{claims.family_id}"
        if (known := self._remembered(cached)) is not None:
            return known
        changes = self._changes
        row = await self._one(
            _ACCESS_TOKEN,
            user_id=claims.user_id,
            organisation_id=claims.organisation_id,
            family_id=claims.family_id,
        )
        if row is None:
            detail = "This log-in has ended, or you are no longer in the organisation; log in again."
            raise UnauthenticatedError(detail)
        role = Role(row["role"])
        principal = Principal(
            organisation_id=claims.organisation_id,
            user_id=claims.user_id,
            actor_id=claims.user_id,
            role=role,
            scopes=frozenset(scopes_of(role)),
            via="access_token",
        )
        return self._remember(cached, principal, changes)

    async def session(self, cookie: str) -> Principal:
        """The caller behind a console cookie; `csrf_token` is what unsafe requests must show."""
        token_hash = hash_secret(cookie)
        if (known := self._remembered(token_hash)) is not None:
            return known
        changes = self._changes
        row = await self._one(_SESSION, token_hash=token_hash)
        if row is None:
            raise UnauthenticatedError("Your session has ended; log in again.")
        role = Role(row["role"])
        principal = Principal(
            organisation_id=row["active_organisation_id"],
            user_id=row["user_id"],
            actor_id=row["user_id"],
            role=role,
            scopes=frozenset(scopes_of(role)),
            via="session",
            csrf_token=row["csrf_token"],
            expires_at=row["expires_at"],
        )
        return self._remember(token_hash, principal, changes)

    async def _api_key(self, key: str) -> Principal:
        key_hash = hash_secret(key)
        principal = self._remembered(key_hash)
        if principal is None:
            changes = self._changes
            row = await self._one(_API_KEY, key_hash=key_hash)
            if row is None:
                detail = (
                    "The API key is unknown, revoked or expired; make a new one at POST /api/v1/api-keys."
                )
                raise UnauthenticatedError(detail)
            principal = Principal(
                organisation_id=row["organisation_id"],
                user_id=row["created_by"],
                actor_id=row["id"],
                role=None,
                scopes=frozenset(row["scopes"]),
                via="api_key",
                expires_at=row["expires_at"],
            )
            self._remember(key_hash, principal, changes)
        self._note_use(principal)
        return principal

    async def _one(self, statement: TextClause, **values: str) -> RowMapping | None:
        """Run one query on its own: no BEGIN, no COMMIT, one round trip."""
        async with self._database.engine.connect() as connection:
            autocommit = await connection.execution_options(isolation_level="AUTOCOMMIT")
            return (await autocommit.execute(statement, values)).mappings().first()

    def _remembered(self, key: str) -> Principal | None:
        until, principal = self._known.get(key, (0.0, None))
        if principal is None or time.monotonic() >= until:
            return None
        if principal.expires_at is not None and principal.expires_at <= datetime.now(UTC):
            return None
        return principal

    def _remember(self, key: str, principal: Principal, changes: int) -> Principal:
        """Keep it, unless something was forgotten since the look-up began: it may have read the old state."""
        if changes != self._changes:
            return principal
        if len(self._known) >= _CACHE_ENTRIES:
            self._known.clear()
        self._known[key] = (time.monotonic() + CACHE_S, principal)
        return principal

    def forget(self, *ids: str) -> None:
        """Look these users or API keys up afresh from now on: their rights have changed."""
        self._changes += 1
        wanted = set(ids)
        stale = [key for key, (_, who) in self._known.items() if {who.user_id, who.actor_id} & wanted]
        for key in stale:
            del self._known[key]

    def _note_use(self, principal: Principal) -> None:
        """Write `last_used_at` in the background, at most once a minute for each key."""
        now = time.monotonic()
        if now - self._touched.get(principal.actor_id, -1e9) < LAST_USED_PRECISION.total_seconds():
            return
        if len(self._touched) >= _CACHE_ENTRIES:
            self._touched.clear()
        self._touched[principal.actor_id] = now
        task = asyncio.create_task(self._touch(principal))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _touch(self, principal: Principal) -> None:
        try:
            async with self._database.transaction(principal.organisation_id) as session:
                await ApiKeyRepository(session).touch(principal.actor_id)
        except (SQLAlchemyError, OSError) as error:
            _log.warning("last use of an API key not recorded", key_id=principal.actor_id, cause=repr(error))

    async def aclose(self) -> None:
        """Wait for what is still being written."""
        if self._tasks:
            await asyncio.wait(self._tasks)
