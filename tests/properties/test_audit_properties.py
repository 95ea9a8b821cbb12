from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from perdure.domain.audit import (
    GENESIS,
    AuditEvent,
    ChainedEvent,
    ChainVerifier,
    FaultKind,
    canonical_json,
    encode,
    event_hash,
    instant_of,
    microseconds,
)
from perdure.domain.audit_anchors import Anchor, AnchorSigner
from perdure.domain.audit_origins import new_person_key, open_origin, seal_origin

ORGANISATION = "org_1"

texts = st.text(max_size=12)
values = st.one_of(st.none(), texts, st.integers(-(2**63), 2**63 - 1))
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
instants = st.integers(0, 7 * 10**15).map(lambda number: EPOCH + timedelta(microseconds=number))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
events = st.builds(
    AuditEvent,
    organisation_id=st.just(ORGANISATION),
    sequence=st.integers(1, 2**62),
    at_us=st.integers(-(2**62), 2**62),
    actor_kind=texts,
    actor_id=st.none() | texts,
    person_id=st.none() | texts,
    action=texts,
    subject_type=st.none() | texts,
    subject_id=st.none() | texts,
    request_id=st.none() | texts,
    origin=st.none() | texts,
    details=st.dictionaries(st.text(max_size=8), json_values, max_size=3).map(canonical_json),
    previous_hash=texts,
)


def chained(drafts: list[AuditEvent]) -> list[ChainedEvent]:
    chain: list[ChainedEvent] = []
    for number, draft in enumerate(drafts, start=1):
        event = replace(draft, sequence=number, previous_hash=chain[-1].hash if chain else GENESIS)
        chain.append(ChainedEvent(event, event_hash(event)))
    return chain


def verdict_of(
    chain: list[ChainedEvent], head: ChainedEvent | None, anchors: list[Anchor] | None = None
) -> set[FaultKind]:
    verifier = ChainVerifier(ORGANISATION, anchors or [])
    for stored in sorted(chain, key=lambda each: each.event.sequence):
        verifier.add(stored)
    verdict = verifier.conclude(head.event.sequence if head else None, head.hash if head else None)
    assert verdict.fault_count == len(verdict.faults)
    return {fault.kind for fault in verdict.faults}


def anchor_of(stored: ChainedEvent) -> Anchor:
    return Anchor(ORGANISATION, stored.event.sequence, stored.hash, EPOCH)


@given(st.lists(values, max_size=6), st.lists(values, max_size=6))
def test_two_lists_of_values_never_share_an_encoding(first: list[Any], second: list[Any]) -> None:
    same = [(type(each), each) for each in first] == [(type(each), each) for each in second]
    assert (encode(first) == encode(second)) is same


@given(st.dictionaries(st.text(max_size=8), json_values, max_size=4))
def test_json_has_one_spelling_whatever_the_order_of_its_keys(value: dict[str, Any]) -> None:
    assert canonical_json(value) == canonical_json(dict(reversed(value.items())))


@given(events, st.data())
def test_a_change_of_any_field_changes_the_hash(event: AuditEvent, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from([field.name for field in fields(AuditEvent)]))
    other = getattr(data.draw(events), name) if name != "organisation_id" else "org_2"
    assume(other != getattr(event, name))
    changed: dict[str, Any] = {name: other}
    assert event_hash(replace(event, **changed)) != event_hash(event)


@given(instants)
def test_an_instant_is_the_same_number_in_every_zone(instant: datetime) -> None:
    elsewhere = instant.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert microseconds(elsewhere) == microseconds(instant)
    assert instant_of(microseconds(instant)) == instant


def test_a_time_that_no_calendar_reaches_is_none() -> None:
    assert instant_of(2**62) is None
    assert instant_of(-(2**62)) is None


@given(st.lists(events, max_size=6))
def test_an_untouched_chain_is_sound(drafts: list[AuditEvent]) -> None:
    chain = chained(drafts)
    anchors = [anchor_of(stored) for stored in chain]
    assert verdict_of(chain, chain[-1] if chain else None, anchors) == set()


@given(st.lists(events, min_size=1, max_size=6), st.data())
def test_any_removal_is_found(drafts: list[AuditEvent], data: st.DataObject) -> None:
    chain = chained(drafts)
    gone = data.draw(st.sets(st.integers(0, len(chain) - 1), min_size=1))
    left = [stored for number, stored in enumerate(chain) if number not in gone]
    assert verdict_of(left, chain[-1])
    # Also when the head was taken back with the rows: the anchor is elsewhere.
    assert verdict_of(left, left[-1] if left else None, [anchor_of(chain[-1])])


@given(st.lists(events, min_size=1, max_size=5), st.data())
def test_a_chain_that_was_hashed_anew_contradicts_its_anchor(
    drafts: list[AuditEvent], data: st.DataObject
) -> None:
    chain = chained(drafts)
    number = data.draw(st.integers(0, len(chain) - 1))
    changed = replace(drafts[number], details=canonical_json({"forged": True}))
    assume(changed.details != drafts[number].details)
    forged = chained([*drafts[:number], changed, *drafts[number + 1 :]])
    assert verdict_of(forged, forged[-1]) == set()
    assert verdict_of(forged, forged[-1], [anchor_of(chain[-1])]) == {FaultKind.ANCHOR_DIFFERS}


@given(st.lists(events, min_size=1, max_size=5), events)
def test_an_event_from_elsewhere_is_found(drafts: list[AuditEvent], intruder: AuditEvent) -> None:
    chain = chained(drafts)
    placed = replace(intruder, sequence=0)
    assert verdict_of([ChainedEvent(placed, event_hash(placed)), *chain], chain[-1]) == {FaultKind.MISPLACED}


@given(instants, st.binary(min_size=32, max_size=32), st.data())
def test_an_anchor_opens_only_as_it_was_written(at: datetime, secret: bytes, data: st.DataObject) -> None:
    signer = AnchorSigner(secret)
    anchor = Anchor(ORGANISATION, 7, "ab" * 32, at)
    sealed = signer.seal(anchor)
    assert signer.open(sealed) == anchor
    assert AnchorSigner(b"another" + secret).open(sealed) is None
    place = data.draw(st.integers(0, len(sealed) - 1))
    changed = bytearray(sealed)
    changed[place] ^= data.draw(st.integers(1, 255))
    # A change of a space is no change of what is said.
    assert signer.open(bytes(changed)) in {None, anchor}


@given(st.text(min_size=1, max_size=45), st.integers(1, 2**40))
def test_an_origin_opens_with_its_key_in_its_place_only(address: str, sequence: int) -> None:
    key = new_person_key()
    origin = seal_origin(address, key, ORGANISATION, sequence)
    assert open_origin(origin, key, ORGANISATION, sequence) == address
    assert open_origin(origin, new_person_key(), ORGANISATION, sequence) is None
    assert open_origin(origin, key, ORGANISATION, sequence + 1) is None
    assert open_origin(origin, key, "org_2", sequence) is None
