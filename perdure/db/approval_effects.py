"""What an approval wants done, in the transaction that keeps its state: the audit trail, and messages to people."""

import hashlib
from collections.abc import Mapping
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from perdure.db.audit_trail import AuditTrail, Entry
from perdure.db.messages import MessageRepository, Publication
from perdure.db.models import ApprovalCommentRow, WorkflowApprovalRow
from perdure.domain.approval_effects import Notice
from perdure.domain.approval_events import Decision
from perdure.domain.audit import SYSTEM, Action, Actor
from perdure.domain.ids import new_id
from perdure.schemas.messages import Channel, EventType, LetterKind, MessageNew
from perdure.schemas.operations import Subject

_LETTERS = {
    Notice.ASKED: LetterKind.APPROVAL_ASKED,
    Notice.NO_LONGER_ASKED: LetterKind.APPROVAL_NO_LONGER_ASKED,
    Notice.CHANGES_REQUESTED: LetterKind.APPROVAL_CHANGES_REQUESTED,
    Notice.COMPLETED: LetterKind.APPROVAL_COMPLETED,
    Notice.OVERDUE: LetterKind.APPROVAL_OVERDUE,
    Notice.NEEDS_APPROVER: LetterKind.APPROVAL_NEEDS_APPROVER,
}
PUBLISHED = {
    "opened": EventType.APPROVAL_REQUESTED,
    "decided": EventType.APPROVAL_DECIDED,
    "completed": EventType.APPROVAL_COMPLETED,
}
_PEOPLE = ("by", "on_behalf_of")


def traced(person: str) -> str:
    """Somebody as the audit trail names them: a user by id, an address by what cannot be read from it."""
    if person.startswith("email:"):
        return f"email:{hashlib.sha256(person.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"
    return person


class ApprovalEffects:
    """Carries effects of one approval out; the caller owns the transaction and the lock of the approval."""

    def __init__(
        self,
        session: AsyncSession,
        organisation_id: str,
        row: WorkflowApprovalRow,
        *,
        is_heard: bool = True,
    ) -> None:
        """`is_heard`: whether it may be that programs want to hear of it."""
        self._session, self._organisation_id, self._row = session, organisation_id, row
        self._is_heard = is_heard
        self._records: list[Entry] = []
        self._said: list[MessageNew | Publication] = []
        self._wish_id: str | None = None

    def do(self, effect: Mapping[str, Any], origin: Actor | None) -> None:
        """Note one effect; `conclude` carries all of them out."""
        match effect["kind"]:
            case "record":
                self._record(effect, origin)
                self._publish(effect)
            case "notify":
                letter = _LETTERS[Notice(effect["notice"])]
                self._write(letter, effect["id"], effect["people"], effect["stage"])
            case "remind":
                self._write(LetterKind.APPROVAL_REMINDER, effect["id"], effect["people"], effect["stage"])
            case "escalate":
                self._write(LetterKind.APPROVAL_ESCALATED, effect["id"], effect["to"], effect["stage"])

    def refuse(self, code: str, origin: Actor | None, **details: str | None) -> None:
        """Note that something was refused."""
        self.note(Action.APPROVAL_REFUSED, origin, {"code": code, **details})

    def note(self, action: Action, origin: Actor | None, details: Mapping[str, str | None]) -> None:
        """Note something of our own; `by` and `on_behalf_of` are people."""
        said = {name: traced(value) if name in _PEOPLE else value for name, value in details.items() if value}
        self._add(action, origin or SYSTEM, {"revision": self._row.revision, **said})

    async def conclude(self) -> None:
        """Write messages, then the audit trail, last of all: its writers wait in line."""
        if self._said:
            await MessageRepository(self._session, self._organisation_id).say(self._said)
        if self._records:
            await AuditTrail(self._session, self._organisation_id).record_all(self._records)
        self._said.clear()
        self._records.clear()

    def _add(self, action: Action, actor: Actor, details: Mapping[str, Any]) -> None:
        self._records.append(Entry(action, actor, Subject(type="approval", id=self._row.id), details))

    def _record(self, effect: Mapping[str, Any], origin: Actor | None) -> None:
        row = self._row
        details: dict[str, Any] = {"effect": effect["id"], "revision": effect["revision"]}
        for name in ("stage", "seat", "code"):
            if effect.get(name) is not None:
                details[name] = effect[name]
        for name in _PEOPLE:
            if effect.get(name):
                details[name] = traced(effect[name])
        if effect.get("people"):
            details["people"] = [traced(person) for person in effect["people"]]
        if effect.get("comment"):
            if effect["entry"] == "decided" and effect.get("code") == Decision.REQUEST_CHANGES:
                self._keep_wish(effect)
            comment = effect["comment"].encode("utf-8", "surrogatepass")
            details["comment_sha256"] = hashlib.sha256(comment).hexdigest()
        shown = {
            "document_id": row.document_id,
            "document_version": row.document_version,
            "execution_id": row.execution_id,
            "step_id": row.step_id,
        }
        details |= {name: value for name, value in shown.items() if value is not None}
        actor = origin if origin is not None and effect.get("by") else SYSTEM
        self._add(Action(f"approval.{effect['entry']}"), actor, details)

    def _keep_wish(self, effect: Mapping[str, Any]) -> None:
        """Which changes are wanted: no seat keeps that vote, as everybody is asked anew."""
        said = ApprovalCommentRow(
            id=new_id("cmt"),
            organisation_id=self._organisation_id,
            approval_id=self._row.id,
            person=effect["by"],
            content=effect["comment"],
        )
        self._session.add(said)
        self._wish_id = said.id

    def _publish(self, effect: Mapping[str, Any]) -> None:
        event = PUBLISHED.get(effect["entry"])
        if event is None or not self._is_heard:
            return
        row = self._row
        said = {
            "approval_id": row.id,
            "operation_id": row.operation_id,
            "execution_id": row.execution_id,
            "document_id": row.document_id,
            "stage": effect.get("stage"),
            "by": traced(effect["by"]) if effect.get("by") else None,
            "code": effect.get("code"),
            "revision": effect["revision"],
        }
        self._said.append(Publication(f"{row.id}:{effect['id']}", event, said))

    def _write(self, letter: LetterKind, effect_id: str, people: list[str], stage: str | None) -> None:
        row = self._row
        known = {"approval_id": row.id, "stage": stage, "document_id": row.document_id}
        if letter is LetterKind.APPROVAL_CHANGES_REQUESTED and self._wish_id is not None:
            known["comment_id"] = self._wish_id
        reference = {name: value for name, value in known.items() if value is not None}
        self._said += [
            MessageNew(
                effect=f"{row.id}:{effect_id}:{person}",
                channel=Channel.EMAIL,
                kind=letter.value,
                recipient=person,
                reference=reference,
            )
            for person in people
        ]
