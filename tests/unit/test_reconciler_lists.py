"""How far the reconciler reads lists of workflows."""

from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from temporalio.api.enums.v1 import WorkflowExecutionStatus
from temporalio.api.workflow.v1 import WorkflowExecutionInfo

from activities.starting import ORGANISATION
from api.reconciler import OVERLAP, Reconciler
from perdure.settings import Settings


def a_run(name: str, ended_ago: timedelta | None) -> WorkflowExecutionInfo:
    """One that ended so long ago, or is paused, which is neither running nor ended."""
    info = WorkflowExecutionInfo(status=WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_COMPLETED)
    info.execution.workflow_id = info.execution.run_id = name
    info.search_attributes.indexed_fields[ORGANISATION.name].data = b'"org_1"'
    if ended_ago is not None:
        info.close_time.FromDatetime(datetime.now(UTC) - ended_ago)
    return info


class Looking(Reconciler):
    """Notes what it would compare, and how far it read."""

    def __init__(self, ended: Sequence[WorkflowExecutionInfo]) -> None:
        nothing = cast("Any", None)
        super().__init__(nothing, nothing, nothing, Settings())
        self._ended = ended
        self.read: list[str] = []
        self.compared: list[str] = []

    async def look(self) -> list[str]:
        self.read, self.compared = [], []
        await self._look_at_recent()
        return self.compared

    async def _listed(self, query: str, first: int = 0) -> AsyncGenerator[WorkflowExecutionInfo]:
        for info in self._ended if "!=" in query else ():
            self.read.append(info.execution.workflow_id)
            yield info

    async def _compare_all(self, organisation_id: str, runs: Sequence[Any]) -> None:
        assert organisation_id == "org_1"
        self.compared += [run.workflow_id for run in runs]


@pytest.fixture
def looking() -> Looking:
    lately, before = timedelta(seconds=1), 2 * OVERLAP
    return Looking(
        [a_run("paused", None), a_run("new", lately), a_run("old", before), a_run("older", before)]
    )


async def test_a_list_is_read_up_to_what_is_old(looking: Looking) -> None:
    assert await looking.look() == ["new"]
    assert looking.read == ["paused", "new", "old"]


async def test_what_was_seen_is_not_looked_at_again(looking: Looking) -> None:
    await looking.look()
    assert await looking.look() == []
