"""Profiles, as HTTP sees them."""

from typing import Literal

from pydantic import Field

from perdure.domain.memories import MemoryKind
from perdure.schemas.base import Contract, Instant


class ProfileStatement(Contract):
    """A memory, as far as a profile shows it."""

    memory_id: str
    content: str
    kind: MemoryKind
    attribute: str | None = Field(
        default=None,
        description="What it tells, where that has one value at a time; only the newest statement is shown.",
    )
    valid_from: Instant
    score: float = Field(description="Confidence times importance, 0 to 1.")


class ProfileRelation(Contract):
    """A memory that one of the profile's is connected with."""

    memory_id: str
    content: str
    kind: MemoryKind
    valid_from: Instant
    score: float = Field(description="How sure the connection is, 0 to 1.")
    relation: Literal["similar", "supports", "contradicts", "follows", "part_of", "mentions"]
    direction: Literal["out", "in"] = Field(
        description="`out`: the profile's memory follows, supports … this one."
    )
    of: str = Field(description="The profile's memory.")


class ProfileRead(Contract):
    """What is known of somebody or something now."""

    subject: str
    space: str
    facts: list[ProfileStatement] = Field(description="What does not change from day to day, surest first.")
    preferences: list[ProfileStatement] = Field(description="Likes and dislikes, surest first.")
    recent: list[ProfileStatement] = Field(description="What else was remembered, newest first.")
    relations: list[ProfileRelation] = Field(description="Memories of others that these are connected with.")
    updated_at: Instant = Field(description="When the newest of it was recorded.")


class ProfileSummary(Contract):
    """A name that has a profile."""

    subject: str
    space: str
    updated_at: Instant = Field(description="When its newest memory was recorded.")
