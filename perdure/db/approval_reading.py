"""A request for approval as it is shown: the policy's stages, filled with what has become of them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from perdure.db.models import WorkflowApprovalRow
from perdure.domain.approval_effects import Outcome
from perdure.domain.approval_policies import Stage, kept_policy
from perdure.domain.approval_state import ApprovalState, Seat, StageState, Status
from perdure.domain.approvals import still_asked
from perdure.schemas.approval_requests import (
    ApprovalRead,
    ApprovalStageRead,
    ApprovalSummary,
    AskedRead,
    CommentRead,
    DelegationRead,
    Evidence,
    SeatRead,
    VoteRead,
)
from perdure.schemas.approvals import state_of


def approval_summary(row: WorkflowApprovalRow, now: datetime) -> ApprovalSummary:
    """A request in a list."""
    open_stage = None
    if row.state is not None and row.closed_at is None:
        stages = row.state.get("stages") or [{}]
        open_stage = stages[-1].get("id")
    return ApprovalSummary(
        id=row.id,
        operation_id=row.operation_id,
        title=row.title,
        status=Status(row.status),
        outcome=Outcome(row.outcome) if row.outcome else None,
        requester=row.requester,
        document_id=row.document_id,
        execution_id=row.execution_id,
        step_id=row.step_id,
        stage=open_stage,
        due_at=row.due_at,
        overdue=row.closed_at is None and row.due_at is not None and row.due_at < now,
        sequence=row.sequence,
        created_at=row.created_at,
        closed_at=row.closed_at,
    )


def approval_read(
    row: WorkflowApprovalRow, comments: Sequence[CommentRead], document_title: str | None, now: datetime
) -> ApprovalRead:
    """A request with all that can be known about it."""
    policy = kept_policy(row.policy)
    state = state_of(row.state) if row.state is not None else None
    opened = {stage.index: stage for stage in state.stages} if state else {}
    return ApprovalRead(
        **approval_summary(row, now).model_dump(),
        summary=row.summary,
        document_version=row.document_version,
        document_title=document_title,
        revision=row.revision,
        evidence=[Evidence.model_validate(one) for one in row.evidence],
        policy=row.policy,
        closed_by=state.closed_by if state else None,
        round=state.round if state else 1,
        stages=[
            _stage(rules, opened.get(index), row.policy["stages"][index].get("form"))
            for index, rules in enumerate(policy.stages)
        ],
        asked=[
            AskedRead(
                person=person,
                stage=one.stage,
                seat=one.seat,
                standing=standing,
                since=state.stage.opened_at,
                due_at=state.stage.due_at,
            )
            for one in still_asked(policy, state, now)
            for person, standing in (
                *((person, "stands_in" if one.stands_in else "asked") for person in one.people),
                *((person, "delegate") for person in one.delegates),
            )
        ]
        if state
        else [],
        delegations=_delegations(state, now),
        comments=list(comments),
    )


def _stage(rules: Stage, stage: StageState | None, form: dict[str, Any] | None) -> ApprovalStageRead:
    told: dict[str, Any] = {
        "id": rules.id,
        "name": rules.name,
        "form": form,
        "may_abstain": rules.may_abstain,
        "may_request_changes": rules.may_request_changes,
    }
    if stage is None:
        return ApprovalStageRead(**told, state="waiting")
    ended = {True: "approved", False: "rejected", None: "open"}[stage.approved]
    required = {seat for group in stage.required for seat in group}
    return ApprovalStageRead(
        **told,
        state=ended,
        opened_at=stage.opened_at,
        due_at=stage.due_at,
        closed_at=stage.closed_at,
        closed_by=stage.closed_by,
        hold=stage.hold,
        seats=[_seat(seat, is_required=seat.id in required) for seat in stage.seats],
        escalated_to=list(stage.escalated_to),
    )


def _seat(seat: Seat, *, is_required: bool) -> SeatRead:
    vote = seat.vote
    return SeatRead(
        id=seat.id,
        principal=seat.principal,
        people=list(seat.people),
        weight=seat.weight,
        may_veto=seat.may_veto,
        required=is_required,
        vote=None
        if vote is None
        else VoteRead(
            decision=vote.decision,
            by=vote.by,
            on_behalf_of=vote.on_behalf_of,
            at=vote.at,
            comment=vote.comment,
            form=dict(vote.form) if vote.form is not None else None,
            revision=vote.revision,
            veto=vote.veto,
            stands_in=vote.stands_in,
        ),
    )


def _delegations(state: ApprovalState | None, now: datetime) -> list[DelegationRead]:
    return [
        DelegationRead(by=one.by, to=one.to, stage=one.stage, starts_at=one.starts_at, ends_at=one.ends_at)
        for one in (state.delegations if state else ())
        if one.ends_at > now
    ]
