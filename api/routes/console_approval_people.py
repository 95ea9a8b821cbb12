"""People of approvals as the console names them: members by name, others by their address."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from perdure.db.identity_repository import IdentityRepository, Member
from perdure.db.session import Database
from perdure.domain.approval_policies import Principal, PrincipalKind
from perdure.domain.roles import Role

# More members than that are found by their id or address.
MOST_MEMBERS = 1_000
_KINDS = frozenset(PrincipalKind)
# Who asks where nobody does.
_INVENTED = {"user:requester": "the requester"}


@dataclass(frozen=True)
class People:
    """Members of the organisation. A person is written `user:usr_…` or `email:…`, as in the engine."""

    members: Sequence[Member] = ()

    @cached_property
    def _by_id(self) -> Mapping[str, Member]:
        return {f"user:{member.user_id}": member for member in self.members}

    @cached_property
    def _by_email(self) -> Mapping[str, Member]:
        return {member.email.lower(): member for member in self.members}

    @cached_property
    def roles(self) -> Mapping[str, tuple[str, ...]]:
        """Who has which role, roles without anybody included."""
        found: dict[str, list[str]] = {role.value: [] for role in Role}
        for member in self.members:
            found[member.role.value].append(f"user:{member.user_id}")
        return {role: tuple(sorted(people)) for role, people in found.items()}

    @cached_property
    def addresses(self) -> Mapping[str, str]:
        """Whose address it is."""
        return {email: f"user:{member.user_id}" for email, member in self._by_email.items()}

    def name(self, person: str) -> str:
        """What a person is called."""
        member = self._by_id.get(person)
        if member is not None:
            return member.name or member.email
        if person in _INVENTED:
            return _INVENTED[person]
        kind, _, name = person.partition(":")
        return name if kind == PrincipalKind.EMAIL and name else person

    def names(self, people: Iterable[str]) -> str:
        """`Ada, Ben and Cleo`."""
        named = [self.name(person) for person in people]
        return " and ".join([", ".join(named[:-1]), named[-1]] if len(named) > 1 else named)

    def said(self, principal: object) -> str:
        """A principal of a policy as a form shows it; `principal` reads it again."""
        given = (
            {str(key): value for key, value in principal.items()} if isinstance(principal, Mapping) else {}
        )
        for kind in PrincipalKind:
            name = given.get(kind.value)
            if isinstance(name, str) and name:
                if kind is PrincipalKind.USER and f"user:{name}" in self._by_id:
                    return self._by_id[f"user:{name}"].email
                if kind is PrincipalKind.EMAIL and name.lower() not in self._by_email:
                    return name
                return f"{kind.value}:{name}"
        return ""

    def principal(self, text: str) -> dict[str, Any]:
        """The principal that somebody means: an address, a member's name, `role:approver` or a role."""
        said = text.strip()
        kind, colon, name = (part.strip() for part in said.partition(":"))
        if colon and kind in _KINDS:
            return {kind: name}
        if not said:
            return {}
        member = self._by_email.get(said.lower())
        if member is None and "@" not in said:
            if said.lower() in set(Role):
                return {PrincipalKind.ROLE.value: said.lower()}
            named = [one for one in self.members if one.name.casefold() == said.casefold()]
            member = named[0] if len(named) == 1 else None
        if member is not None:
            return {PrincipalKind.USER.value: member.user_id}
        return {PrincipalKind.EMAIL.value: said}

    def person(self, text: str) -> str | None:
        """The one person that somebody means; None for a role and for nobody."""
        given = self.principal(text)
        for kind in (PrincipalKind.USER, PrincipalKind.EMAIL):
            name = given.get(kind.value)
            if name and (kind is PrincipalKind.USER or "@" in name):
                return str(Principal(kind, name if kind is PrincipalKind.USER else name.lower()))
        return None

    @property
    def offers(self) -> list[tuple[str, str]]:
        """What a field proposes, each with what it means."""
        roles = [(f"role:{role.value}", f"Everybody with the role {role.value}") for role in Role]
        return roles + [(member.email, member.name) for member in self.members]


async def people_of(database: Database, organisation_id: str) -> People:
    """The members of an organisation."""
    async with database.transaction(organisation_id) as session:
        return People(await IdentityRepository(session).members(organisation_id, None, MOST_MEMBERS))
