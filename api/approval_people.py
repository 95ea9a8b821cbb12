"""Under which names the engine of approvals knows a caller, and whom they may name."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from api.authentication import Principal
from perdure.db.identity_repository import IdentityRepository
from perdure.domain.roles import Role, Scope
from perdure.errors import FieldError, InvalidInputError


@dataclass(frozen=True)
class Naming:
    """Somebody who is named in a request, and where."""

    person: str
    pointer: str


def is_administrator(caller: Principal) -> bool:
    """Whether somebody may steer the organisation's approvals: who may say who its members are."""
    return caller.role in {Role.OWNER, Role.ADMIN} or Scope.MEMBERS_WRITE in caller.scopes


async def names_of(session: AsyncSession, caller: Principal) -> tuple[str, ...]:
    """The names of a caller: as a user, and by the address with which they are a member."""
    user = await IdentityRepository(session).user(caller.user_id)
    return called(caller.user_id, user.email if user is not None else None)


def called(user_id: str, email: str | None) -> tuple[str, ...]:
    """The names of somebody with this address."""
    return (f"user:{user_id}", f"email:{email}") if email is not None else (f"user:{user_id}",)


async def person_named(
    session: AsyncSession, caller: Principal, naming: Naming, outside: frozenset[str] = frozenset()
) -> str:
    """The member who is meant. An address of nobody here is taken from `outside` and from an administrator only."""
    identities = IdentityRepository(session)
    kind, _, name = naming.person.partition(":")
    user_id: str | None = name
    if kind == "email":
        address = name.lower()
        user = await identities.user_by_email(address)
        user_id = user.id if user is not None else None
        if user_id is None or await identities.member(caller.organisation_id, user_id) is None:
            if address in outside or is_administrator(caller):
                return f"email:{address}"
            user_id = None
    if user_id is None or await identities.member(caller.organisation_id, user_id) is None:
        detail = f"{naming.person} is no member of the organisation: name somebody who is."
        raise InvalidInputError(detail, [FieldError(naming.pointer, detail)])
    return f"user:{user_id}"
