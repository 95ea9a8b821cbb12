"""What payloads are bound to: the worker knows it of its workflow's own, and asks the workflow about all others."""

from types import SimpleNamespace
from typing import NoReturn, cast

import pytest
from temporalio.api.enums.v1 import CommandType
from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.converter import (
    StorageDriverStoreContext,
    StorageDriverWorkflowInfo,
    WorkflowSerializationContext,
)
from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails
from temporalio.worker._command_aware_visitor import CommandInfo
from temporalio.workflow import Info

from workflows.raw_signals import _Guarded

ANOTHER = WorkflowSerializationContext("default", "op_2")
ANOTHERS = StorageDriverStoreContext(StorageDriverWorkflowInfo(namespace="default", id="op_2"))


class Parent(WorkflowInstance):
    """A workflow whose commands all go to another one."""

    def activate(self, act: WorkflowActivation) -> NoReturn:
        raise NotImplementedError

    def get_serialization_context(self, command_info: object) -> WorkflowSerializationContext:
        return ANOTHER

    def get_external_store_context(self, command_info: object) -> StorageDriverStoreContext:
        return ANOTHERS

    def get_info(self) -> Info:
        raise NotImplementedError


@pytest.fixture
def guarded() -> _Guarded:
    info = SimpleNamespace(
        namespace="default", workflow_id="op_1", run_id="r", workflow_type="IngestDocument"
    )
    details = SimpleNamespace(info=info, defn=SimpleNamespace(signals={}))
    return _Guarded(Parent(), cast("WorkflowInstanceDetails", details))


@pytest.mark.parametrize("command", [None, CommandInfo(CommandType.COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK, 1)])
def test_what_a_workflow_and_its_activities_are_given_is_bound_to_the_workflow(
    guarded: _Guarded, command: CommandInfo | None
) -> None:
    itself = StorageDriverWorkflowInfo(namespace="default", id="op_1", run_id="r", type="IngestDocument")
    assert guarded.get_serialization_context(command) == WorkflowSerializationContext("default", "op_1")
    assert guarded.get_external_store_context(command) == StorageDriverStoreContext(itself)


@pytest.mark.parametrize(
    "kind",
    [
        CommandType.COMMAND_TYPE_START_CHILD_WORKFLOW_EXECUTION,
        CommandType.COMMAND_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION,
        CommandType.COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION,
    ],
)
def test_what_another_workflow_is_given_is_bound_to_that_one(
    guarded: _Guarded, kind: CommandType.ValueType
) -> None:
    command = CommandInfo(kind, 1)
    assert guarded.get_serialization_context(command) == ANOTHER
    assert guarded.get_external_store_context(command) == ANOTHERS
