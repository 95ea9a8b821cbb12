"""Tells each activity how far its operation is, so that the record of a step can say so too."""

from typing import Any

from temporalio import workflow
from temporalio.worker import (
    Interceptor,
    StartActivityInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)

with workflow.unsafe.imports_passed_through():
    from activities.steps import PROGRESS_HEADER
    from perdure.schemas.operations import Progress


class ProgressReporter(Interceptor):
    """Worker interceptor: puts an operation's progress into the headers of its activities."""

    def workflow_interceptor_class(
        self, input: WorkflowInterceptorClassInput
    ) -> type[WorkflowInboundInterceptor]:
        """See `Interceptor`."""
        return _Inbound


class _Inbound(WorkflowInboundInterceptor):
    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        super().init(_Outbound(outbound))


class _Outbound(WorkflowOutboundInterceptor):
    def start_activity(self, input: StartActivityInput) -> workflow.ActivityHandle[Any]:
        progress: Progress | None = getattr(workflow.instance(), "progress", None)
        if progress is not None and progress.total:
            header = workflow.payload_converter().to_payload(progress)
            input.headers = {**input.headers, PROGRESS_HEADER: header}
        return super().start_activity(input)
