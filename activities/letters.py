"""Writes a letter at the moment it is sent, from what is true then: no letter, link or secret is stored."""

import json
from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from perdure.db.deliveries import DeliveryRepository
from perdure.db.models import (
    ApprovalAssigneeRow,
    ApprovalCommentRow,
    DocumentRow,
    MessageRow,
    WorkflowApprovalRow,
)
from perdure.domain.decision_tokens import LINK, DecisionClaims, DecisionTokens
from perdure.domain.letters import ApprovalFacts, Letter, approval_letter, plain_letter
from perdure.schemas.messages import LetterKind

# A link outlives the deadline for a while, so that its page can say that it is too late.
LINK_LIVES = timedelta(days=30)
LINK_AFTER_DUE = timedelta(days=7)
_DECIDING = frozenset(
    {LetterKind.APPROVAL_ASKED, LetterKind.APPROVAL_REMINDER, LetterKind.APPROVAL_ESCALATED}
)
# Who is still told when the request has ended meanwhile.
_AFTERWARDS = frozenset({LetterKind.APPROVAL_COMPLETED, LetterKind.APPROVAL_NO_LONGER_ASKED})


class NotWantedError(Exception):
    """There is nothing left to say; the reason is shown to administrators."""


class LetterWriter:
    """Looks up what a letter is about; `public_url` is where people reach the console."""

    def __init__(self, tokens: DecisionTokens, public_url: str) -> None:
        self._tokens, self._public_url = tokens, public_url.rstrip("/")

    async def written(self, session: AsyncSession, message: MessageRow) -> Letter:
        """The letter; NotWantedError when what it is about is over or gone."""
        people = DeliveryRepository(session, message.organisation_id)
        organisation = await people.organisation_name()
        if message.kind in {LetterKind.NOTIFICATION, LetterKind.ALERT}:
            said = json.loads(message.body or "{}")
            link = self._public_url if message.kind == LetterKind.ALERT else None
            return plain_letter(
                str(said.get("subject") or ""), str(said.get("text") or ""), organisation, link
            )
        if message.kind not in set(LetterKind):
            msg = f"This version writes no letters of the kind {message.kind}."
            raise NotWantedError(msg)
        return await self._about_approval(session, message, people, organisation)

    async def _about_approval(
        self, session: AsyncSession, message: MessageRow, people: DeliveryRepository, organisation: str
    ) -> Letter:
        kind = LetterKind(message.kind)
        approval = await session.get(WorkflowApprovalRow, message.reference.get("approval_id", ""))
        if approval is None:
            raise NotWantedError("The request that it is about is gone.")
        if approval.closed_at is not None and kind not in _AFTERWARDS:
            raise NotWantedError("The request that it is about has ended meanwhile.")
        link, until = f"{self._public_url}/approvals/{approval.id}", None
        if kind in _DECIDING:
            if not await _is_asked(session, approval.id, message.recipient or ""):
                raise NotWantedError("Whom it is for has answered, or is not asked any more.")
            until = _link_until(approval.due_at)
            claims = DecisionClaims(
                # Each attempt's link is the same one, and used once.
                id=message.id,
                organisation_id=message.organisation_id,
                approval_id=approval.id,
                person=message.recipient or "",
                purpose=LINK,
                revision=approval.revision,
                expires_at=until,
            )
            link = f"{self._public_url}/decide/{self._tokens.issue(claims)}"
        document = None
        if approval.document_id is not None:
            statement = select(DocumentRow.title).where(DocumentRow.id == approval.document_id)
            document = await session.scalar(statement)
        wish = await session.get(ApprovalCommentRow, message.reference.get("comment_id", ""))
        facts = ApprovalFacts(
            organisation=organisation,
            title=approval.title,
            summary=approval.summary,
            link=link,
            link_until=until,
            requester=await people.name_of(approval.requester),
            document=document or "",
            has_document=approval.document_id is not None,
            due_at=approval.due_at,
            outcome=approval.outcome or "",
            wish=wish.content if wish else "",
            wisher=await people.name_of(wish.person) if wish else "",
        )
        return approval_letter(kind, facts)


async def _is_asked(session: AsyncSession, approval_id: str, person: str) -> bool:
    statement = select(ApprovalAssigneeRow.person).where(
        ApprovalAssigneeRow.approval_id == approval_id, ApprovalAssigneeRow.person == person
    )
    return (await session.scalars(statement.limit(1))).first() is not None


def _link_until(due_at: datetime | None) -> datetime:
    now = datetime.now(UTC)
    return max(due_at + LINK_AFTER_DUE, now + LINK_AFTER_DUE) if due_at else now + LINK_LIVES
