"""The beginning of an audit trail goes for its age: what is left can be verified, and nothing else can go."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import text
from temporalio.client import Client

from perdure.audit_anchors import CUTS, AuditAnchors
from perdure.audit_verification import verify_trail
from perdure.db.audit_trail import AuditTrail
from perdure.db.retention_repository import RetentionRepository
from perdure.db.session import Database
from perdure.domain.audit import GENESIS, SYSTEM, Action, AuditEvent, event_hash, microseconds
from perdure.domain.ids import new_id
from perdure.domain.retention import DataKind
from perdure.embedded import postgres
from perdure.schemas.retention import RetentionReport, RetentionState
from workflows import queues
from workflows.apply_retention import ApplyRetention

DAY = timedelta(days=1)


@pytest.fixture
async def superuser(embedded_postgres: postgres.EmbeddedPostgres) -> AsyncIterator[Database]:
    database = Database(embedded_postgres.url("postgres"), 2)
    yield database
    await database.aclose()


async def a_round(temporal: Client, organisation_id: str) -> RetentionReport:
    """A round from one organisation on, which is the newest one."""
    state = RetentionState(now=datetime.now(UTC), after=organisation_id[:-1])
    return await temporal.execute_workflow(
        ApplyRetention.run, state, id=new_id("ret"), task_queue=queues.IO, task_timeout=timedelta(seconds=2)
    )


async def an_old_trail(database: Database, organisation_id: str, count: int) -> None:
    """Events of a hundred days ago, chained as they were then."""
    previous, at = GENESIS, datetime.now(UTC) - 100 * DAY
    row = "organisation_id, sequence, at, actor_kind, action, details, previous_hash, hash"
    insert = text(
        f"INSERT INTO audit_events ({row}) VALUES ({', '.join(f':{name}' for name in row.split(', '))})"
    )
    async with database.transaction(organisation_id) as session:
        for sequence in range(1, count + 1):
            event = AuditEvent(
                organisation_id,
                sequence,
                microseconds(at),
                *("system", None, None, "document.deleted", None, None, None, None, "{}"),
                previous,
            )
            previous = event_hash(event)
            await session.execute(
                insert,
                {
                    **{name: getattr(event, name) for name in row.split(", ") if name not in {"at", "hash"}},
                    "at": at,
                    "hash": previous,
                },
            )
        await session.execute(
            text(
                "INSERT INTO audit_heads (organisation_id, sequence, hash, at) VALUES (:org, :last, :hash, now())"
            ),
            {"org": organisation_id, "last": count, "hash": previous},
        )


async def test_a_trail_is_cut_and_stays_verifiable(
    product: FastAPI, organisation_id: str, database: Database, superuser: Database, temporal: Client
) -> None:
    anchors: AuditAnchors = product.state.audit_anchors

    async def faults() -> list[tuple[str, int]]:
        verdict = await verify_trail(database.transaction, anchors, organisation_id)
        return [(fault.kind.value, fault.sequence) for fault in verdict.faults]

    async def tamper(statement: str, **given: Any) -> None:
        async with superuser.transaction(None) as session:
            await session.execute(text("SET LOCAL session_replication_role = replica"))
            await session.execute(text(statement), {"org": organisation_id, **given})

    await an_old_trail(database, organisation_id, 30)
    async with database.transaction(organisation_id) as session:
        await AuditTrail(session, organisation_id).record(Action.USER_LOGGED_IN, SYSTEM)
    assert await faults() == []
    report = await a_round(temporal, organisation_id)
    assert "audit_events" not in report.deleted, "a trail is kept for ever unless somebody chooses otherwise"
    async with database.transaction(organisation_id) as session:
        await RetentionRepository(session, organisation_id).change({DataKind.AUDIT_EVENTS: 90})

    # What was tampered with is not cut: it could not be looked into any more.
    change = "UPDATE audit_events SET details = :details WHERE organisation_id = :org AND sequence = 7"
    await tamper(change, details="{ }")
    report = await a_round(temporal, organisation_id)
    assert (report.refused, report.deleted) == ([organisation_id], {})
    await tamper(change, details="{}")

    report = await a_round(temporal, organisation_id)
    assert (report.refused, report.deleted["audit_events"]) == ([], 30)
    assert await faults() == []
    async with database.transaction(organisation_id) as session:
        left = [stored.event for stored in await AuditTrail(session, organisation_id).page()]
    assert [(event.sequence, event.action) for event in left] == [
        (31, "user.logged_in"),
        (32, "audit.trimmed"),
        (33, "retention.applied"),
    ]
    assert "audit_events" not in (await a_round(temporal, organisation_id)).deleted

    # One more that is missed: it was not for its age.
    await tamper("DELETE FROM audit_events WHERE organisation_id = :org AND sequence = 31")
    assert await faults() == [("missing", 31)]
    # Without the signed cut, all that went is missed.
    await anchors.objects.delete([key async for key in anchors.objects.list(f"{CUTS}/{organisation_id}")])
    assert await faults() == [("missing", 1)]


@pytest.mark.parametrize("up_to", [1, 5])
async def test_the_database_keeps_what_is_recent_whatever_it_is_asked(
    database: Database, organisation_id: str, up_to: int
) -> None:
    for _ in range(5):
        async with database.transaction(organisation_id) as session:
            await AuditTrail(session, organisation_id).record(Action.USER_LOGGED_IN, SYSTEM)
    with pytest.raises(Exception, match="append-only"):  # what ends it is inside
        async with database.transaction(organisation_id) as session:
            await RetentionRepository(session, organisation_id).trim_trail(up_to)
    async with database.transaction(organisation_id) as session:
        assert len(await AuditTrail(session, organisation_id).page()) == 5
