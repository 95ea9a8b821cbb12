"""What votes come to: whether a stage has passed or failed whatever those still say who have not voted.

Approving never hurts and rejecting never helps, so that two cases are enough: all who are silent approve, and all who
are silent reject. A veto that may still come keeps a stage open although its rule is met: otherwise who answers
faster would decide whether it counts.
"""

from enum import StrEnum

from perdure.domain.approval_events import Decision
from perdure.domain.approval_policies import Abstentions, RuleKind, Stage
from perdure.domain.approval_state import Seat, StageState


class Standing(StrEnum):
    """Where a stage stands."""

    OPEN = "open"
    PASSED = "passed"
    FAILED = "failed"
    VETOED = "vetoed"
    IMPOSSIBLE = "impossible"
    """Not even with all approving: too few are asked."""


def standing(policy: Stage, stage: StageState, *, vetoes_lapsed: bool = False) -> Standing:
    """What is certain about a stage. Once vetoes have lapsed, the silent no longer have one."""
    if any(seat.vote and seat.vote.veto and seat.vote.decision is Decision.REJECT for seat in stage.seats):
        return Standing.VETOED
    if not passes(policy, stage, silent=Decision.APPROVE):
        return Standing.FAILED if could_pass(policy, stage) else Standing.IMPOSSIBLE
    silent_veto = not vetoes_lapsed and any(seat.may_veto and seat.vote is None for seat in stage.seats)
    if not silent_veto and passes(policy, stage, silent=Decision.REJECT):
        return Standing.PASSED
    return Standing.OPEN


def could_pass(policy: Stage, stage: StageState) -> bool:
    """Whether a stage could have passed if all had approved."""
    return _met(policy, stage, [Decision.APPROVE] * len(stage.seats))


def passes(policy: Stage, stage: StageState, *, silent: Decision) -> bool:
    """Whether the rule and the requirements are met if all who are silent said this. Vetoes are not looked at."""
    return _met(policy, stage, [seat.vote.decision if seat.vote else silent for seat in stage.seats])


def _met(policy: Stage, stage: StageState, decisions: list[Decision]) -> bool:
    approving = [
        seat for seat, decision in zip(stage.seats, decisions, strict=True) if decision is Decision.APPROVE
    ]
    if not approving:
        return False
    if stage.required:
        names = {seat.id for seat in approving}
        if not all(any(seat in names for seat in group) for group in stage.required):
            return False
    return _carried(policy, approving, decisions)


def _carried(policy: Stage, approving: list[Seat], decisions: list[Decision]) -> bool:
    rule = policy.rule
    match rule.kind:
        case RuleKind.ANY:
            return True
        case RuleKind.K_OF_N:
            return len(approving) >= rule.count
        case RuleKind.WEIGHTED:
            return sum(seat.weight for seat in approving) >= rule.count
    counted = len(decisions)
    if policy.abstentions is Abstentions.EXCLUDED:
        counted -= decisions.count(Decision.ABSTAIN)
    return len(approving) * rule.denominator >= counted * rule.numerator
