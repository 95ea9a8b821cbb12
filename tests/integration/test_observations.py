"""The gauges of `/metrics`: what they count over all organisations, and that asking often costs nothing."""

from collections.abc import Mapping
from datetime import timedelta

import pytest
from prometheus_client import generate_latest
from sqlalchemy import text
from temporalio.client import Client

from api.metrics import Metrics
from api.observations import Observations
from perdure.db.session import Database
from perdure.domain.ids import new_id
from perdure.settings import Settings

_OPEN = text(
    "INSERT INTO operations (id, organisation_id, actor_id, kind, status, summary, input, run_id, created_at, "
    "updated_at) VALUES (:id, :organisation_id, 'usr_1', :kind, :status, 'Observed', '{}', 'run', "
    "now() - make_interval(secs => :age), now() - make_interval(secs => :silence))"
)
_MESSAGE = text(
    "INSERT INTO messages (id, organisation_id, effect, channel, kind, status, next_at, created_at) "
    "VALUES (:id, :organisation_id, :id, :channel, 'notification', :status, 'infinity', "
    "now() - make_interval(hours => :hours))"
)
_CLOSE = text("UPDATE operations SET closed_at = now(), status = 'cancelled' WHERE kind = :kind")


async def all_up() -> Mapping[str, bool]:
    return {"database": True, "temporal": True, "storage": False}


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


def sample(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


async def test_open_stuck_and_old_operations_are_counted_over_all_organisations(
    database: Database, temporal: Client, metrics: Metrics, organisation_id: str
) -> None:
    kind = new_id("tst")
    minutes = {"pending": 20, "running": 20, "paused": 20, "waiting_approval": 20}
    async with database.transaction(organisation_id) as session:
        for status, silent_for in [*minutes.items(), ("running", 1)]:
            row = {"id": new_id("op"), "organisation_id": organisation_id, "kind": kind, "status": status}
            await session.execute(_OPEN, {**row, "age": 3600, "silence": 60 * silent_for})
    settings = Settings(stuck_after_s=timedelta(minutes=15).total_seconds())
    await Observations(database, temporal, settings, metrics, all_up).refresh()
    async with database.transaction(organisation_id) as session:
        await session.execute(_CLOSE, {"kind": kind})

    assert sample(metrics, "perdure_operations_open", kind=kind, status="running") == 2
    assert sample(metrics, "perdure_operations_stuck", kind=kind, status="running") == 1
    assert sample(metrics, "perdure_operations_stuck", kind=kind, status="pending") == 1
    # Whoever holds an operation may take their time.
    for status in ("paused", "waiting_approval"):
        assert sample(metrics, "perdure_operations_open", kind=kind, status=status) == 1
        assert sample(metrics, "perdure_operations_stuck", kind=kind, status=status) == 0
    oldest = sample(metrics, "perdure_operations_oldest_age_seconds", kind=kind, status="running")
    assert oldest is not None
    assert 3600 <= oldest < 3660
    assert sample(metrics, "perdure_part_up", part="storage") == 0
    assert b"organisation" not in generate_latest(metrics.registry)


async def test_messages_that_wait_and_that_were_given_up_are_counted_over_all_organisations(
    database: Database, temporal: Client, metrics: Metrics, organisation_id: str
) -> None:
    async def seen() -> list[float]:
        await Observations(database, temporal, Settings(), metrics, all_up).refresh()
        names = ("waiting", "dead")
        found = [
            sample(metrics, f"perdure_messages_{name}", channel=channel)
            for name in names
            for channel in ("email", "webhook", "slack")
        ]
        return [figure for figure in found if figure is not None]

    before = await seen()
    rows = [("email", "waiting", 7), ("email", "waiting", 2), ("slack", "dead", 9), ("webhook", "sent", 8)]
    async with database.transaction(organisation_id) as session:
        for channel, status, hours in rows:
            row = {"id": new_id("msg"), "organisation_id": organisation_id, "channel": channel}
            await session.execute(_MESSAGE, {**row, "status": status, "hours": hours})
    after = await seen()
    assert [now - then for now, then in zip(after, before, strict=True)] == [2, 0, 0, 0, 0, 1]
    oldest = sample(metrics, "perdure_messages_oldest_waiting_age_seconds", channel="email")
    assert oldest is not None
    assert oldest >= 7 * 3600


async def test_a_second_scrape_within_seconds_looks_at_nothing(
    database: Database, temporal: Client, metrics: Metrics
) -> None:
    looks = 0

    async def counted() -> Mapping[str, bool]:
        nonlocal looks
        looks += 1
        return await all_up()

    observations = Observations(database, temporal, Settings(), metrics, counted)
    for _ in range(3):
        await observations.refresh()
    assert looks == 1


async def test_what_does_not_answer_has_no_figures_and_the_observation_is_old(
    database: Database, temporal: Client, metrics: Metrics
) -> None:
    observations = Observations(database, temporal, Settings(), metrics, all_up)
    metrics.open.labels("ingest_document", "running").set(7)
    nowhere = Database("postgresql://nobody@127.0.0.1:1/none", pool_size=1)
    broken = Observations(nowhere, temporal, Settings(), metrics, all_up)
    await broken.refresh()
    assert sample(metrics, "perdure_operations_open", kind="ingest_document", status="running") is None
    assert sample(metrics, "perdure_observed_timestamp_seconds") == 0
    assert sample(metrics, "perdure_task_queue_backlog_tasks", queue="io", work="workflow") is not None
    await observations.refresh()
    assert (sample(metrics, "perdure_observed_timestamp_seconds") or 0) > 0
    await nowhere.aclose()
