"""When one of two memories is enough, and what becomes of a memory as time goes by."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from perdure.domain.evolution import ChangeAction
from perdure.domain.fading import fate
from perdure.domain.merging import repeats

NOW = datetime(2025, 6, 1, tzinfo=UTC)
HALF_LIFE = timedelta(days=180)


@dataclass(frozen=True)
class Memory:
    """As much of a memory as the rules look at."""

    content: str
    speaker: str | None = None
    kind: str = "evidence"
    valid_from: datetime = NOW
    valid_to: datetime | None = None
    expires_at: datetime | None = None
    document_id: str | None = None
    tags: tuple[str, ...] = ()
    metadata: dict[str, Any] = field(default_factory=dict)
    importance: float = 0.5
    recorded_at: datetime = NOW
    accesses: int = 0
    last_accessed_at: datetime | None = None


CAT = Memory("Ann adopted a grey cat called Pixel.")
AGAIN = Memory("Ann has adopted a grey cat, Pixel.")


def test_the_same_in_other_words_is_said_once() -> None:
    assert repeats(AGAIN, CAT, 0.95)
    assert repeats(replace(AGAIN, tags=("x",)), replace(CAT, tags=("x", "y")), 0.95)


@pytest.mark.parametrize(
    "other",
    [
        replace(AGAIN, speaker="Ben"),
        replace(AGAIN, kind="fact"),
        replace(AGAIN, tags=("pets",)),
        replace(AGAIN, metadata={"place": "home"}),
        replace(AGAIN, expires_at=NOW),
        replace(AGAIN, valid_to=NOW),
        replace(AGAIN, document_id="doc_1"),
        replace(AGAIN, content="Ann adopted a grey dog called Pixel."),
        replace(AGAIN, content="Has Ann adopted a grey cat, Pixel?"),
    ],
    ids=["speaker", "kind", "tags", "metadata", "expiry", "end", "document", "thing", "question"],
)
def test_what_belongs_to_what_is_said_keeps_it_apart(other: Memory) -> None:
    assert not repeats(other, CAT, 0.95)


def test_today_of_two_days_are_two_days() -> None:
    said = Memory("I went hiking with my kids today.")
    assert repeats(said, said, 1.0)
    assert not repeats(said, replace(said, valid_from=NOW - timedelta(days=3)), 1.0)


def test_what_is_too_short_to_tell_is_kept_each_time() -> None:
    assert not repeats(Memory("Yes."), Memory("Yes."), 1.0)


def test_insights_are_never_merged() -> None:
    assert not repeats(replace(AGAIN, kind="insight"), replace(CAT, kind="insight"), 1.0)


def test_what_is_new_stays_as_it_is() -> None:
    assert fate(CAT, NOW, 0.5, HALF_LIFE) is None


@pytest.mark.parametrize(
    ("memory", "action"),
    [
        (replace(CAT, expires_at=NOW), ChangeAction.EXPIRED),
        (replace(CAT, content="Hello, good morning!"), ChangeAction.REMOVED),
        (replace(CAT, recorded_at=NOW - timedelta(days=2000)), ChangeAction.ARCHIVED),
        (replace(CAT, recorded_at=NOW - timedelta(days=180)), ChangeAction.FADED),
    ],
)
def test_what_is_over_is_put_away(memory: Memory, action: ChangeAction) -> None:
    found = fate(memory, NOW, 0.5, HALF_LIFE)
    assert found is not None
    assert found.action is action
    assert found.is_gone == (action is not ChangeAction.FADED)


def test_what_is_recalled_matters_again() -> None:
    faded = replace(CAT, importance=0.25, recorded_at=NOW - timedelta(days=180))
    assert fate(faded, NOW, 0.5, HALF_LIFE) is None
    found = fate(replace(faded, last_accessed_at=NOW, accesses=1), NOW, 0.5, HALF_LIFE)
    assert found is not None
    assert found.importance == 0.5
