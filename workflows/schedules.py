"""Temporal Schedules: of the installation, made or renewed whenever a worker starts, and of spaces that evolve."""

from datetime import timedelta

from temporalio.client import (
    Client,
    Schedule,
    ScheduleAction,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.common import SearchAttributePair, TypedSearchAttributes

from activities.evolution_schedules import end_schedule, schedule_id
from activities.starting import KIND, ORGANISATION, SUBJECT, TASK_TIMEOUT
from perdure.schemas.evolution import ScheduledEvolution
from workflows import queues
from workflows.apply_retention import ApplyRetention
from workflows.evolve_memory import StartEvolution
from workflows.monitor_ai_processing import CleanupExpiredWorkflows, MonitorAIProcessing

RETENTION = "apply-retention"
MONITORING = "monitor-ai-processing"
CLEAN_UP = "cleanup-expired-workflows"
MONITOR_EVERY = timedelta(minutes=5)
CLEAN_UP_EVERY = timedelta(hours=1)
# A round that a day of outage prevented is caught up with; older ones would do the same once more.
CATCH_UP = timedelta(days=1)
JITTER = timedelta(minutes=10)


def retention_schedule(every: timedelta) -> Schedule:
    """Rounds of retention, one at a time."""
    return _one_at_a_time(
        # Without input: what it takes, it looks up.
        ScheduleActionStartWorkflow(
            ApplyRetention.run,
            id=RETENTION,
            task_queue=queues.IO,
            task_timeout=TASK_TIMEOUT,
            typed_search_attributes=TypedSearchAttributes([SearchAttributePair(KIND, "apply_retention")]),
        ),
        every,
    )


def evolution_schedule(organisation_id: str, space_id: str, every: timedelta) -> Schedule:
    """Runs of evolution of a space, one at a time."""
    attributes = [
        SearchAttributePair(ORGANISATION, organisation_id),
        SearchAttributePair(KIND, "start_evolution"),
        SearchAttributePair(SUBJECT, space_id),
    ]
    return _one_at_a_time(
        ScheduleActionStartWorkflow(
            StartEvolution.run,
            ScheduledEvolution(organisation_id=organisation_id, space_id=space_id),
            id=schedule_id(space_id),
            task_queue=queues.IO,
            task_timeout=TASK_TIMEOUT,
            typed_search_attributes=TypedSearchAttributes(attributes),
        ),
        every,
    )


def _one_at_a_time(action: ScheduleAction, every: timedelta) -> Schedule:
    return Schedule(
        action=action,
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=every)], jitter=min(JITTER, every / 10)),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=CATCH_UP),
    )


async def schedule_evolution(
    client: Client, organisation_id: str, space_id: str, every_hours: int | None
) -> None:
    """Let a space evolve so often from now on; None: not by itself."""
    if every_hours is None:
        await end_schedule(client, space_id)
        return
    wanted = evolution_schedule(organisation_id, space_id, timedelta(hours=every_hours))
    await _made(client, schedule_id(space_id), wanted)


def round_schedule(
    workflow: type[MonitorAIProcessing | CleanupExpiredWorkflows], every: timedelta
) -> Schedule:
    """Rounds through all organisations, one at a time."""
    identifier = MONITORING if workflow is MonitorAIProcessing else CLEAN_UP
    return _one_at_a_time(
        ScheduleActionStartWorkflow(
            workflow.run,
            id=identifier,
            task_queue=queues.IO,
            task_timeout=TASK_TIMEOUT,
            typed_search_attributes=TypedSearchAttributes(
                [SearchAttributePair(KIND, identifier.replace("-", "_"))]
            ),
        ),
        every,
    )


async def ensure_schedules(
    client: Client, retention_every: timedelta, monitor_every: timedelta = MONITOR_EVERY
) -> None:
    """Make the schedules of the installation; those that exist become as they are here."""
    await _made(client, RETENTION, retention_schedule(retention_every))
    await _made(client, MONITORING, round_schedule(MonitorAIProcessing, monitor_every))
    await _made(client, CLEAN_UP, round_schedule(CleanupExpiredWorkflows, CLEAN_UP_EVERY))


async def _made(client: Client, identifier: str, wanted: Schedule) -> None:
    """Make a schedule, or bring it up to date; whether it is paused stays as it is."""
    try:
        await client.create_schedule(identifier, wanted)
    except ScheduleAlreadyRunningError:

        def renewed(found: ScheduleUpdateInput) -> ScheduleUpdate:
            wanted.state = found.description.schedule.state
            return ScheduleUpdate(schedule=wanted)

        await client.get_schedule_handle(identifier).update(renewed)
