"""What `/metrics` looks up when it is asked: what is open and stuck, what waits to be
delivered, the task queues, the parts.

Looked up at most every ten seconds, however many ask. What does not answer has no figures: old ones would look true.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.service import RPCError

from api.metrics import Metrics
from perdure.db.session import Database
from perdure.schemas.messages import Channel, MessageStatus
from perdure.settings import Settings
from workflows import queues
from workflows.registry import KINDS

logger = structlog.get_logger("perdure.api")

KEPT_FOR = timedelta(seconds=10)
TIMEOUT = timedelta(seconds=3)

# What is polled: activities of every queue, workflows where a kind of operation runs.
POLLED = (
    *((name, "activity", TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY) for name in queues.ALL),
    *(
        (name, "workflow", TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW)
        for name in sorted({kind.queue for kind in KINDS.values()})
    ),
)

_FIGURES = text("SELECT kind, status, open, silent, oldest_at FROM find_operation_figures(:stuck_after)")

_MESSAGES = text("SELECT channel, status, messages, oldest_at FROM find_message_figures()")

Parts = Callable[[], Awaitable[Mapping[str, bool]]]


class Observations:
    """Keeps the gauges of one application."""

    def __init__(
        self, database: Database, client: Client, settings: Settings, metrics: Metrics, parts: Parts
    ) -> None:
        self._database, self._client, self._metrics, self._parts = database, client, metrics, parts
        self._stuck_after = timedelta(seconds=settings.stuck_after_s)
        self._fresh_until = 0.0
        self._looking = asyncio.Lock()

    async def refresh(self) -> None:
        """Look again, unless somebody just did. Raises nothing: what failed shows in the gauges."""
        async with self._looking:
            if time.monotonic() < self._fresh_until:
                return
            seen = await asyncio.gather(
                self._patiently("operations", self._look_at_operations()),
                self._patiently("messages", self._look_at_messages()),
                self._patiently("task queues", self._look_at_queues()),
                self._patiently("parts", self._look_at_parts()),
            )
            if all(seen):
                self._metrics.observed_at.set_to_current_time()
            self._fresh_until = time.monotonic() + KEPT_FOR.total_seconds()

    async def _patiently(self, what: str, look: Awaitable[None]) -> bool:
        try:
            await asyncio.wait_for(look, TIMEOUT.total_seconds())
        except (TimeoutError, SQLAlchemyError, RPCError, OSError) as error:
            logger.warning("metrics_not_observed", what=what, error=f"{type(error).__name__}: {error}"[:300])
            return False
        return True

    async def _look_at_operations(self) -> None:
        gauges = self._metrics.open, self._metrics.stuck, self._metrics.oldest
        for gauge in gauges:
            gauge.clear()
        async with self._database.transaction(None) as session:
            rows = (await session.execute(_FIGURES, {"stuck_after": self._stuck_after})).all()
        now = datetime.now(UTC)
        for row in rows:
            labels = row.kind, row.status
            self._metrics.open.labels(*labels).set(row.open)
            self._metrics.stuck.labels(*labels).set(row.silent)
            self._metrics.oldest.labels(*labels).set(max(0.0, (now - row.oldest_at).total_seconds()))

    async def _look_at_messages(self) -> None:
        gauges = self._metrics.messages_waiting, self._metrics.messages_oldest, self._metrics.messages_dead
        for gauge in gauges:
            gauge.clear()
        async with self._database.transaction(None) as session:
            rows = (await session.execute(_MESSAGES)).all()
        for gauge in gauges:
            for channel in Channel:
                # None is a figure, too: an alert compares with what was before.
                gauge.labels(channel.value).set(0)
        now = datetime.now(UTC)
        for row in rows:
            if row.status == MessageStatus.DEAD:
                self._metrics.messages_dead.labels(row.channel).set(row.messages)
                continue
            self._metrics.messages_waiting.labels(row.channel).set(row.messages)
            self._metrics.messages_oldest.labels(row.channel).set(
                max(0.0, (now - row.oldest_at).total_seconds())
            )

    async def _look_at_queues(self) -> None:
        for gauge in (self._metrics.backlog, self._metrics.backlog_age, self._metrics.pollers):
            gauge.clear()
        await asyncio.gather(*(self._look_at_queue(*polled) for polled in POLLED))

    async def _look_at_queue(self, name: str, work: str, kind: "TaskQueueType.ValueType") -> None:
        request = DescribeTaskQueueRequest(
            namespace=self._client.namespace,
            task_queue=TaskQueue(name=name),
            task_queue_type=kind,
            report_stats=True,
        )
        answer = await self._client.workflow_service.describe_task_queue(request, timeout=TIMEOUT)
        age = answer.stats.approximate_backlog_age.ToTimedelta()
        self._metrics.backlog.labels(name, work).set(answer.stats.approximate_backlog_count)
        self._metrics.backlog_age.labels(name, work).set(age.total_seconds())
        self._metrics.pollers.labels(name, work).set(len(answer.pollers))

    async def _look_at_parts(self) -> None:
        self._metrics.part_up.clear()
        for name, is_up in (await self._parts()).items():
            self._metrics.part_up.labels(name).set(is_up)
