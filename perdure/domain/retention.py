"""For how long each kind of data is kept: what there is to decide, and what holds when nobody has."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from perdure.errors import FieldError, InvalidInputError


class DataKind(StrEnum):
    """What grows old; a new kind is a line here, one below, and an activity's way to delete it."""

    OPERATIONS = "operations"
    OPERATION_EVENTS = "operation_events"
    HISTORIES = "histories"
    IDEMPOTENCY_KEYS = "idempotency_keys"
    EXPORTS = "exports"
    WORK_FILES = "work_files"
    MESSAGES = "messages"
    AI_PROCESSING_LOGS = "ai_processing_logs"
    AUDIT_EVENTS = "audit_events"


@dataclass(frozen=True)
class Retention:
    """What an organisation may choose for a kind. Without days, it is kept for as long as the organisation."""

    default_days: int | None
    least_days: int
    most_days: int | None
    covers: str

    def check(self, kind: DataKind, days: int | None) -> None:
        """InvalidInputError when an organisation may not choose this."""
        if days is None and self.most_days is not None:
            detail = (
                f"{kind.value} are never kept for ever: choose {self.least_days} to {self.most_days} days"
            )
        elif days is not None and not self.least_days <= days <= (self.most_days or days):
            most = f" and at most {self.most_days}" if self.most_days else ""
            detail = f"{kind.value} are kept for at least {self.least_days} days{most}; this says {days}"
        else:
            return
        raise InvalidInputError(detail, [FieldError(f"/body/rules/{kind.value}", detail)])


RETENTION: Mapping[DataKind, Retention] = {
    DataKind.OPERATIONS: Retention(
        365,
        7,
        None,
        "Operations that have ended, with their steps, items, events and results of classification. One that "
        "brought a version of a document that is still there keeps its own row: it says whose the document is.",
    ),
    DataKind.OPERATION_EVENTS: Retention(
        30, 1, None, "What GET /operations/{id}/events tells of operations that have ended."
    ),
    DataKind.HISTORIES: Retention(
        30,
        1,
        None,
        "Histories of ended operations in Temporal, with what they keep outside. Temporal's own retention may be "
        "shorter.",
    ),
    DataKind.IDEMPOTENCY_KEYS: Retention(7, 1, 365, "Answers that an Idempotency-Key gets again."),
    DataKind.EXPORTS: Retention(7, 1, 90, "Archives of exported data, from the day they are made."),
    DataKind.WORK_FILES: Retention(
        1, 1, 90, "Stored files that operations left behind when they were cut off."
    ),
    DataKind.MESSAGES: Retention(
        90, 1, None, "Messages to people and programs that were sent or given up; the ledger of deliveries."
    ),
    DataKind.AI_PROCESSING_LOGS: Retention(
        400, 30, None, "What each call of a model took. Budgets and totals of months stay without it."
    ),
    DataKind.AUDIT_EVENTS: Retention(
        None, 90, None, "Events of the audit trail; what is left can still be verified."
    ),
}


@dataclass(frozen=True)
class Rules:
    """What an organisation has chosen; the default where it has not."""

    chosen: Mapping[DataKind, int | None]

    def days(self, kind: DataKind) -> int | None:
        """For how many days a kind is kept; None is for ever."""
        return self.chosen.get(kind, RETENTION[kind].default_days)

    def before(self, kind: DataKind, now: datetime) -> datetime | None:
        """What is older than this goes; None when nothing does."""
        days = self.days(kind)
        return None if days is None else now - timedelta(days=days)
