"""What payloads are bound to: the worker knows it, but of what goes to workflows that are no children."""

from types import SimpleNamespace
from typing import cast

import pytest
from temporalio.api.enums.v1 import CommandType
from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
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


class Told(WorkflowInstance):
    """A workflow whose commands all go to another one; it starts a child in each task."""

    def __init__(self) -> None:
        self.started = 0

    def activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        self.started += 1
        completion = WorkflowActivationCompletion()
        command = completion.successful.commands.add().start_child_workflow_execution
        command.seq, command.workflow_id = self.started, f"child-{self.started}"
        command.workflow_type = "IngestDocument"
        return completion

    def get_serialization_context(self, command_info: object) -> WorkflowSerializationContext:
        return ANOTHER

    def get_external_store_context(self, command_info: object) -> StorageDriverStoreContext:
        return ANOTHERS

    def get_info(self) -> Info:
        raise NotImplementedError


def a_guarded(*, parent: object = None, continued_run_id: str | None = None) -> _Guarded:
    info = SimpleNamespace(
        namespace="default",
        workflow_id="op_1",
        run_id="r",
        workflow_type="IngestDocument",
        parent=parent,
        continued_run_id=continued_run_id,
    )
    details = SimpleNamespace(info=info, defn=SimpleNamespace(signals={}))
    return _Guarded(Told(), cast("WorkflowInstanceDetails", details))


@pytest.fixture
def guarded() -> _Guarded:
    return a_guarded()


@pytest.mark.parametrize("command", [None, CommandInfo(CommandType.COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK, 1)])
def test_what_a_workflow_and_its_activities_are_given_is_bound_to_the_workflow(
    guarded: _Guarded, command: CommandInfo | None
) -> None:
    itself = StorageDriverWorkflowInfo(namespace="default", id="op_1", run_id="r", type="IngestDocument")
    assert guarded.get_serialization_context(command) == WorkflowSerializationContext("default", "op_1")
    assert guarded.get_external_store_context(command) == StorageDriverStoreContext(itself)


def bound_to(guarded: _Guarded, command: CommandInfo) -> tuple[object, object]:
    return guarded.get_serialization_context(command), guarded.get_external_store_context(command)


def test_a_result_is_bound_to_the_workflow_and_kept_for_its_parent() -> None:
    command = CommandInfo(CommandType.COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION, 0)
    itself = StorageDriverWorkflowInfo(namespace="default", id="op_1", run_id="r", type="IngestDocument")
    context = WorkflowSerializationContext("default", "op_1")
    assert bound_to(a_guarded(), command) == (context, StorageDriverStoreContext(itself))
    parent = SimpleNamespace(namespace="default", workflow_id="op_0", run_id="r0")
    its_parent = StorageDriverWorkflowInfo(namespace="default", id="op_0", run_id="r0")
    assert bound_to(a_guarded(parent=parent), command) == (context, StorageDriverStoreContext(its_parent))
    # As the SDK has it: of a run that goes on for another, nobody is told.
    went_on = a_guarded(parent=parent, continued_run_id="before")
    assert bound_to(went_on, command) == (context, StorageDriverStoreContext(itself))


def child(number: int) -> CommandInfo:
    return CommandInfo(CommandType.COMMAND_TYPE_START_CHILD_WORKFLOW_EXECUTION, number)


def test_what_a_child_is_given_and_gives_is_bound_to_the_child(guarded: _Guarded) -> None:
    assert bound_to(guarded, child(1)) == (ANOTHER, ANOTHERS)
    guarded.activate(WorkflowActivation())
    its = StorageDriverWorkflowInfo(namespace="default", id="child-1", type="IngestDocument")
    context = WorkflowSerializationContext("default", "child-1")
    assert bound_to(guarded, child(1)) == (context, StorageDriverStoreContext(its))
    begun = WorkflowActivation()
    begun.jobs.add().resolve_child_workflow_execution_start.seq = 1
    begun.jobs[0].resolve_child_workflow_execution_start.succeeded.run_id = "r1"
    guarded.activate(begun)
    assert bound_to(guarded, child(1)) == (context, StorageDriverStoreContext(its))
    ended = WorkflowActivation()
    ended.jobs.add().resolve_child_workflow_execution.seq = 1
    guarded.activate(ended)
    assert bound_to(guarded, child(1)) == (ANOTHER, ANOTHERS)
    assert bound_to(guarded, child(2))[0] == WorkflowSerializationContext("default", "child-2")


def test_a_child_that_could_not_begin_is_forgotten(guarded: _Guarded) -> None:
    guarded.activate(WorkflowActivation())
    failed = WorkflowActivation()
    start = failed.jobs.add().resolve_child_workflow_execution_start
    start.seq = 1
    start.failed.workflow_type = "IngestDocument"
    guarded.activate(failed)
    assert bound_to(guarded, child(1)) == (ANOTHER, ANOTHERS)


def test_what_another_workflow_is_told_is_bound_to_that_one(guarded: _Guarded) -> None:
    command = CommandInfo(CommandType.COMMAND_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION, 1)
    assert bound_to(guarded, command) == (ANOTHER, ANOTHERS)
