"""The audit trail in a real database: appended by racing writers, kept by rights and triggers, erasable in part."""

import asyncio
from datetime import UTC, datetime

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, ProgrammingError

from perdure.db.audit_trail import AuditFilter, AuditTrail, heads_since
from perdure.db.session import Database
from perdure.domain.audit import (
    GENESIS,
    SYSTEM,
    Action,
    Actor,
    ActorKind,
    ChainVerifier,
    event_hash,
    instant_of,
)
from perdure.domain.ids import new_id
from perdure.schemas.operations import Subject

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


async def a_user(database: Database) -> str:
    user_id = new_id("usr")
    async with database.transaction(None) as session:
        await session.execute(
            text("INSERT INTO users (id, email, name, password_hash) VALUES (:id, :id, 'Ada', 'x')"),
            {"id": user_id},
        )
    return user_id


async def record(database: Database, organisation_id: str, count: int, actor: Actor = SYSTEM) -> None:
    for number in range(count):
        async with database.transaction(organisation_id) as session:
            trail = AuditTrail(session, organisation_id)
            await trail.record(Action.DOCUMENT_DELETED, actor, details={"number": number})


async def is_sound(database: Database, organisation_id: str) -> bool:
    verifier = ChainVerifier(organisation_id)
    async with database.transaction(organisation_id) as session:
        trail = AuditTrail(session, organisation_id)
        for stored in await trail.page():
            verifier.add(stored)
        head = await trail.head()
    verdict = verifier.conclude(head.sequence if head else None, head.hash if head else None)
    return verdict.is_sound


async def test_an_event_says_who_did_what_to_what(database: Database, organisation_id: str) -> None:
    user_id = await a_user(database)
    actor = Actor(ActorKind.API_KEY, "key_1", user_id, "req-1", "192.0.2.7")
    async with database.transaction(organisation_id) as session:
        trail = AuditTrail(session, organisation_id)
        subject = Subject(type="document", id="doc_1")
        assert (
            await trail.record(Action.DOCUMENT_DELETED, actor, subject=subject, details={"b": 1, "a": "é"})
            == 1
        )
        assert await trail.record(Action.USER_LOGGED_OUT, actor) == 2
    async with database.transaction(organisation_id) as session:
        trail = AuditTrail(session, organisation_id)
        newest, first = await trail.list(AuditFilter())
        event = first.event
        addresses = await trail.addresses([newest.event, event])
    assert (event.actor_kind, event.actor_id, event.person_id) == ("api_key", "key_1", user_id)
    assert (event.action, event.subject_type, event.subject_id) == ("document.deleted", "document", "doc_1")
    assert (event.request_id, event.details) == ("req-1", '{"a":"é","b":1}')
    assert event.previous_hash == GENESIS
    assert newest.event.previous_hash == first.hash
    assert newest.event.at_us > event.at_us
    assert "192.0.2.7" not in str(event.origin)
    assert addresses == {1: "192.0.2.7", 2: "192.0.2.7"}


async def test_what_is_rolled_back_is_not_recorded(database: Database, organisation_id: str) -> None:
    await record(database, organisation_id, 1)
    async with database.transaction(organisation_id) as session:
        await AuditTrail(session, organisation_id).record(Action.USER_LOGGED_IN, SYSTEM)
        await session.rollback()
    await record(database, organisation_id, 1)
    async with database.transaction(organisation_id) as session:
        assert [stored.event.sequence for stored in await AuditTrail(session, organisation_id).page()] == [
            1,
            2,
        ]
    assert await is_sound(database, organisation_id)


async def test_racing_writers_make_one_chain_without_gaps(database: Database, organisation_id: str) -> None:
    user_id = await a_user(database)
    actor = Actor(ActorKind.USER, user_id, user_id, None, "192.0.2.7")
    await asyncio.gather(*(record(database, organisation_id, 10, actor) for _ in range(12)))
    async with database.transaction(organisation_id) as session:
        chain = await AuditTrail(session, organisation_id).page()
    assert [stored.event.sequence for stored in chain] == list(range(1, 121))
    assert all(event_hash(stored.event) == stored.hash for stored in chain)
    times = [stored.event.at_us for stored in chain]
    assert times == sorted(times)
    assert await is_sound(database, organisation_id)


async def test_writers_of_two_organisations_do_not_wait_for_each_other(
    database: Database, organisation_id: str
) -> None:
    other = new_id("org")
    async with database.transaction(organisation_id) as held:
        await AuditTrail(held, organisation_id).record(Action.USER_LOGGED_IN, SYSTEM)
        async with asyncio.timeout(5), database.transaction(other) as session:
            assert await AuditTrail(session, other).record(Action.USER_LOGGED_IN, SYSTEM) == 1


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_events SET action = 'x'",
        "DELETE FROM audit_events",
        "TRUNCATE audit_events",
        "DELETE FROM audit_heads",
        "TRUNCATE audit_heads",
        "UPDATE audit_person_keys SET key = 'x'",
        "ALTER TABLE audit_events DISABLE TRIGGER ALL",
        "DROP TRIGGER append_only ON audit_events",
    ],
)
async def test_the_app_cannot_rewrite_history(
    database: Database, organisation_id: str, statement: str
) -> None:
    await record(database, organisation_id, 1)
    with pytest.raises(ProgrammingError) as refused:
        async with database.transaction(organisation_id) as session:
            await session.execute(text(statement))
    assert getattr(refused.value.orig, "sqlstate", None) == "42501"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_events SET action = 'x'",
        "DELETE FROM audit_events",
        "TRUNCATE audit_events, audit_heads",
    ],
)
async def test_triggers_refuse_even_the_owner_of_the_table(
    database: Database, owner: Database, organisation_id: str, statement: str
) -> None:
    await record(database, organisation_id, 1)
    with pytest.raises(DBAPIError, match="append-only"):
        async with owner.transaction(organisation_id) as session:
            await session.execute(text(statement))
    assert await is_sound(database, organisation_id)


@pytest.mark.parametrize("change", ["sequence = sequence - 1", "sequence = sequence + 2", "hash = 'x'"])
async def test_a_head_only_moves_on_by_one(database: Database, organisation_id: str, change: str) -> None:
    await record(database, organisation_id, 2)
    with pytest.raises(DBAPIError, match="only moves on"):
        async with database.transaction(organisation_id) as session:
            await session.execute(text(f"UPDATE audit_heads SET {change}"))


async def test_an_event_of_the_past_cannot_be_slipped_in(database: Database, organisation_id: str) -> None:
    """The app may insert, so a row out of its place is not refused, but found."""
    await record(database, organisation_id, 2)
    async with database.transaction(organisation_id) as session:
        await session.execute(
            text(
                "INSERT INTO audit_events SELECT organisation_id, 0, at, actor_kind, actor_id, person_id, action, "
                "subject_type, subject_id, request_id, origin, details, previous_hash, hash "
                "FROM audit_events WHERE sequence = 1"
            )
        )
    assert not await is_sound(database, organisation_id)


async def test_whoever_was_erased_is_unreadable_in_a_trail_that_stays_sound(
    database: Database, organisation_id: str
) -> None:
    user_id = await a_user(database)
    actor = Actor(ActorKind.USER, user_id, user_id, None, "192.0.2.7")
    await record(database, organisation_id, 2, actor)
    async with database.transaction(organisation_id) as session:
        await session.execute(text("DELETE FROM users WHERE id = :id"), {"id": user_id})
    await record(database, organisation_id, 1, actor)
    async with database.transaction(organisation_id) as session:
        trail = AuditTrail(session, organisation_id)
        events = [stored.event for stored in await trail.list(AuditFilter())]
        assert await trail.addresses(events) == {}
    assert [event.origin is None for event in events] == [True, False, False]
    assert await is_sound(database, organisation_id)


async def test_events_are_filtered(database: Database, organisation_id: str) -> None:
    ada = Actor(ActorKind.USER, "usr_ada", "usr_ada")
    key = Actor(ActorKind.API_KEY, "key_of_ada", "usr_ada")
    async with database.transaction(organisation_id) as session:
        trail = AuditTrail(session, organisation_id)
        await trail.record(Action.USER_LOGGED_IN, ada)
        await trail.record(Action.DOCUMENT_DELETED, key, subject=Subject(type="document", id="doc_1"))
        await trail.record(Action.DOCUMENT_DELETED, SYSTEM, subject=Subject(type="document", id="doc_2"))
        first, second, third = (
            instant_of(stored.event.at_us) for stored in reversed(await trail.list(AuditFilter()))
        )

        async def found(**wanted: object) -> list[int]:
            return [stored.event.sequence for stored in await trail.list(AuditFilter(**wanted))]  # type: ignore[arg-type]  # any of its fields

        assert await found(action="document.deleted") == [3, 2]
        assert await found(actor="usr_ada") == [2, 1]
        assert await found(actor="key_of_ada") == [2]
        assert await found(subject="doc_2") == [3]
        assert await found(since=second) == [3, 2]
        assert await found(until=second) == [1]
        assert await found(since=first, until=third, actor="usr_ada", action="user.logged_in") == [1]
        assert [stored.event.sequence for stored in await trail.list(AuditFilter(), before=3, limit=1)] == [2]


async def test_heads_tell_how_far_each_trail_is_and_nothing_else(
    database: Database, organisation_id: str
) -> None:
    await record(database, organisation_id, 3)
    async with database.transaction(organisation_id) as session:
        last = (await AuditTrail(session, organisation_id).page(2))[0]
    async with database.transaction(None) as session:
        heads = {head.organisation_id: head async for head in heads_since(session, LONG_AGO)}
        assert [head async for head in heads_since(session, datetime(2999, 1, 1, tzinfo=UTC))] == []
    assert (heads[organisation_id].sequence, heads[organisation_id].hash) == (3, last.hash)
