"""Who is asked: the people behind a policy's users, roles and addresses, each of them in one seat."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from perdure.domain.approval_policies import Approver, Principal, PrincipalKind, Seats, Stage
from perdure.domain.approval_state import ApprovalState, Seat


@dataclass(frozen=True, slots=True)
class Directory:
    """Who has which role and which address, and who does not decide in this stage."""

    roles: Mapping[str, tuple[str, ...]]
    addresses: Mapping[str, str]
    barred: frozenset[str] = frozenset()

    def people_of(self, principal: Principal) -> tuple[str, ...]:
        """Everybody who is meant, the barred too, in a fixed order."""
        if principal.kind is PrincipalKind.ROLE:
            return tuple(sorted(set(self.roles.get(principal.name, ()))))
        if principal.kind is PrincipalKind.EMAIL:
            return (self.addresses.get(principal.name, str(principal)),)
        return (str(principal),)

    def asked(self, principals: Sequence[Principal], but: Collection[str] = ()) -> tuple[str, ...]:
        """Who of those named may be asked, once each."""
        found: dict[str, None] = {}
        for principal in principals:
            for person in self.people_of(principal):
                if person not in self.barred and person not in but:
                    found[person] = None
        return tuple(found)

    def means(self, principals: Sequence[Principal], person: str) -> bool:
        """Whether somebody is among those named."""
        return any(person in self.people_of(principal) for principal in principals)


def directory_of(state: ApprovalState, barred: Collection[str]) -> Directory:
    """The directory as the request knows it; whoever is gone is nobody's any more."""
    return Directory(state.roles, state.addresses, frozenset((*barred, *state.gone)))


def seats_of(stage: Stage, directory: Directory) -> tuple[tuple[Seat, ...], tuple[tuple[str, ...], ...]]:
    """The seats of a stage, and for each requirement the seats of which one must approve.

    Who is named and may not decide leaves an empty seat. Nobody has two: who is named has a seat of their own, then
    who is asked with everybody of a role; a seat of a whole role is for those who have none.
    """
    personal = [one for one in stage.approvers if one.principal.kind is not PrincipalKind.ROLE]
    every = [one for one in stage.approvers if _is_role(one) and one.seats is Seats.EACH]
    shared = [one for one in stage.approvers if _is_role(one) and one.seats is Seats.ONE]
    places: list[tuple[Approver, tuple[str, ...]]] = []
    taken: set[str] = set()
    for one in personal:
        (person,) = directory.people_of(one.principal)
        if person in taken:
            continue
        free = person not in directory.barred
        places.append((one, (person,) if free else ()))
        taken.add(person)
    for one in every:
        for person in directory.asked((one.principal,), taken):
            places.append((one, (person,)))
            taken.add(person)
    groups = [directory.asked((one.principal,), taken) for one in shared]
    places.extend(zip(shared, _apart(groups), strict=True))
    seats = tuple(
        _seat(f"{stage.id}/{number}", approver, people, stage, directory)
        for number, (approver, people) in enumerate(places, start=1)
    )
    return seats, tuple(_satisfying(principal, seats, directory) for principal in stage.required)


def _is_role(approver: Approver) -> bool:
    return approver.principal.kind is PrincipalKind.ROLE


def _seat(
    identifier: str, approver: Approver, people: tuple[str, ...], stage: Stage, directory: Directory
) -> Seat:
    own = approver.principal in stage.veto and (approver.seats is Seats.ONE or not _is_role(approver))
    vetoers = tuple(person for person in people if directory.means(stage.veto, person))
    return Seat(identifier, str(approver.principal), people, approver.weight, own, vetoers)


def _satisfying(principal: Principal, seats: Sequence[Seat], directory: Directory) -> tuple[str, ...]:
    """The seats whose approval is this principal's: its own, and those of single people who are meant."""
    meant = directory.people_of(principal)
    return tuple(
        seat.id
        for seat in seats
        if seat.principal == str(principal) or (len(seat.people) == 1 and seat.people[0] in meant)
    )


def _apart(groups: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Share people out who could sit in several seats: one for as many seats as possible, the rest to the first."""
    holder: dict[str, int] = {}

    def place(group: int, tried: set[str]) -> bool:
        for person in groups[group]:
            if person not in tried:
                tried.add(person)
                if person not in holder or place(holder[person], tried):
                    holder[person] = group
                    return True
        return False

    for group in range(len(groups)):
        place(group, set())
    for group, people in enumerate(groups):
        for person in people:
            holder.setdefault(person, group)
    return [
        tuple(person for person in people if holder[person] == group) for group, people in enumerate(groups)
    ]
