from datetime import UTC, datetime, timedelta

import pytest

from perdure.domain.audit import (
    GENESIS,
    AuditEvent,
    ChainedEvent,
    ChainVerifier,
    FaultKind,
    Verdict,
    event_hash,
)
from perdure.domain.audit_anchors import Anchor, AnchorSigner
from perdure.domain.retention import RETENTION, DataKind, Rules
from perdure.errors import InvalidInputError

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def test_what_nobody_chose_has_a_default() -> None:
    rules = Rules({DataKind.OPERATIONS: None, DataKind.EXPORTS: 3})
    assert rules.days(DataKind.EXPORTS) == 3
    assert rules.before(DataKind.OPERATIONS, NOW) is None
    assert rules.before(DataKind.IDEMPOTENCY_KEYS, NOW) == NOW - timedelta(days=7)
    assert rules.days(DataKind.AUDIT_EVENTS) is None
    assert set(RETENTION) == set(DataKind)


@pytest.mark.parametrize(
    ("kind", "days", "why"),
    [
        (DataKind.AUDIT_EVENTS, 89, "at least 90 days"),
        (DataKind.OPERATIONS, 6, "at least 7 days"),
        (DataKind.EXPORTS, 91, "at most 90"),
        (DataKind.EXPORTS, None, "never kept for ever"),
        (DataKind.OPERATION_EVENTS, 0, "at least 1 days"),
        (DataKind.OPERATION_EVENTS, -5, "at least 1 days"),
    ],
)
def test_some_choices_are_refused(kind: DataKind, days: int | None, why: str) -> None:
    with pytest.raises(InvalidInputError, match=why) as refused:
        RETENTION[kind].check(kind, days)
    assert refused.value.errors[0].pointer == f"/body/rules/{kind.value}"


@pytest.mark.parametrize(
    ("kind", "days"),
    [(DataKind.AUDIT_EVENTS, None), (DataKind.AUDIT_EVENTS, 90), (DataKind.OPERATIONS, 100_000)],
)
def test_other_choices_are_not(kind: DataKind, days: int | None) -> None:
    RETENTION[kind].check(kind, days)


def chain(count: int) -> list[ChainedEvent]:
    events: list[ChainedEvent] = []
    for sequence in range(1, count + 1):
        previous = events[-1].hash if events else GENESIS
        event = AuditEvent(
            "org_1", sequence, sequence, "system", None, None, "x", None, None, None, None, "{}", previous
        )
        events.append(ChainedEvent(event, event_hash(event)))
    return events


def cut_after(event: ChainedEvent) -> Anchor:
    return Anchor("org_1", event.event.sequence, event.hash, NOW)


def verdict(events: list[ChainedEvent], cut: Anchor | None, last: ChainedEvent) -> Verdict:
    verifier = ChainVerifier("org_1", (), cut)
    for event in events:
        verifier.add(event)
    return verifier.conclude(last.event.sequence, last.hash)


@pytest.mark.parametrize("first", range(9))
def test_a_trail_may_begin_at_its_cut_and_while_it_is_being_cut(first: int) -> None:
    events = chain(12)
    assert verdict(events[first:], cut_after(events[7]), events[-1]).is_sound


@pytest.mark.parametrize("first", [1, 5, 8])
def test_without_a_cut_a_beginning_that_is_gone_is_missed(first: int) -> None:
    events = chain(12)
    found = verdict(events[first:], None, events[-1])
    assert [fault.kind for fault in found.faults] == [FaultKind.MISSING]


def test_more_than_was_cut_is_missed() -> None:
    events = chain(12)
    found = verdict(events[9:], cut_after(events[7]), events[-1])
    assert [(fault.kind, fault.sequence) for fault in found.faults] == [(FaultKind.MISSING, 9)]


def test_what_follows_a_cut_must_follow_from_it() -> None:
    events, others = chain(12), chain(12)
    forged = Anchor("org_1", 8, "f" * 64, NOW)
    found = verdict(events[8:], forged, events[-1])
    assert [fault.kind for fault in found.faults] == [FaultKind.UNLINKED]
    found = verdict(others[3:], forged, others[-1])
    assert [fault.kind for fault in found.faults] == [FaultKind.ANCHOR_DIFFERS]


def test_nobody_makes_a_cut_of_an_anchor() -> None:
    signer, anchor = AnchorSigner(b"a secret of the tests, long enough"), cut_after(chain(1)[0])
    assert signer.open_cut(signer.seal_cut(anchor)) == anchor
    assert signer.open_cut(signer.seal(anchor)) is None
    assert signer.open(signer.seal_cut(anchor)) is None
