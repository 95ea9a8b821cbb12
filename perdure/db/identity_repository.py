"""Organisations, users and memberships."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Row, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from perdure.db.models import MembershipRow, OrganisationRow, UserRow
from perdure.domain.ids import new_id
from perdure.domain.roles import Role

_MEMBERSHIPS = text("SELECT organisation_id, organisation_name, role FROM find_memberships(:user_id)")


@dataclass(frozen=True)
class Membership:
    """A user's place in one organisation."""

    organisation_id: str
    organisation_name: str
    role: Role


@dataclass(frozen=True)
class Member:
    """A person in the current organisation."""

    user_id: str
    email: str
    name: str
    role: Role
    created_at: datetime


def _member(row: Row[MembershipRow, UserRow]) -> Member:
    membership, user = row
    return Member(user.id, user.email, user.name, Role(membership.role), membership.created_at)


class IdentityRepository:
    """Reads and writes who is who; the caller owns the transaction and its organisation."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def create_organisation(self, organisation_id: str, name: str) -> OrganisationRow:
        """Insert an organisation; the transaction must already be that organisation's."""
        row = OrganisationRow(id=organisation_id, name=name)
        self._session.add(row)
        await self._session.flush()
        return row

    async def organisation(self, organisation_id: str) -> OrganisationRow | None:
        """The organisation, when the transaction is its own."""
        return await self._session.get(OrganisationRow, organisation_id)

    async def rename_organisation(self, organisation_id: str, name: str) -> OrganisationRow | None:
        """Change the name."""
        statement = update(OrganisationRow).where(OrganisationRow.id == organisation_id).values(name=name)
        return await self._session.scalar(statement.returning(OrganisationRow))

    async def create_user(self, email: str, name: str, password_hash: str) -> UserRow | None:
        """Insert a user; None when the e-mail has an account. Of two at once, one gets None."""
        statement = insert(UserRow).values(
            id=new_id("usr"), email=email, name=name, password_hash=password_hash
        )
        return await self._session.scalar(
            statement.on_conflict_do_nothing(index_elements=["email"]).returning(UserRow)
        )

    async def user(self, user_id: str) -> UserRow | None:
        """A user by id."""
        return await self._session.get(UserRow, user_id)

    async def user_by_email(self, email: str) -> UserRow | None:
        """A user by e-mail, already in lower case."""
        return await self._session.scalar(select(UserRow).where(UserRow.email == email))

    async def set_password_hash(self, user_id: str, password_hash: str) -> None:
        """Replace the hash."""
        await self._session.execute(
            update(UserRow)
            .where(UserRow.id == user_id)
            .values(password_hash=password_hash, updated_at=func.now())
        )

    async def memberships(self, user_id: str) -> list[Membership]:
        """All organisations of a user, first joined first; works without an organisation."""
        rows = await self._session.execute(_MEMBERSHIPS, {"user_id": user_id})
        return [Membership(row.organisation_id, row.organisation_name, Role(row.role)) for row in rows]

    async def add_member(self, organisation_id: str, user_id: str, role: Role) -> bool:
        """Insert a membership; False when there is one."""
        statement = insert(MembershipRow).values(
            organisation_id=organisation_id, user_id=user_id, role=role.value
        )
        added = await self._session.scalar(
            statement.on_conflict_do_nothing(index_elements=["organisation_id", "user_id"]).returning(
                MembershipRow.user_id
            )
        )
        return added is not None

    async def members(self, organisation_id: str, after: str | None, limit: int) -> Sequence[Member]:
        """Members, newest account first."""
        statement = (
            select(MembershipRow, UserRow)
            .join(UserRow, UserRow.id == MembershipRow.user_id)
            .where(MembershipRow.organisation_id == organisation_id)
            .order_by(MembershipRow.user_id.desc())
            .limit(limit)
        )
        if after is not None:
            statement = statement.where(MembershipRow.user_id < after)
        return [_member(row) for row in await self._session.execute(statement)]

    async def member(self, organisation_id: str, user_id: str) -> Member | None:
        """One member."""
        statement = (
            select(MembershipRow, UserRow)
            .join(UserRow, UserRow.id == MembershipRow.user_id)
            .where(MembershipRow.organisation_id == organisation_id, MembershipRow.user_id == user_id)
        )
        row = (await self._session.execute(statement)).first()
        return None if row is None else _member(row)

    async def lock_owners(self, organisation_id: str) -> set[str]:
        """The owners' ids, locked until the transaction ends, so that two owners cannot both leave."""
        owners = await self._session.scalars(
            select(MembershipRow.user_id)
            .where(MembershipRow.organisation_id == organisation_id, MembershipRow.role == Role.OWNER.value)
            .order_by(MembershipRow.user_id)
            .with_for_update()
        )
        return set(owners)

    async def set_role(self, organisation_id: str, user_id: str, role: Role) -> None:
        """Change a member's role."""
        await self._session.execute(
            update(MembershipRow)
            .where(MembershipRow.organisation_id == organisation_id, MembershipRow.user_id == user_id)
            .values(role=role.value)
        )

    async def remove_member(self, organisation_id: str, user_id: str) -> None:
        """Delete a membership."""
        await self._session.execute(
            delete(MembershipRow).where(
                MembershipRow.organisation_id == organisation_id, MembershipRow.user_id == user_id
            )
        )
