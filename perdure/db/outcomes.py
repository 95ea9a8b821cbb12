"""What a transaction brought to an end: noted in its session, and reported once it is committed."""

from dataclasses import dataclass
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncSession

_NOTES = "ended"


@dataclass(frozen=True)
class OperationEnded:
    """An operation reached a terminal status; `reason` is the type of its error, or empty."""

    kind: str
    status: str
    reason: str = ""


@dataclass(frozen=True)
class DocumentSettled:
    """A version of a document was indexed or will not be; `reason` says why, or is empty."""

    status: str
    reason: str = ""


Outcome = OperationEnded | DocumentSettled


class Observer(Protocol):
    """Told of outcomes after their commit; it must be quick and raise nothing."""

    def __call__(self, outcome: Outcome) -> None: ...


def note(session: AsyncSession, outcome: Outcome) -> None:
    """Report this if the transaction of the session commits."""
    session.info.setdefault(_NOTES, []).append(outcome)


def noted(session: AsyncSession) -> list[Outcome]:
    """What was noted, in order."""
    found: list[Outcome] = session.info.get(_NOTES, [])
    return found
