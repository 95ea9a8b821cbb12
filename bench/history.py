"""Times out of a Temporal history. They are the server's own, which runs on this machine."""

from dataclasses import dataclass, field

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHistory

_CLOSED = {
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED,
}


@dataclass
class ActivityTimes:
    """One activity, in seconds since the epoch."""

    name: str
    scheduled: float
    started: float = 0.0
    ended: float = 0.0


@dataclass
class Timeline:
    """One run of a workflow, in seconds since the epoch; activities in the order of their scheduling."""

    started: float = 0.0
    closed: float = 0.0
    activities: list[ActivityTimes] = field(default_factory=list)
    workflow_tasks: int = 0

    @classmethod
    def of(cls, history: WorkflowHistory) -> "Timeline":
        """Read the events."""
        timeline = cls()
        by_event: dict[int, ActivityTimes] = {}
        for event in history.events:
            timeline._note(event, by_event)
        return timeline

    def _note(self, event: HistoryEvent, by_event: dict[int, ActivityTimes]) -> None:
        at = event.event_time.seconds + event.event_time.nanos / 1e9
        kind = event.event_type
        if kind == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED:
            self.started = at
        elif kind == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
            self.workflow_tasks += 1
        elif kind == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
            name = event.activity_task_scheduled_event_attributes.activity_type.name
            by_event[event.event_id] = ActivityTimes(name, at)
            self.activities.append(by_event[event.event_id])
        elif kind == EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED:
            by_event[event.activity_task_started_event_attributes.scheduled_event_id].started = at
        elif kind == EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
            by_event[event.activity_task_completed_event_attributes.scheduled_event_id].ended = at
        elif kind in _CLOSED:
            self.closed = at

    def segments_ms(self) -> dict[str, float]:
        """A chain of activities cut into what one waits for, in order: all of it adds up to the whole."""
        segments: dict[str, float] = {}
        before, after = self.started, "start"
        for activity in self.activities:
            segments[f"{after} → {activity.name} scheduled"] = activity.scheduled - before
            segments[f"{activity.name}: scheduled → started"] = activity.started - activity.scheduled
            segments[f"{activity.name}: started → ended"] = activity.ended - activity.started
            before, after = activity.ended, activity.name
        segments[f"{after} → closed"] = self.closed - before
        return {name: seconds * 1000 for name, seconds in segments.items()}

    def steps_ms(self) -> dict[str, float]:
        """Each step until the next one is scheduled; the last one until it ended."""
        ends = [activity.scheduled for activity in self.activities[1:]] + [self.activities[-1].ended]
        return {
            activity.name: (end - activity.scheduled) * 1000
            for activity, end in zip(self.activities, ends, strict=True)
        }


def covered_s(spans: list[tuple[float, float]]) -> float:
    """How long at least one of the spans lasted."""
    total, until = 0.0, 0.0
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, until))
        until = max(until, end)
    return total
