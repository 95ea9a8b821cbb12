"""What is to become of a memory as time goes by: it stays, matters less, or is put away."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from perdure.domain.decay import archived, importance
from perdure.domain.evolution import ChangeAction
from perdure.domain.junk import JunkReason, junk

# Less of a difference is not worth a change.
_STEP = 0.05
_JUNK = {
    JunkReason.EMPTY_PHRASE: "it says nothing",
    JunkReason.SECRET: "it holds a key, a password or the number of a card",
    JunkReason.DUPLICATE: "it is remembered already",
    JunkReason.RECALL_LOOP: "it had just been recalled",
}


class Aging(Protocol):
    """What is looked at of a memory."""

    @property
    def content(self) -> str: ...
    @property
    def importance(self) -> float: ...
    @property
    def recorded_at(self) -> datetime: ...
    @property
    def expires_at(self) -> datetime | None: ...
    @property
    def accesses(self) -> int: ...
    @property
    def last_accessed_at(self) -> datetime | None: ...


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of a memory, and why; `importance` where only that changes."""

    action: ChangeAction
    reason: str
    importance: float | None = None

    @property
    def is_gone(self) -> bool:
        """Whether it is put away."""
        return self.importance is None


def fate(memory: Aging, now: datetime, base: float, half_life: timedelta) -> Fate | None:
    """What is to become of a memory now; None when it stays as it is. `base` is what it mattered at first."""
    if memory.expires_at is not None and memory.expires_at <= now:
        return Fate(ChangeAction.EXPIRED, "it was to be kept until then")
    junk_reason = junk(memory.content)
    if junk_reason is not None:
        return Fate(ChangeAction.REMOVED, _JUNK[junk_reason])
    matters = importance(now, base, memory.recorded_at, memory.last_accessed_at, memory.accesses, half_life)
    if archived(now, matters, memory.recorded_at, memory.last_accessed_at):
        return Fate(ChangeAction.ARCHIVED, "nobody has asked for it for long")
    if abs(matters - memory.importance) < _STEP:
        return None
    why = "it was recalled since" if matters > memory.importance else "it has not been recalled lately"
    return Fate(ChangeAction.FADED, why, matters)
