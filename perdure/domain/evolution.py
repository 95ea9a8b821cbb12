"""What evolution does to memories: its stages, what each may change, and how a space is told to evolve."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

# A higher number makes the next run look at all memories again: raise it when a rule finds more than before.
RULES = 1


class EvolutionStage(StrEnum):
    """The stages of a run, in their order."""

    UPDATE = "update"
    EXTEND = "extend"
    DERIVE = "derive"
    DECAY = "decay"


class ChangeAction(StrEnum):
    """What became of a memory."""

    UPDATED = "updated"
    """Somebody corrected it."""
    MERGED = "merged"
    """Another one says the same, and stays."""
    SUPERSEDED = "superseded"
    """Another one says what is true since."""
    RELATED = "related"
    """It was connected with others."""
    DERIVED = "derived"
    """It was drawn from others."""
    OUTDATED = "outdated"
    """What it was drawn from has changed."""
    FADED = "faded"
    """It matters less than before."""
    EXPIRED = "expired"
    """Its time was over."""
    ARCHIVED = "archived"
    """Nobody asked for it for long."""
    REMOVED = "removed"
    """It says nothing, or what should not be kept."""


class Insights(StrEnum):
    """What becomes of what is drawn from several memories."""

    APPLY = "apply"
    PROPOSE = "propose"
    OFF = "off"


class ProposalStatus(StrEnum):
    """What became of a proposal."""

    OPEN = "open"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class EvolutionRules:
    """How a space evolves."""

    every_hours: int | None = None
    insights: Insights = Insights.PROPOSE
    proposal_days: int = 14
    decay_half_life_days: float = 180.0


def insight_identity(subject: str, memory_ids: Iterable[str]) -> str:
    """The same for what is drawn from the same memories."""
    parts = ["insight", subject, *sorted(memory_ids)]
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
