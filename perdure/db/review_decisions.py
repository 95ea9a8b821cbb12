"""What people decided about a label becomes the result's, and an example for later versions of its workflow."""

from sqlalchemy.ext.asyncio import AsyncSession

from perdure.db.audit_trail import AuditTrail
from perdure.db.classification_results import ClassificationResults
from perdure.db.classification_workflows import Reviews
from perdure.db.models import ClassificationResultRow, WorkflowApprovalRow
from perdure.db.review_requests import LABEL, LABELS, answers_of
from perdure.domain.approval_effects import Outcome
from perdure.domain.approval_events import Decision
from perdure.domain.approval_state import ApprovalState, Vote
from perdure.domain.audit import Action, Actor, ActorKind
from perdure.domain.deciding import ResultStatus
from perdure.schemas.classification import MAX_EXAMPLE, Questions
from perdure.schemas.operations import Subject

_USER = "user:"
_MOST_COMMENT = 2_000
_REVIEWABLE = {ResultStatus.OPEN, ResultStatus.REVIEWED, ResultStatus.DECIDED}


class ReviewDecisions:
    """Writes reviews; the caller owns the transaction."""

    def __init__(self, session: AsyncSession, organisation_id: str) -> None:
        self._session, self._organisation_id = session, organisation_id

    async def conclude(self, approval: WorkflowApprovalRow, state: ApprovalState) -> None:
        """Write the label of an approval that passed.

        What was rejected, or what no person has decided, stays in the review queue.
        """
        vote = _last_vote(state)
        if approval.result_id is None or state.outcome is not Outcome.APPROVED or vote is None:
            return
        reviews = Reviews(self._session, self._organisation_id)
        locked = await reviews.lock(approval.result_id)
        if locked is None or ResultStatus(locked[0].status) not in _REVIEWABLE:
            return
        row, questions = locked
        labels = _labels(vote, row, questions)
        if labels is None:
            return
        by = vote.by.removeprefix(_USER)
        await reviews.write(row, labels, vote.comment[:_MOST_COMMENT] or None, by)
        await reviews.learn(row, labels, (await self.text_of(row))[:MAX_EXAMPLE])
        actor = Actor(ActorKind.USER, by, by) if vote.by.startswith(_USER) else Actor(ActorKind.ANONYMOUS)
        await AuditTrail(self._session, self._organisation_id).record(
            Action.CLASSIFICATION_REVIEWED,
            actor,
            subject=Subject(type="classification_result", id=row.id),
            details={"operation_id": row.operation_id, "approval_id": approval.id},
        )

    async def text_of(self, row: ClassificationResultRow) -> str:
        """What was classified."""
        if row.content is not None or row.document_id is None:
            return row.content or ""
        results = ClassificationResults(self._session, self._organisation_id)
        return (await results.document_texts({row.document_id})).get(row.document_id, "")


def _last_vote(state: ApprovalState) -> Vote | None:
    """The decision that filled in the form last; without a form, the last one."""
    cast = [seat.vote for stage in state.stages for seat in stage.seats if seat.vote is not None]
    votes = [vote for vote in cast if vote.decision is Decision.APPROVE]
    filled = [vote for vote in votes if vote.form is not None]
    return max(filled or votes, key=lambda vote: vote.at, default=None)


def _labels(vote: Vote, row: ClassificationResultRow, questions: Questions) -> list[str] | None:
    """What was chosen; None where it is no label of this classification."""
    form = vote.form or {}
    chosen = form.get(LABELS)
    if not isinstance(chosen, list | tuple):
        chosen = [form[LABEL]] if LABEL in form else list(row.labels)
    category = questions.category()
    names = answers_of(questions)
    fits = all(one in names for one in chosen) and (
        len(chosen) == 1 or (category is not None and category.multi_label)
    )
    return list(dict.fromkeys(chosen)) if fits else None
