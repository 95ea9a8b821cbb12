"""Delegation: for whom somebody may decide, and which delegations would go in a circle or too far."""

from collections.abc import Iterable
from datetime import datetime

from perdure.domain.approval_state import Delegation


def holders_of(
    delegations: Iterable[Delegation], person: str, stage: str, now: datetime, max_depth: int
) -> tuple[str, ...]:
    """For whom somebody may decide now, the nearest first; not themselves."""
    active = [one for one in delegations if one.stage in {None, stage} and one.starts_at <= now < one.ends_at]
    found: dict[str, None] = {}
    at_hand = [person]
    for _ in range(max_depth):
        nearer = dict.fromkeys(at_hand)
        at_hand = [one.by for one in active if one.to in nearer and one.by not in found]
        for name in at_hand:
            if name != person:
                found[name] = None
    return tuple(found)


def delegates_of(
    delegations: Iterable[Delegation], holder: str, stage: str, now: datetime, max_depth: int
) -> tuple[str, ...]:
    """Who may decide for somebody now."""
    turned = [Delegation(one.to, one.by, one.stage, one.starts_at, one.ends_at) for one in delegations]
    return holders_of(turned, holder, stage, now, max_depth)


def leads_back(delegations: Iterable[Delegation], by: str, to: str, now: datetime) -> bool:
    """Whether who is delegated to has delegated, through whomever and at whatever time to come, to who delegates."""
    lasting = [one for one in delegations if one.ends_at > now]
    seen, at_hand = {to}, [to]
    while at_hand:
        name = at_hand.pop()
        for one in lasting:
            if one.by == name and one.to not in seen:
                seen.add(one.to)
                at_hand.append(one.to)
    return by in seen
