"""Time-outs and retries, by kind of work. Attempts are unlimited: an unknown error is an outage, not a result."""

from datetime import timedelta
from typing import TypedDict

from temporalio.common import RetryPolicy
from temporalio.workflow import ActivityCancellationType

from workflows import queues


class ActivityPolicy(TypedDict):
    """Keyword arguments of `execute_activity`."""

    task_queue: str
    start_to_close_timeout: timedelta
    heartbeat_timeout: timedelta
    retry_policy: RetryPolicy
    cancellation_type: ActivityCancellationType


class LocalPolicy(TypedDict):
    """Keyword arguments of `execute_local_activity`."""

    start_to_close_timeout: timedelta
    retry_policy: RetryPolicy


RETRIES = RetryPolicy(initial_interval=timedelta(milliseconds=500), maximum_interval=timedelta(seconds=30))

# Activities heartbeat every two seconds, so a killed worker is noticed in eight.
IO: ActivityPolicy = {
    "task_queue": queues.IO,
    "start_to_close_timeout": timedelta(minutes=10),
    "heartbeat_timeout": timedelta(seconds=8),
    "retry_policy": RETRIES,
    "cancellation_type": ActivityCancellationType.TRY_CANCEL,
}
CPU: ActivityPolicy = {
    "task_queue": queues.CPU,
    "start_to_close_timeout": timedelta(hours=2),
    "heartbeat_timeout": timedelta(seconds=8),
    "retry_policy": RETRIES,
    "cancellation_type": ActivityCancellationType.TRY_CANCEL,
}
# Everything that somebody has: hours, if it is much.
LONG_IO: ActivityPolicy = {**IO, "start_to_close_timeout": timedelta(hours=12)}
# One attempt, which has time-outs of its own; no operation, hence nobody who heartbeats.
DELIVERY: ActivityPolicy = {
    **IO,
    "start_to_close_timeout": timedelta(minutes=2),
    "heartbeat_timeout": timedelta(minutes=2),
}
RECORD: LocalPolicy = {
    "start_to_close_timeout": timedelta(seconds=10),
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(milliseconds=200), maximum_interval=timedelta(seconds=5)
    ),
}
# When an operation that its budget has paused looks again whether it may go on: a month of that fits into a history.
HELD = (timedelta(seconds=30), timedelta(hours=1))
# Workflow tasks go to the worker that has the workflow in memory. When it does not fetch one, it is dead.
STICKY_TIMEOUT = timedelta(seconds=2)
