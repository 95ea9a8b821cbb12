"""What the steps of an execution did so far: kept for whoever asks, and written together."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from perdure.schemas.operations import OperationError
from perdure.schemas.workflow_executions import ExecutionStepState, StepRecordRead

# Of how many entries of a loop it is kept what their steps did.
KEPT_ENTRIES = 20


class StepRecords:
    """The latest visit of each step, by its id within the execution."""

    def __init__(self) -> None:
        self._records: dict[str, StepRecordRead] = {}
        self._changed: dict[str, StepRecordRead] = {}
        self._written: set[str] = set()

    @property
    def changed(self) -> bool:
        """Whether there is something that was not written."""
        return bool(self._changed)

    def begun(self, step_id: str, kind: str, visit: int, now: datetime) -> None:
        """A step begins, or goes on in another run."""
        before = self._records.get(step_id)
        started_at = before.started_at if before and before.visit == visit and before.started_at else now
        self._put(
            StepRecordRead(
                step_id=step_id,
                type=kind,
                state=ExecutionStepState.RUNNING,
                visit=visit,
                started_at=started_at,
            )
        )

    def update(self, step_id: str, **fields: Any) -> None:
        """Something about a step that has begun."""
        if step_id in self._records:
            self._put(self._records[step_id].model_copy(update=fields))

    def ended(
        self,
        step_id: str,
        state: ExecutionStepState,
        now: datetime,
        output: Mapping[str, Any] | None = None,
        error: OperationError | None = None,
    ) -> None:
        """A step has ended."""
        self.update(step_id, state=state, ended_at=now, output=dict(output) if output else None, error=error)

    def never(self, step_id: str, kind: str) -> None:
        """A step cannot run any more."""
        if step_id not in self._records:
            self._put(StepRecordRead(step_id=step_id, type=kind, state=ExecutionStepState.SKIPPED, visit=0))

    def is_written(self, prefix: str) -> bool:
        """Whether any step of an entry was written."""
        return any(step_id.startswith(prefix) for step_id in self._written)

    def forget(self, prefix: str, *, ends: bool) -> None:
        """Do not keep what the steps of an entry did; with `ends` those that were written are written once more."""
        for step_id in [one for one in self._records if one.startswith(prefix)]:
            del self._records[step_id]
            if not ends or step_id not in self._written:
                self._changed.pop(step_id, None)
            self._written.discard(step_id)

    def stopped(self, now: datetime) -> None:
        """Whatever is under way was stopped."""
        waiting = (
            ExecutionStepState.RUNNING,
            ExecutionStepState.WAITING,
            ExecutionStepState.WAITING_APPROVAL,
        )
        for step_id, record in list(self._records.items()):
            if record.state in waiting:
                self.update(step_id, state=ExecutionStepState.CANCELLED, ended_at=now)

    def take_changes(self) -> list[StepRecordRead]:
        """What is to be written."""
        changed, self._changed = self._changed, {}
        self._written.update(step_id for step_id in changed if step_id in self._records)
        return list(changed.values())

    def all(self) -> list[StepRecordRead]:
        """All that began."""
        return list(self._records.values())

    def kept(self) -> list[dict[str, Any]]:
        """All of it as JSON, without what steps got and gave: the one is written, the other stands in the state."""
        return [
            record.model_dump(mode="json", exclude={"input", "output"}) for record in self._records.values()
        ]

    def take_up(self, held: list[dict[str, Any]]) -> None:
        """The records of a run before, which are written."""
        for one in held:
            record = StepRecordRead.model_validate(one)
            self._records[record.step_id] = record
            self._written.add(record.step_id)

    def _put(self, record: StepRecordRead) -> None:
        self._records[record.step_id] = record
        self._changed[record.step_id] = record
