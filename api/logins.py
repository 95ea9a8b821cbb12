"""Registering, logging in and out, and keeping those who guess passwords waiting."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from perdure.db.audit_trail import AuditTrail
from perdure.db.identity_repository import IdentityRepository, Membership
from perdure.db.login_repository import Chain, LoginRepository, Refusal
from perdure.db.models import OrganisationRow, UserRow
from perdure.db.session import Database, enter
from perdure.domain.audit import Action, Actor, ActorKind
from perdure.domain.ids import new_id
from perdure.domain.login_limits import LoginLimits, account_subject, address_subject
from perdure.domain.passwords import Passwords, check_password
from perdure.domain.roles import Role
from perdure.domain.tokens import (
    ACCESS_TOKEN_LIFETIME,
    REFRESH_TOKEN_LIFETIME,
    REFRESH_TOKEN_PREFIX,
    AccessClaims,
    AccessTokens,
    hash_secret,
    new_secret,
)
from perdure.errors import (
    ConflictError,
    NotFoundError,
    PermissionDeniedError,
    QuotaExceededError,
    UnauthenticatedError,
)
from perdure.schemas.auth import (
    LoginCreate,
    OrganisationRead,
    RegisterCreate,
    TokenGrant,
    UserRead,
)
from perdure.schemas.operations import Subject

_SWEEP_EVERY = timedelta(hours=1)

_log = structlog.get_logger("perdure.api")


@dataclass(frozen=True)
class LoggedIn:
    """Someone who has just proved who they are, and the organisation they work in."""

    user: UserRow
    organisation: OrganisationRow
    role: Role
    # Whether they are in other organisations too.
    elsewhere: bool = False


def user_read(row: UserRow) -> UserRead:
    """A user as the API shows it."""
    return UserRead(id=row.id, email=row.email, name=row.name, created_at=row.created_at)


def organisation_read(row: OrganisationRow) -> OrganisationRead:
    """An organisation as the API shows it."""
    return OrganisationRead(id=row.id, name=row.name, created_at=row.created_at)


def logged_in_as(actor: Actor, user_id: str) -> Actor:
    """The visitor, known to be this user now."""
    return replace(actor, kind=ActorKind.USER, id=user_id, person_id=user_id)


class Logins:
    """Shared by the API routes and the console."""

    def __init__(
        self,
        database: Database,
        tokens: AccessTokens,
        passwords: Passwords | None = None,
        limits: LoginLimits | None = None,
    ) -> None:
        self._database, self._tokens = database, tokens
        self._passwords = passwords or Passwords()
        self._limits = limits or LoginLimits()
        self._swept_at = datetime.now(UTC)
        self._tasks: set[asyncio.Task[None]] = set()

    async def register(self, body: RegisterCreate, actor: Actor) -> LoggedIn:
        """Make an account and its organisation. Raises `ConflictError` when the e-mail has one."""
        check_password(body.password, body.email)
        subject = address_subject(actor.address or "", "registration")
        await self._refuse_locked([subject])
        async with self._database.transaction(None) as session:
            await LoginRepository(session).count_attempt(subject, self._limits.registration)
        async with self._passwords as passwords:
            password_hash = await passwords.hash(body.password)
        organisation_id = new_id("org")
        async with self._database.transaction(organisation_id) as session:
            identities = IdentityRepository(session)
            user = await identities.create_user(body.email, body.name, password_hash)
            if user is None:
                raise ConflictError("There is an account with this e-mail; log in instead.")
            organisation = await identities.create_organisation(organisation_id, body.organisation)
            await session.refresh(organisation)
            await identities.add_member(organisation_id, user.id, Role.OWNER)
            who = logged_in_as(actor, user.id)
            trail, made = (
                AuditTrail(session, organisation_id),
                Subject(type="organisation", id=organisation_id),
            )
            await trail.record(Action.USER_REGISTERED, who, subject=Subject(type="user", id=user.id))
            await trail.record(Action.ORGANISATION_CREATED, who, subject=made)
        return LoggedIn(user, organisation, Role.OWNER)

    async def log_in(self, body: LoginCreate, actor: Actor) -> LoggedIn:
        """Check e-mail and password.

        Nothing in the answer or in its timing tells whether the account exists. The lock is looked at again
        in the slot where the password is checked, so that many guesses at once get no further than a few.
        """
        account, client = account_subject(body.email), address_subject(actor.address or "")
        await self._refuse_locked([account, client])
        async with self._passwords as passwords:
            await self._refuse_locked([account, client])
            async with self._database.transaction(None) as session:
                user = await IdentityRepository(session).user_by_email(body.email)
            verdict = await passwords.verify(user.password_hash if user else None, body.password)
            async with self._database.transaction(None) as session:
                attempts = LoginRepository(session)
                if user is not None and verdict.matches:
                    await attempts.forget_attempts(account)
                    if verdict.rehash is not None:
                        await IdentityRepository(session).set_password_hash(user.id, verdict.rehash)
                else:
                    await attempts.count_attempt(account, self._limits.account)
                    await attempts.count_attempt(client, self._limits.address)
        if user is None or not verdict.matches:
            _log.info("log-in refused", address=actor.address)
            if user is not None:
                self._note_failure(user.id, actor)
            raise UnauthenticatedError("E-mail or password is wrong.")
        await self._sweep()
        return await self._enter(user, body.organisation_id)

    async def memberships(self, user_id: str) -> list[Membership]:
        """All organisations of a user, first joined first."""
        async with self._database.transaction(None) as session:
            return await IdentityRepository(session).memberships(user_id)

    async def enter(self, user_id: str, organisation_id: str) -> LoggedIn:
        """The same person in another of their organisations. Raises `NotFoundError` when it is none of theirs."""
        async with self._database.transaction(None) as session:
            user = await IdentityRepository(session).user(user_id)
        if user is None:
            raise UnauthenticatedError("Your account was deleted.")
        return await self._enter(user, organisation_id)

    async def _enter(self, user: UserRow, organisation_id: str | None) -> LoggedIn:
        memberships = await self.memberships(user.id)
        membership = _choose(memberships, organisation_id)
        async with self._database.transaction(membership.organisation_id) as session:
            organisation = await IdentityRepository(session).organisation(membership.organisation_id)
        if organisation is None:
            raise NotFoundError("The organisation has just been deleted; log in again.")
        return LoggedIn(user, organisation, membership.role, elsewhere=len(memberships) > 1)

    def _note_failure(self, user_id: str, actor: Actor) -> None:
        """Record it once the answer is on its way: waiting for that would tell that the account exists."""
        task = asyncio.create_task(self._record_failure(user_id, actor))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _record_failure(self, user_id: str, actor: Actor) -> None:
        try:
            for membership in await self.memberships(user_id):
                async with self._database.transaction(membership.organisation_id) as session:
                    await AuditTrail(session, membership.organisation_id).record(
                        Action.USER_LOGIN_FAILED,
                        replace(actor, person_id=user_id),
                        subject=Subject(type="user", id=user_id),
                    )
        except (SQLAlchemyError, OSError) as error:
            _log.warning("failed log-in not recorded", user_id=user_id, cause=repr(error))

    async def aclose(self) -> None:
        """Wait for what is still being written."""
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def grant(self, who: LoggedIn, actor: Actor) -> TokenGrant:
        """Start a chain of refresh tokens for a new log-in."""
        refresh_token = new_secret(REFRESH_TOKEN_PREFIX)
        async with self._database.transaction(who.organisation.id) as session:
            chain = await LoginRepository(session).start_chain(
                who.user.id, who.organisation.id, hash_secret(refresh_token), REFRESH_TOKEN_LIFETIME
            )
            trail = AuditTrail(session, who.organisation.id)
            logged_in = logged_in_as(actor, who.user.id)
            await trail.record(Action.USER_LOGGED_IN, logged_in, details={"via": "api"})
        return self._grant(who, chain, refresh_token)

    def _grant(self, who: LoggedIn, chain: Chain, refresh_token: str) -> TokenGrant:
        claims = AccessClaims(chain.user_id, chain.organisation_id, chain.family_id)
        return TokenGrant(
            user=user_read(who.user),
            organisation=organisation_read(who.organisation),
            role=who.role,
            access_token=self._tokens.issue(claims),
            refresh_token=refresh_token,
            expires_in=int(ACCESS_TOKEN_LIFETIME.total_seconds()),
        )

    async def refresh(self, refresh_token: str, actor: Actor) -> TokenGrant:
        """Rotate a refresh token. Showing one for the second time ends the whole log-in."""
        new_token = new_secret(REFRESH_TOKEN_PREFIX)
        async with self._database.transaction(None) as session:
            logins = LoginRepository(session)
            outcome = await logins.rotate(hash_secret(refresh_token), hash_secret(new_token))
            user = None
            if outcome is Refusal.REUSED:
                chain = await logins.chain_of(hash_secret(refresh_token))
                await self._record_end(session, chain, Action.REFRESH_TOKEN_REUSED, actor)
            if isinstance(outcome, Chain):
                user = await IdentityRepository(session).user(outcome.user_id)
        if outcome is Refusal.REUSED:
            _log.warning("refresh token used twice; its log-in was ended")
        if isinstance(outcome, Refusal) or user is None:
            raise UnauthenticatedError("The refresh token does not work any more; log in again.")
        try:
            who = await self._enter(user, outcome.organisation_id)
        except (NotFoundError, PermissionDeniedError) as error:
            detail = "You are no longer in this organisation; log in again."
            raise UnauthenticatedError(detail) from error
        return self._grant(who, outcome, new_token)

    @staticmethod
    async def _record_end(session: AsyncSession, chain: Chain | None, action: Action, actor: Actor) -> None:
        if chain is None:
            return
        await enter(session, chain.organisation_id)
        who = logged_in_as(actor, chain.user_id)
        await AuditTrail(session, chain.organisation_id).record(action, who, details={"via": "api"})

    async def log_out(self, refresh_token: str, actor: Actor) -> str | None:
        """End the log-in of a refresh token, known or not; returns its user for `Authenticator.forget`."""
        async with self._database.transaction(None) as session:
            logins = LoginRepository(session)
            chain = await logins.chain_of(hash_secret(refresh_token))
            if chain is None:
                return None
            if await logins.revoke_family(chain.family_id):
                await self._record_end(session, chain, Action.USER_LOGGED_OUT, actor)
            return chain.user_id

    async def _refuse_locked(self, subjects: Sequence[str]) -> None:
        async with self._database.transaction(None) as session:
            until = await LoginRepository(session).locked_until(subjects)
        if until is not None:
            wait = max(until - datetime.now(UTC), timedelta(seconds=1))
            detail = f"Too many attempts; try again in {round(wait.total_seconds())} seconds."
            raise QuotaExceededError(detail, wait)

    async def _sweep(self) -> None:
        now = datetime.now(UTC)
        if now - self._swept_at < _SWEEP_EVERY:
            return
        self._swept_at = now
        async with self._database.transaction(None) as session:
            await LoginRepository(session).sweep()


def _choose(memberships: Sequence[Membership], organisation_id: str | None) -> Membership:
    if not memberships:
        detail = "Your account is in no organisation; ask an owner of one to add you."
        raise PermissionDeniedError(detail)
    if organisation_id is None:
        return memberships[0]
    for membership in memberships:
        if membership.organisation_id == organisation_id:
            return membership
    raise NotFoundError(f"You are in no organisation with the id {organisation_id}.")
