"""`run_document_workflow`: carry out any definition, step by step, for as long as it takes."""

import asyncio
from collections import Counter, deque
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    FailureError,
    TimeoutType,
    is_cancelled_exception,
)
from temporalio.exceptions import TimeoutError as TimedOutError
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from activities.approvals import ApprovalActivities
    from activities.document_steps import ASK_MODEL, STEP_ACTIVITIES, StepActivity
    from activities.starting import TASK_TIMEOUT, found_by
    from activities.workflow_executions import WorkflowExecutionActivities
    from perdure.domain.ids import derived_id
    from perdure.domain.step_inputs import shown_input
    from perdure.domain.workflow_courses import understood
    from perdure.domain.workflow_definitions import SETTINGS, OnError, Step, StepType, bind
    from perdure.domain.workflow_execution import (
        Completed,
        Course,
        Ended,
        Failed,
        Failure,
        Moved,
        PassedOver,
        RunState,
        StepRun,
        undoings,
    )
    from perdure.domain.workflow_values import Values, as_text, size_of
    from perdure.errors import BudgetReachedError, PerdureError, ProvidersFailedError
    from perdure.providers.cel_expressions import evaluate
    from perdure.schemas.approval_requests import ApprovalOpened, ApprovalResult
    from perdure.schemas.operations import (
        TERMINAL,
        OperationError,
        OperationInput,
        OperationStatus,
        StatusChange,
    )
    from perdure.schemas.workflow_executions import (
        ExecutionRead,
        ExecutionStepState,
        OpenSubWorkflow,
        RunDocumentWorkflowInput,
        RunDocumentWorkflowResult,
        StepJob,
        StepOutput,
        StepRecordRead,
        StepsRecord,
    )
    from workflows import policies, queues
    from workflows.document_waits import until_of
    from workflows.execution_frames import MAX_LOOP_BYTES, Frame, Loop, all_frames, done_in
    from workflows.policies import ActivityPolicy
    from workflows.requested_approvals import approval_output, approval_request
    from workflows.step_records import KEPT_ENTRIES, StepRecords

from workflows.operation import Operation, describe_failure

MAX_OUTPUT_BYTES = 256 * 1024
MAX_OUTPUTS_BYTES = 4 * 1024 * 1024
# What a payload of the result may have.
MAX_RESULT_BYTES = 40 * 1024
MAX_DEPTH = 5
# A history with so many events, or so long, is ended even if people or other workflows are waited for.
MAX_EVENTS = 20_000
MAX_HISTORY_BYTES = 20 * 1024 * 1024
LOOP_CONCURRENCY = 5
# So many steps that are only computed come one after the other before others are let in.
_IN_A_ROW = 400
_BREATH = timedelta(milliseconds=1)
# What steps did is written together, so late: each write is a timer, a workflow task and a transaction, and whoever
# asks meanwhile is answered by the workflow itself. What may stand for days is written sooner.
_WRITTEN_AFTER = timedelta(seconds=30)
_WRITTEN_SOON = timedelta(seconds=1)
_SAID_AFTER = timedelta(milliseconds=100)
# More than any step is visited in an attempt.
_VISITS_APART = 1_000_000
# More than the steps of a loop's body are visited for one entry.
_VISITS_OF_A_LOOP = 10_000
# Workers that died under an activity are no attempts of the step.
_MOST_DEATHS = 20
_AT_ONCE = frozenset(
    (StepType.TRANSFORM, StepType.ROUTING, StepType.CONDITION, StepType.PARALLEL, StepType.JOIN)
)
# What may have happened although nobody was told of its end. What a child does, it undoes itself.
_EFFECTS = frozenset((StepType.HTTP, StepType.NOTIFICATION, StepType.REMEMBER))
_STATES = {
    RunState.PENDING: ExecutionStepState.PENDING,
    RunState.RUNNING: ExecutionStepState.RUNNING,
    RunState.COMPLETED: ExecutionStepState.COMPLETED,
    RunState.FAILED: ExecutionStepState.FAILED,
    RunState.SKIPPED: ExecutionStepState.SKIPPED,
    RunState.CANCELLED: ExecutionStepState.CANCELLED,
}


@workflow.defn
class RunDocumentWorkflow(Operation):
    """Interprets a definition. What is only computed happens here, what has an effect is an activity or a child."""

    waits_out = frozenset((BudgetReachedError.slug, ProvidersFailedError.slug))

    _execution: RunDocumentWorkflowInput
    _root: Frame

    def __init__(self) -> None:
        super().__init__()
        self._records = StepRecords()
        self._parameters: dict[str, Any] = {}
        self._bodies: dict[str, Course] = {}
        # Steps under way; those of them that ask people, and that are workflows; activities and workflows under way.
        self._open = self._asking = self._nested = self._busy = 0
        self._ended = self._in_a_row = self._outputs = self._sequence = self._before = 0
        self._resting = self._is_over = self._hurries = False
        self._left: dict[str, Any] | None = None
        self._writing = asyncio.Lock()
        self._broken: BaseException | None = None
        self._writer: asyncio.Task[None] | None = None
        self._saying: asyncio.Task[None] | None = None

    @workflow.run
    async def run(self, job: RunDocumentWorkflowInput) -> RunDocumentWorkflowResult:
        return await self.perform(job, lambda: self._execute(job))

    @workflow.query
    def execution(self) -> ExecutionRead:
        """How far each step is."""
        if not self._has_begun():
            return ExecutionRead(execution_id="")
        seen = {record.step_id: self._with_output(record) for record in self._records.all()}
        for step in self._root.course.steps.values():
            run = self._root.state[step.id]
            seen.setdefault(
                step.id,
                StepRecordRead(step_id=step.id, type=step.type, state=_STATES[run.state], visit=run.visit),
            )
        return ExecutionRead(execution_id=self._execution.execution_id, steps=list(seen.values()))

    def at_work(self) -> OperationStatus:
        """People are waited for where nothing else is."""
        waits_for_people = self._asking > 0 and self._open == self._asking and not self._is_over
        return OperationStatus.WAITING_APPROVAL if waits_for_people else OperationStatus.RUNNING

    # The whole

    async def _execute(self, job: RunDocumentWorkflowInput) -> RunDocumentWorkflowResult:
        self._execution = job
        definition, course = understood(job.definition)
        self._parameters = bind(definition, job.parameters)
        state = job.state or {}
        self._before = int(state.get("before", 0))
        if "frame" in state:
            self._root = Frame.of(course, state["frame"])
            self._records.take_up(state["records"])
            self._outputs = size_of(state["frame"])
            moved = _resumed(self._root)
        else:
            self._root = Frame(course, {})
            moved = course.begin(self._before)
        root = self._root
        self.report(done=0, total=len(course.steps))
        try:
            self._move(root, moved)
            while not root.over.is_set():
                await workflow.wait_condition(self._may_stop_waiting)
                if self._broken is not None:
                    raise self._broken
                if not root.over.is_set():
                    await self._go_on_afresh(job)
            if root.failure is None:
                self._is_over = True
                return self._result_of(root)
        except (asyncio.CancelledError, FailureError) as error:
            if is_cancelled_exception(error):
                await self._stop()
                await self._compensate(root)
            raise
        await self._stop()
        self.report(step=root.failed_step)
        self._left = self._kept()
        raise ApplicationError(root.failure.detail, type=root.failure.type, non_retryable=True)

    async def settle(self, job: OperationInput, error: OperationError) -> None:
        """What was undone is done anew by a next attempt: its effects are others."""
        self._is_over = True
        if error.type == "cancelled":
            self._left = {"before": self._before + _VISITS_APART}

    async def record(self, change: StatusChange) -> None:
        """The end of an execution is written together with what its steps did last."""
        if change.status in TERMINAL and self._has_begun():
            await self._write(change)
        else:
            await super().record(change)

    def _has_begun(self) -> bool:
        return hasattr(self, "_root")

    async def _stop(self) -> None:
        """Nothing runs any more."""
        await _halt(self._root)
        self._root.stop()
        self._records.stopped(workflow.now())

    def _result_of(self, root: Frame) -> RunDocumentWorkflowResult:
        outputs: dict[str, Any] = {}
        size = 0
        for step_id, run in root.state.items():
            if run.state is RunState.COMPLETED and run.output:
                size += (length := size_of(run.output))
                outputs[step_id] = dict(run.output) if size <= MAX_RESULT_BYTES else {"omitted_bytes": length}
        steps = {step_id: run.state.value for step_id, run in root.state.items()}
        return RunDocumentWorkflowResult(outputs=outputs, steps=steps)

    # From one run to the next

    def _may_stop_waiting(self) -> bool:
        return self._root.over.is_set() or self._broken is not None or self._may_go_on_afresh()

    def _wants_to_go_on_afresh(self) -> bool:
        info = workflow.info()
        if self._ended < self._execution.steps_in_run and not info.is_continue_as_new_suggested():
            return False
        if not self._asking and not self._nested:
            return True
        # What waits for days is not waited for by those beside it.
        is_long = info.get_current_history_length() > MAX_EVENTS
        return is_long or (self._nested > 0 and info.get_current_history_size() > MAX_HISTORY_BYTES)

    def _may_go_on_afresh(self) -> bool:
        is_quiet = self._busy == 0 and not self._paused and not self._holds
        return is_quiet and self._is_said() and not self._recording.locked() and self._wants_to_go_on_afresh()

    async def _go_on_afresh(self, job: RunDocumentWorkflowInput) -> None:
        """As a new run, before the history grows long; a signal that has come meanwhile is not lost."""
        await self._write()
        await workflow.wait_condition(workflow.all_handlers_finished)
        if self._may_go_on_afresh() and not self._root.over.is_set():
            workflow.continue_as_new(job.model_copy(update={"state": self._kept()}))

    def _kept(self) -> dict[str, Any]:
        kept = {"frame": self._root.kept(), "records": self._records.kept()}
        return {**kept, "before": self._before} if self._before else kept

    # Steps of a frame

    def _move(self, frame: Frame, moved: Moved) -> None:
        """Start what is to be started; what is only computed is done at once, and what follows from it."""
        frame.state = moved.state
        starts = deque(moved.starts)
        while starts and frame.failure is None and not frame.is_halted:
            step = frame.course.steps[starts.popleft()]
            self._note_start(frame, step)
            if step.type not in _AT_ONCE or self._is_held():
                self._open += step.type is not StepType.FOR_EACH
                task = asyncio.create_task(self._carry_out(frame, step))
                task.add_done_callback(self._notice)
                frame.tasks[step.id] = task
                continue
            starts.extend(self._settle(frame, self._computed(frame, step)))
        self._look_at(frame)

    async def _carry_out(self, frame: Frame, step: Step) -> None:
        try:
            await self._let_begin()
            event = await self._event_of(frame, step)
        finally:
            del frame.tasks[step.id]
            self._open -= step.type is not StepType.FOR_EACH
        starts = self._settle(frame, event)
        self._move(frame, Moved(dict(frame.state), starts))
        self._reconsider()

    def _notice(self, task: asyncio.Task[None]) -> None:
        """An error that nobody expected is the workflow's: without this, it would wait for ever."""
        if not task.cancelled() and (error := task.exception()) is not None:
            self._broken = error

    def _settle(self, frame: Frame, event: Ended) -> tuple[str, ...]:
        """Note how a step ended; what is to start now."""
        self._ended += 1
        self._note_end(frame, event)
        moved = frame.course.advance(frame.state, event)
        frame.state = moved.state
        for exhausted in moved.exhausted:
            self._note_end(frame, exhausted)
        if moved.failed is not None:
            failed = frame.state[moved.failed]
            frame.failure = failed.error or Failure("internal-error", "The step failed.")
            frame.failed_step = frame.name_of(moved.failed)
        return moved.starts

    def _look_at(self, frame: Frame) -> None:
        """Whether a frame has come to its end."""
        if frame.failure is not None or not frame.tasks:
            frame.over.set()
        if frame is self._root:
            for step_id, run in frame.state.items():
                if run.state is RunState.SKIPPED:
                    self._records.never(step_id, frame.course.steps[step_id].type)
            ended = sum(run.state not in _OPEN for run in frame.state.values())
            self.report(done=ended)
        self._write_soon()

    def _is_held(self) -> bool:
        """Whether a step has to wait before it begins."""
        if self._in_a_row >= _IN_A_ROW and not self._resting:
            self._resting = True
        return bool(self._paused or self._holds or self._resting) or self._wants_to_go_on_afresh()

    async def _let_begin(self) -> None:
        if self._resting:
            await workflow.sleep(_BREATH)
            self._resting, self._in_a_row = False, 0
        while self._paused or self._holds or self._wants_to_go_on_afresh():
            await workflow.wait_condition(
                lambda: not self._paused and not self._holds and not self._wants_to_go_on_afresh()
            )

    # What a step does

    def _values(self, frame: Frame) -> Values:
        def look_up(root: str, name: str | None) -> Any:
            match root:
                case "steps":
                    return frame.seen(str(name))
                case "input":
                    return self._execution.input
                case "parameters":
                    return self._parameters
                case "document":
                    return {"id": self._execution.document_id, **self._execution.document}
                case "execution":
                    return {
                        "id": self._execution.execution_id,
                        "workflow_id": self._execution.workflow_definition_id,
                        "version": self._execution.version,
                        "started_at": self._execution.created_at.isoformat(),
                    }
            return frame.scope.get(root)

        return Values(evaluate, look_up)

    def _computed(self, frame: Frame, step: Step) -> Ended:
        """A step that needs nobody else."""
        self._in_a_row += 1
        values = self._values(frame)
        try:
            if step.when and not values.holds(step.when):
                return PassedOver(step.id)
            return self._bounded(_chosen(step, values))
        except PerdureError as error:
            return Failed(step.id, Failure(error.slug, str(error)))

    async def _event_of(self, frame: Frame, step: Step) -> Ended:
        if step.type in _AT_ONCE:
            return self._computed(frame, step)
        values = self._values(frame)
        try:
            if step.when and not values.holds(step.when):
                return PassedOver(step.id)
            return await self._ended_by(frame, step, values)
        except PerdureError as error:
            return Failed(step.id, Failure(error.slug, str(error)))
        except FailureError as error:
            if is_cancelled_exception(error) and frame.is_halted:
                raise
            return Failed(step.id, _failure_of(error, step))

    async def _ended_by(self, frame: Frame, step: Step, values: Values) -> Ended:
        if step.type is StepType.FOR_EACH:
            return await self._go_over(frame, step, values)
        if step.type is StepType.WAIT:
            return await self._wait(frame, step, values)
        return self._bounded(Completed(step.id, await self._output_of(frame, step, values)))

    async def _output_of(self, frame: Frame, step: Step, values: Values) -> dict[str, Any]:
        """A step that is an activity or a workflow of its own."""
        self._busy += 1
        try:
            if step.type is StepType.APPROVAL:
                return await self._approval(frame, step, values)
            if step.type is StepType.SUB_WORKFLOW:
                return await self._sub_workflow(frame, step, values)
            return await self._activity(frame, step, values)
        finally:
            self._busy -= 1

    def _bounded(self, event: Completed) -> Ended:
        """An output that is too long to be kept is a failure."""
        size = size_of(event.output)
        if size > MAX_OUTPUT_BYTES or self._outputs + size > MAX_OUTPUTS_BYTES:
            most = MAX_OUTPUT_BYTES if size > MAX_OUTPUT_BYTES else MAX_OUTPUTS_BYTES
            what = "The step gave" if size > MAX_OUTPUT_BYTES else "With this step, all together gave"
            detail = f"{what} more than {most // 1024} KiB; let it give less, for example with a transform."
            return Failed(event.step, Failure("output-too-large", detail))
        self._outputs += size
        return event

    async def _activity(self, frame: Frame, step: Step, values: Values) -> dict[str, Any]:
        if step.type not in STEP_ACTIVITIES:
            detail = f"Steps of type {step.type} are not available yet; take the step out of the definition."
            raise ApplicationError(detail, type="not-available", non_retryable=True)
        job = self._job_of(frame, step, values)
        if step.type in _EFFECTS:
            frame.under_way.add(step.id)
        try:
            output = await self._attempt(step, STEP_ACTIVITIES[step.type], job)
        except FailureError as error:
            if not is_cancelled_exception(error):
                frame.under_way.discard(step.id)
            raise
        frame.under_way.discard(step.id)
        if output.held is not None:
            asking = job.model_copy(update={"held": output.held})
            output = await self._attempt(step, ASK_MODEL, asking)
        return output.output

    def _job_of(self, frame: Frame, step: Step, values: Values) -> StepJob:
        execution = self._execution
        settings, given = _settings_of(step, values), values.filled_in(step.input)
        self._records.update(frame.name_of(step.id), input=shown_input(settings, given))
        return StepJob(
            organisation_id=execution.organisation_id,
            operation_id=execution.operation_id,
            operation_kind=execution.kind,
            execution_id=execution.execution_id,
            step_id=frame.name_of(step.id),
            visit=frame.state[step.id].visit,
            type=step.type,
            document_id=execution.document_id,
            settings=settings,
            input=given,
            actor_id=execution.actor_id,
        )

    async def _attempt(self, step: Step, activity: StepActivity, job: StepJob) -> StepOutput:
        """Run an activity as often as the step wants; a budget is waited for, and a worker that dies is no attempt."""
        policy = _policy(step, activity)
        held = deaths = again = 0
        while True:
            resumes = self._resumes
            identity = f"{job.step_id}:{job.visit}" + (f"~{again}" if again else "")
            if activity is ASK_MODEL:
                identity = f"{identity}/model"
            try:
                output: StepOutput = await workflow.execute_activity(
                    activity.name,
                    job,
                    result_type=StepOutput,
                    activity_id=identity,
                    summary=job.step_id,
                    **policy,
                )
                break
            except ActivityError as error:
                again += 1
                if _worker_died(error) and deaths < _MOST_DEATHS:
                    deaths += 1
                    continue
                reason = describe_failure(error, job.step_id)
                if reason.type not in self.waits_out:
                    raise
            if self._resumes == resumes:
                await self._hold(reason, held)
                held += 1
        return output

    async def _approval(self, frame: Frame, step: Step, values: Values) -> dict[str, Any]:
        request = approval_request(self._job_of(frame, step, values), step.name or step.id)
        name = frame.name_of(step.id)
        opened: ApprovalOpened = await workflow.execute_activity_method(
            ApprovalActivities.open_approval, request, summary=name, **policies.IO
        )
        self._records.update(
            name,
            state=ExecutionStepState.WAITING_APPROVAL,
            approval_id=opened.approval_id,
            operation_id=opened.operation_id,
        )
        self._asking += 1
        self._reconsider()
        self._write_soon(hurries=True)
        try:
            # By its name: a module that is imported here is imported anew for every execution.
            waiting = workflow.execute_child_workflow(
                "RequestApproval",
                opened.input,
                result_type=ApprovalResult,
                id=opened.operation_id,
                task_queue=queues.IO,
                task_timeout=TASK_TIMEOUT,
                parent_close_policy=ParentClosePolicy.REQUEST_CANCEL,
                search_attributes=found_by(
                    opened.input.organisation_id, opened.input.kind, opened.approval_id
                ),
                static_summary=request.title,
            )
            return approval_output(await _within(step, waiting))
        finally:
            self._asking -= 1

    async def _sub_workflow(self, frame: Frame, step: Step, values: Values) -> dict[str, Any]:
        execution = self._execution
        if execution.depth >= MAX_DEPTH:
            detail = f"Workflows start each other more than {MAX_DEPTH} deep."
            raise ApplicationError(detail, type="too-deep", non_retryable=True)
        name = frame.name_of(step.id)
        settings = values.filled_in(step.settings)
        visit = frame.state[step.id].visit
        given = values.filled_in(step.input)
        self._records.update(name, input=shown_input(settings, given))
        opening = OpenSubWorkflow(
            organisation_id=execution.organisation_id,
            actor_id=execution.actor_id,
            parent_operation_id=execution.operation_id,
            operation_id=derived_id("op", execution.execution_id, f"{name}:{visit}"),
            workflow_id=str(settings["workflow_id"]),
            version=settings.get("version"),
            document_id=execution.document_id,
            input={**given, **settings.get("input", {})},
            depth=execution.depth + 1,
        )
        job = await workflow.execute_activity_method(
            WorkflowExecutionActivities.open_sub_workflow, opening, summary=name, **policies.IO
        )
        self._records.update(name, operation_id=job.operation_id)
        running = workflow.execute_child_workflow(
            RunDocumentWorkflow.run,
            job,
            id=job.operation_id,
            task_queue=queues.IO,
            task_timeout=TASK_TIMEOUT,
            parent_close_policy=ParentClosePolicy.REQUEST_CANCEL,
            search_attributes=found_by(
                job.organisation_id, job.kind, job.subject.id if job.subject else None
            ),
            static_summary=f"{name} of {execution.execution_id}",
        )
        holds_nobody = workflow.patched("run-document-workflow-sub-workflows-beside-2026-11")
        self._nested += holds_nobody
        try:
            result: RunDocumentWorkflowResult = await _within(step, running)
        finally:
            self._nested -= holds_nobody
        return {"execution_id": job.execution_id, "outputs": result.outputs, "steps": result.steps}

    async def _wait(self, frame: Frame, step: Step, values: Values) -> Ended:
        """Until a time, or for a while, which a pause makes longer."""
        name = frame.name_of(step.id)
        settings = values.filled_in(step.settings)
        until = frame.waits.get(step.id)
        deadline = datetime.fromisoformat(until) if until else until_of(settings, workflow.now())
        self._records.update(name, state=ExecutionStepState.WAITING, input=shown_input(settings, {}))
        self._write_soon(hurries=True)
        while True:
            frame.waits[step.id] = deadline.isoformat()
            left = deadline - workflow.now()
            if left <= timedelta():
                break
            try:
                await workflow.wait_condition(lambda: self._paused or bool(self._holds), timeout=left)
            except TimeoutError:
                break
            paused_at = workflow.now()
            await self.unpaused()
            if "for" in settings:
                deadline += workflow.now() - paused_at
        await self.unpaused()
        del frame.waits[step.id]
        return Completed(step.id, {"until": deadline.isoformat()})

    async def _go_over(self, frame: Frame, step: Step, values: Values) -> Ended:
        """A loop's body for each entry, a few at once."""
        loop = frame.loops.get(step.id)
        if loop is None:
            loop = Loop(values.entries(step.settings["items"], step.settings["max_items"]))
            if size_of(loop.items) > MAX_LOOP_BYTES:
                detail = f"The entries take more than {MAX_LOOP_BYTES // 1024} KiB."
                return Failed(step.id, Failure("output-too-large", detail))
            frame.loops[step.id] = loop
        loop.failure = None
        course = self._body_of(step)
        at_once = min(step.settings.get("concurrency", LOOP_CONCURRENCY), max(1, len(loop.items)))
        rounds = [asyncio.create_task(self._entries(frame, step, loop, course)) for _ in range(at_once)]
        try:
            await asyncio.gather(*rounds)
        finally:
            for one in rounds:
                one.cancel()
            await asyncio.gather(*rounds, return_exceptions=True)
        if loop.failure is not None:
            for inner in loop.frames.values():
                inner.stop()
            if step.on_error is not OnError.FAIL:
                for index, inner in loop.frames.items():
                    frame.keep_entry(step.id, index, loop.items[index], inner)
                del frame.loops[step.id]
            return Failed(step.id, loop.failure)
        del frame.loops[step.id]
        return self._bounded(Completed(step.id, loop.output()))

    async def _entries(self, frame: Frame, step: Step, loop: Loop, course: Course) -> None:
        """One entry after the other, until there is none."""
        while loop.failure is None and (taken := loop.take()) is not None:
            index, held = taken
            inner = frame.entry(step.id, index, loop.items[index], course, held or {})
            loop.frames[index] = inner
            try:
                self._move(inner, _resumed(inner) if held else course.begin(self._visits_of(frame, step)))
                await inner.over.wait()
                if inner.failure is not None:
                    detail = f"{inner.failed_step}: {inner.failure.detail}"
                    loop.failure = loop.failure or replace(inner.failure, detail=detail)
                    return
            finally:
                await _halt(inner)
            loop.conclude(index, inner)
            frame.keep_entry(step.id, index, loop.items[index], inner)
            self._forget_entry(inner, index)

    def _forget_entry(self, inner: Frame, index: int) -> None:
        """Do not keep what the steps of all entries of a long loop did; what was written as running has an end."""
        if index < KEPT_ENTRIES:
            return
        is_written = self._records.is_written(inner.prefix)
        ends = is_written and workflow.patched("run-document-workflow-ends-of-entries-2026-11")
        self._records.forget(inner.prefix, ends=ends)

    def _body_of(self, step: Step) -> Course:
        return self._bodies.setdefault(step.id, Course(step.body))

    def _visits_of(self, frame: Frame, step: Step) -> int:
        """The visits that a loop's body begins after: when the way leads back to the loop, its effects are others."""
        before = frame.state[step.id].visit - 1 - self._before
        return self._before + before * _VISITS_OF_A_LOOP

    async def _compensate(self, root: Frame) -> None:
        """What was done is undone by the steps that say so, the last first; one that fails stops no other."""
        dues = undoings(done_in(root, self._body_of))
        left = Counter(due.place.name_of(due.undone) for due in dues)
        for due in dues:
            frame, undoing = due.place, due.step
            step = replace(frame.course.steps[undoing], when="")
            run, undone = frame.state[undoing], frame.state[due.undone]
            if due.output is not None:
                undone = replace(undone, state=RunState.COMPLETED, error=None)
            frame.state = {
                **frame.state,
                due.undone: replace(undone, output=due.output),
                undoing: StepRun(RunState.RUNNING, visit=run.visit + 1),
            }
            self._note_start(frame, step)
            event = self._computed(frame, step) if step.type in _AT_ONCE else await self._undo(frame, step)
            self._note_end(frame, event)
            is_done = isinstance(event, Completed)
            state = RunState.COMPLETED if is_done else RunState.FAILED
            frame.state = {**frame.state, undoing: replace(frame.state[undoing], state=state)}
            left[name := frame.name_of(due.undone)] -= is_done
            if not left[name]:
                self._records.update(name, state=ExecutionStepState.COMPENSATED)

    async def _undo(self, frame: Frame, step: Step) -> Ended:
        try:
            return Completed(step.id, await self._output_of(frame, step, self._values(frame)))
        except (PerdureError, FailureError) as error:
            return Failed(step.id, _failure_of(error, step))

    # What is known of it

    def _note_start(self, frame: Frame, step: Step) -> None:
        self._records.begun(frame.name_of(step.id), step.type, frame.state[step.id].visit, workflow.now())

    def _note_end(self, frame: Frame, event: Ended) -> None:
        name = frame.name_of(event.step)
        now = workflow.now()
        match event:
            case Completed(output=output):
                self._records.ended(name, ExecutionStepState.COMPLETED, now, output)
            case PassedOver():
                self._records.ended(name, ExecutionStepState.SKIPPED, now)
            case Failed(failure=failure):
                error = OperationError(type=failure.type, detail=failure.detail, step=name)
                self._records.ended(name, ExecutionStepState.FAILED, now, error=error)

    def _with_output(self, record: StepRecordRead) -> StepRecordRead:
        run = self._root.state.get(record.step_id)
        if record.output is None and run is not None and run.output and record.state == "completed":
            return record.model_copy(update={"output": dict(run.output)})
        return record

    def _reconsider(self) -> None:
        """Say so when only people are waited for, or no longer."""
        if not self._is_said() and (self._saying is None or self._saying.done()):
            self._saying = asyncio.create_task(self._say_later())

    def _is_said(self) -> bool:
        return self._status not in _WORKING or self._status is self.at_work() or self._holds > 0

    async def _say_later(self) -> None:
        """A workflow task ends with its local activities: written at once, this would hold up the steps it begins."""
        await workflow.sleep(_SAID_AFTER)
        while not self._is_said():
            await self._change_status(self.at_work())

    def _write_soon(self, *, hurries: bool = False) -> None:
        """Have what changed written, together with what changes until then."""
        self._hurries = self._hurries or hurries
        if self._records.changed and (self._writer is None or self._writer.done()) and not self._is_over:
            self._writer = asyncio.create_task(self._write_later())

    async def _write_later(self) -> None:
        while self._records.changed and not self._is_over:
            with suppress(TimeoutError):
                await workflow.wait_condition(lambda: self._hurries, timeout=_WRITTEN_AFTER)
            if self._hurries:
                await workflow.sleep(_WRITTEN_SOON)
            self._hurries = False
            if not self._is_over:
                await self._write()

    async def _write(self, end: StatusChange | None = None) -> None:
        # One after the other: what was on its way when the end came is not lost with it.
        async with self._writing:
            steps = self._records.take_changes()
            if steps or end is not None:
                await self._write_steps(steps, end)

    async def _write_steps(self, steps: list[StepRecordRead], end: StatusChange | None) -> None:
        execution = self._execution
        self._sequence = max(self._sequence + 1, int(workflow.now().timestamp() * 1_000_000))
        record = StepsRecord(
            organisation_id=execution.organisation_id,
            operation_id=execution.operation_id,
            execution_id=execution.execution_id,
            run_id=workflow.info().run_id,
            sequence=self._sequence,
            steps=steps,
            state=self._left if end else None,
            end=end,
        )
        await workflow.execute_local_activity_method(
            WorkflowExecutionActivities.record_steps, record, **policies.RECORD
        )


_OPEN = frozenset((RunState.PENDING, RunState.RUNNING))
_WORKING = frozenset((OperationStatus.RUNNING, OperationStatus.WAITING_APPROVAL))


def _resumed(frame: Frame) -> Moved:
    """Steps that ran when a run before ended go on, and those that failed are tried again."""
    running = [name for name, run in frame.state.items() if run.state is RunState.RUNNING]
    moved = frame.course.again(frame.state)
    return replace(moved, starts=(*running, *moved.starts))


def _chosen(step: Step, values: Values) -> Completed:
    """What a step that is only computed gives, and where it leads."""
    settings = step.settings
    match step.type:
        case StepType.TRANSFORM:
            return Completed(step.id, {name: values.of(text) for name, text in settings["set"].items()})
        case StepType.ROUTING:
            for number, branch in enumerate(settings["branches"]):
                if values.holds(branch["when"]):
                    return Completed(step.id, {"branch": number, "goto": branch["goto"]}, (branch["goto"],))
            default = settings.get("default")
            return Completed(step.id, {"branch": None, "goto": default}, (default,) if default else ())
        case StepType.CONDITION:
            value = values.holds(settings["if"])
            target = settings.get("then" if value else "else")
            return Completed(step.id, {"value": value}, (target,) if target else ())
        case StepType.PARALLEL:
            return Completed(step.id, {}, tuple(dict.fromkeys(settings["branches"])))
    return Completed(step.id)


def _settings_of(step: Step, values: Values) -> dict[str, Any]:
    """A step's settings, filled in; what is to be a text is one, also where it is made of a number alone."""
    filled: dict[str, Any] = values.filled_in(step.settings)
    kinds = SETTINGS[step.type]
    return {name: as_text(value) if kinds[name].kind == "text" else value for name, value in filled.items()}


def _policy(step: Step, activity: StepActivity) -> ActivityPolicy:
    wait = timedelta(seconds=step.retry.wait_seconds)
    policy: ActivityPolicy = {
        **(policies.CPU if activity.computes else policies.IO),
        "retry_policy": RetryPolicy(
            initial_interval=wait,
            maximum_interval=max(wait, timedelta(minutes=5)),
            maximum_attempts=step.retry.attempts,
        ),
    }
    if step.timeout_seconds is not None:
        policy["start_to_close_timeout"] = timedelta(seconds=step.timeout_seconds)
    return policy


def _worker_died(error: ActivityError) -> bool:
    return isinstance(error.cause, TimedOutError) and error.cause.type is TimeoutType.HEARTBEAT


def _failure_of(error: BaseException, step: Step) -> Failure:
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, TimedOutError):
        cause = cause.__cause__
    if cause is not None:
        limit = f" {step.timeout_seconds} seconds" if step.timeout_seconds else " it may"
        return Failure("timeout", f"The step took longer than{limit}.")
    reason = describe_failure(error, None)
    return Failure(reason.type, reason.detail)


async def _within(step: Step, waiting: Coroutine[Any, Any, Any]) -> Any:
    """What a workflow of its own gives, within the step's time."""
    if step.timeout_seconds is None:
        return await waiting
    task = asyncio.create_task(waiting)
    try:
        await workflow.wait_condition(task.done, timeout=timedelta(seconds=step.timeout_seconds))
    except TimeoutError:
        detail = f"The step took longer than {step.timeout_seconds} seconds."
        raise ApplicationError(detail, type="timeout", non_retryable=True) from None
    finally:
        if not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    return task.result()


async def _halt(frame: Frame) -> None:
    """End what is under way in a frame and in its loops."""
    frames = list(all_frames(frame))
    for one in frames:
        one.is_halted = True
    tasks = [task for one in frames for task in one.tasks.values()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
