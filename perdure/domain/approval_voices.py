"""As whom somebody speaks who is known under several names: as a user, and by an e-mail address."""

from collections.abc import Iterator, Sequence

from perdure.domain.approval_state import ApprovalState, StageState


def voice_of(state: ApprovalState, names: Sequence[str]) -> str:
    """The name under which the request knows somebody: in the open stage, else in one before, else the first.

    It is the same before and after they have decided, so that nobody decides once under each name.
    """
    for stage in reversed(state.stages):
        known = {*_known(state, stage)}
        for name in names:
            if name in known:
                return name
    return state.requester if state.requester in names else names[0]


def _known(state: ApprovalState, stage: StageState) -> Iterator[str]:
    for seat in stage.seats:
        yield from seat.people
        if seat.vote is not None:
            yield seat.vote.by
    yield from stage.escalated_to
    for delegation in state.delegations:
        if delegation.stage in {None, stage.id}:
            yield delegation.to
