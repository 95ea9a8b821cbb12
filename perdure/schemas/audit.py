"""The audit trail over HTTP."""

from typing import Any

from pydantic import Field

from perdure.schemas.base import Contract, Instant
from perdure.schemas.operations import Subject


class AuditActorRead(Contract):
    """Who acted."""

    kind: str = Field(description="`user`, `api_key`, `system` or `anonymous`.")
    id: str | None = Field(default=None, description="The user or API key.")
    user_id: str | None = Field(
        default=None, description="The person behind it: who made the key, whose log-in was tried."
    )
    address: str | None = Field(
        default=None,
        description="From where; null once the person's data were erased, which removes its key.",
    )


class AuditEventRead(Contract):
    """One event of the organisation's trail."""

    sequence: int = Field(description="Without gaps, from 1.")
    at: Instant | None = Field(description="Null when it is not what was recorded.")
    action: str = Field(description="What happened, for example `member.added`.")
    actor: AuditActorRead
    subject: Subject | None = None
    request_id: str | None = Field(default=None, description="Stands in the logs and in the answer too.")
    details: dict[str, Any] | None = Field(
        default=None, description="Ids, counts and words of ours. Null when it is not what was recorded."
    )
    previous_hash: str
    hash: str = Field(description="SHA-256 over the event and the hash before it.")


class AuditFaultRead(Contract):
    """One thing that is wrong with the trail."""

    kind: str = Field(
        description="`missing`, `altered`, `unlinked`, `misplaced`, `truncated`, `head_differs`, `anchor_differs` "
        "or `anchor_forged`."
    )
    sequence: int = Field(description="Where; 0 when it is no event.")
    detail: str


class AuditVerdictRead(Contract):
    """What became of holding the trail against its hashes, its head and its anchors."""

    organisation_id: str
    sound: bool = Field(description="Whether nothing speaks against the trail.")
    event_count: int
    last_sequence: int
    last_hash: str
    anchored_sequence: int = Field(description="Up to here the trail was noted outside of the database.")
    fault_count: int
    faults: list[AuditFaultRead] = Field(description="The first 100.")
