"""What the workflow of an approval has its activities check and write."""

from typing import Any

from pydantic import Field

from perdure.schemas.approval_requests import ApprovalTold, Teller
from perdure.schemas.base import Contract, Instant
from perdure.schemas.operations import StatusChange


class SignalsJob(Contract):
    """Signals that came, as they came: None is one that carried no text."""

    organisation_id: str
    approval_id: str
    at: Instant
    tokens: list[str | None]


class ReadSignal(Contract):
    """What a signal says: an event, or why it says nothing."""

    event: dict[str, Any] | None = None
    origin: Teller | None = None
    refusal: str | None = None


class TransitionItem(Contract):
    """Something that happened: what was told, and what the engine wants done about it.

    `told` is there when somebody outside told it, and must be proven; `signal` is the number of the signal that it came
    by. Without either it is time, or the workflow itself.
    """

    told: ApprovalTold | None = None
    origin: Teller | None = None
    signal: int | None = None
    refusal: str | None = Field(
        default=None, description="Why a signal was refused before the engine saw it."
    )
    effects: list[dict[str, Any]] = Field(default=[])


class TransitionJob(Contract):
    """A step of an approval from the state of number `base` to `state`; no state where nothing changed.

    `ending` is how its operation ends with it.
    """

    organisation_id: str
    approval_id: str
    operation_id: str
    base: int
    state: dict[str, Any] | None = None
    items: list[TransitionItem] = Field(default=[])
    ending: StatusChange | None = None


class TransitionWritten(Contract):
    """What became of a step. It was written unless the record has gone on, as `stored`, or an item was unproven."""

    stored: dict[str, Any] | None = None
    unproven: list[int] = Field(default=[])
    ended: bool = Field(default=False, description="The end of the operation was written with it.")
