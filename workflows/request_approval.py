"""`request_approval`: people decide, as the policy wants, and the deadline decides when they do not."""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from pydantic import BaseModel

    from activities.approvals import ApprovalActivities
    from perdure.domain.approval_effects import Effect, Outcome
    from perdure.domain.approval_events import (
        ApproverLeft,
        Cancelled,
        CancelReason,
        Event,
        Opened,
        TimerDue,
    )
    from perdure.domain.approval_policies import parse_policy
    from perdure.domain.approval_refusals import Refusal
    from perdure.domain.approval_state import Answer, ApprovalState, Closing, Status, next_timer
    from perdure.domain.approvals import advance, begin
    from perdure.domain.audit import ActorKind
    from perdure.schemas.approval_requests import (
        ApprovalAnswered,
        ApprovalResult,
        ApprovalTold,
        RequestApprovalInput,
        Teller,
    )
    from perdure.schemas.approval_transitions import (
        SignalsJob,
        TransitionItem,
        TransitionJob,
        TransitionWritten,
    )
    from perdure.schemas.approvals import effect_json, event_of, state_json, state_of
    from perdure.schemas.operations import (
        TERMINAL,
        OperationError,
        OperationInput,
        OperationStatus,
        StatusChange,
    )
    from workflows import policies

from workflows.operation import Operation

# What is taken at once.
_BATCH = 20
_MAX_SIGNAL = 8_192
_UNPROVEN = "It is not proven who says this: decide through the API, or with a decision token."
_NOT_TOLD = frozenset(("opened", "timer_due"))


@dataclass(eq=False)
class _Told:
    """Something that was told: by an update, by a signal, or by the workflow itself."""

    event: Event | None
    told: ApprovalTold | None = None
    origin: Teller | None = None
    signal: int | None = None
    refusal: str | None = None
    is_unproven: bool = False
    answer: Answer | None = None


@workflow.defn
class RequestApproval(Operation):
    """One request: what it is told goes through the engine, and each step is kept before it is answered."""

    @workflow.init
    def __init__(self, job: RequestApprovalInput) -> None:
        super().__init__()
        self._request = job
        self._policy = parse_policy(job.policy)
        self._begun: tuple[Effect, ...] = ()
        # Whether the record has a state of this request.
        self._is_kept = job.state is not None
        if job.state is not None:
            self._state = state_of(job.state)
        else:
            opened = event_of(job.opened)
            if not isinstance(opened, Opened):
                raise ApplicationError("this input opens nothing", type="invalid-input", non_retryable=True)
            step = begin(self._policy, opened, workflow.now())
            self._state, self._begun = step.state, step.effects
        self._inbox: list[_Told] = []
        self._signals: list[tuple[int, str | None]] = []
        self._signal_count, self._told_count = job.signals, 0
        self._is_over = False
        # Whether the end of the operation was written with the last step.
        self._end_is_recorded = False

    @workflow.run
    async def run(self, job: RequestApprovalInput) -> ApprovalResult:
        return await self.perform(job, self._await_outcome)

    @workflow.update
    async def tell(self, told: ApprovalTold) -> ApprovalAnswered:
        """Tell it what somebody does. What the engine refuses leaves no trace in the history."""
        event = _event(told)
        if self._is_over:
            # What was accepted before is answered again; nothing changes any more.
            return self._answered(advance(self._policy, self._state, event, workflow.now()).answer)
        one = _Told(event, told, told.origin)
        self._inbox.append(one)
        await workflow.wait_condition(lambda: one.answer is not None)
        return self._answered(one.answer)

    @tell.validator
    def _check(self, told: ApprovalTold) -> None:
        self._answered(advance(self._policy, self._state, _event(told), workflow.now()).answer)

    @workflow.signal(dynamic=True)
    def signalled(self, name: str, payloads: Sequence[RawValue]) -> None:
        """Take `decide` with a decision token. Whatever else comes is recorded, and changes nothing."""
        self._signal_count += 1
        token = _text(payloads[0]) if name == "decide" and len(payloads) == 1 else None
        self._signals.append((self._signal_count, token))

    async def settle(self, _job: OperationInput, _error: OperationError) -> None:
        """Whoever is asked is told that it is over, and whoever waits for an answer gets one."""
        if self._is_over:
            return
        ended = Cancelled(key="ended", by="system", reason=CancelReason.CANCELLED, administrator=True)
        self._inbox.append(_Told(ended))
        while self._inbox or self._signals:
            await self._take(is_settling=True)
        self._is_over = True

    def at_work(self) -> OperationStatus:
        """It waits for people."""
        return OperationStatus.WAITING_APPROVAL

    def ended_as(self, _result: BaseModel) -> OperationStatus:
        """Approved and rejected are results like any other."""
        return _ended_as(self._state)

    async def record(self, change: StatusChange) -> None:
        """Write a status, unless it is the end and was written with the last decision."""
        if not (self._end_is_recorded and change.status in TERMINAL):
            await super().record(change)

    async def _await_outcome(self) -> ApprovalResult:
        await self._begin()
        await self._change_status(self.at_work())
        while self._state.status is not Status.CLOSED or self._inbox or self._signals:
            await self._wait()
            await self._take()
            await self._go_on_afresh()
        self._is_over = True
        if not self._end_is_recorded:
            await self.unpaused()
        return self._result_of(self._state)

    async def _begin(self) -> None:
        """Keep the first state; where one is kept already, that is the one that counts."""
        if self._is_kept:
            return
        requester = self._state.requester.removeprefix("user:")
        actor_id = self._request.actor_id
        kind = ActorKind.USER if actor_id == requester else ActorKind.API_KEY
        opened = TransitionItem(
            origin=Teller(kind=kind, id=actor_id, person_id=requester),
            effects=[effect_json(effect) for effect in self._begun],
        )
        written = await self._write(0, state_json(self._state), [opened])
        if written.stored is not None:
            self._state = state_of(written.stored)
        else:
            left = [_Told(ApproverLeft(key=f"gone {one}", person=one)) for one in self._request.gone]
            self._inbox[:0] = left
        self._is_kept = True

    async def _wait(self) -> None:
        """Until something is told, or it is time."""
        timer = next_timer(self._state)
        left = None if timer is None else max(timer.at - workflow.now(), timedelta(0))
        with suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: bool(self._inbox or self._signals),
                timeout=left,
                timeout_summary=timer.id if timer else None,
            )

    async def _take(self, *, is_settling: bool = False) -> None:
        """Let happen what is due and what was told, keep it, and only then answer."""
        await self._begin()
        await self._read_signals()
        batch = self._inbox[:_BATCH]
        while True:
            state, items, answers = self._played(batch)
            changed = None if state is self._state else state_json(state)
            if changed is None and not any(item.signal or item.effects for item in items):
                break
            ending = None if is_settling or changed is None else self._ending(state)
            written = await self._write(self._state.sequence, changed, items, ending)
            for index in written.unproven:
                batch[index - 1].is_unproven = True
            if written.stored is not None:
                self._state = state_of(written.stored)
            elif not written.unproven:
                self._state = state
                self._end_is_recorded |= written.ended
                break
        del self._inbox[: len(batch)]
        self._told_count += len(batch)
        for one, answer in zip(batch, answers, strict=True):
            one.answer = answer

    def _played(self, batch: Sequence[_Told]) -> tuple[ApprovalState, list[TransitionItem], list[Answer]]:
        """What time and what was told would make of the state: the first item is time's."""
        now, state = workflow.now(), self._state
        due = next_timer(state)
        effects: tuple[Effect, ...] = ()
        if due is not None and due.at <= now:
            step = advance(self._policy, state, TimerDue(timer=due.id), now)
            state, effects = step.state, step.effects
        items = [TransitionItem(effects=[effect_json(effect) for effect in effects])]
        answers: list[Answer] = []
        for one in batch:
            state, item, answer = self._step(state, one, now)
            items.append(item)
            answers.append(answer)
        return state, items, answers

    def _step(
        self, state: ApprovalState, one: _Told, now: datetime
    ) -> tuple[ApprovalState, TransitionItem, Answer]:
        refusal = one.refusal
        if one.is_unproven or one.event is None:
            answer = Answer(accepted=False, refusal=Refusal.NOT_PERMITTED, detail=_UNPROVEN)
            return state, TransitionItem(signal=one.signal, refusal=refusal), answer
        step = advance(self._policy, state, one.event, now)
        if one.signal is not None and step.answer.accepted and step.state is state:
            refusal = "token_used"
        item = TransitionItem(
            told=one.told,
            origin=one.origin,
            signal=one.signal,
            refusal=refusal,
            effects=[effect_json(effect) for effect in step.effects],
        )
        return step.state, item, step.answer

    async def _read_signals(self) -> None:
        """What signals say goes where updates go."""
        unread = self._signals[:_BATCH]
        if not unread:
            return
        job = SignalsJob(
            organisation_id=self._request.organisation_id,
            approval_id=self._request.approval_id,
            at=workflow.now(),
            tokens=[token for _, token in unread],
        )
        read = await workflow.execute_local_activity_method(
            ApprovalActivities.read_signals, job, **policies.RECORD
        )
        del self._signals[: len(unread)]
        for (number, _), signal in zip(unread, read, strict=True):
            event = None if signal.event is None else event_of(signal.event)
            self._inbox.append(_Told(event, None, signal.origin, number, signal.refusal))

    def _ending(self, state: ApprovalState) -> StatusChange | None:
        """How the operation ends with this state, so that the end costs no transaction of its own."""
        if state.status is not Status.CLOSED or self._paused or self._holds:
            return None
        return StatusChange(
            organisation_id=self._request.organisation_id,
            operation_id=self._request.operation_id,
            run_id=workflow.info().run_id,
            status=_ended_as(state),
            progress=self.progress,
            result=self._result_of(state).model_dump(mode="json"),
        )

    async def _write(
        self,
        base: int,
        state: dict[str, Any] | None,
        items: list[TransitionItem],
        ending: StatusChange | None = None,
    ) -> TransitionWritten:
        job = TransitionJob(
            organisation_id=self._request.organisation_id,
            approval_id=self._request.approval_id,
            operation_id=self._request.operation_id,
            base=base,
            state=state,
            items=items,
            ending=ending,
        )
        return await workflow.execute_local_activity_method(
            ApprovalActivities.record_transition, job, **policies.RECORD
        )

    async def _go_on_afresh(self) -> None:
        """Before the history, or the number of updates of a run, comes to its limit."""
        if self._told_count < self._request.most_told and not workflow.info().is_continue_as_new_suggested():
            return
        await workflow.wait_condition(lambda: workflow.all_handlers_finished() or bool(self._inbox))
        told = self._inbox or self._signals or not workflow.all_handlers_finished()
        if not told and not self._paused and self._state.status is not Status.CLOSED:
            update = {"state": state_json(self._state), "signals": self._signal_count}
            workflow.continue_as_new(self._request.model_copy(update=update))

    def _answered(self, answer: Answer | None) -> ApprovalAnswered:
        """The answer; a refusal is raised, with its code as the type."""
        if answer is None or not answer.accepted:
            code = answer.refusal if answer and answer.refusal else Refusal.NOT_PERMITTED
            detail = answer.detail if answer else ""
            raise ApplicationError(detail, type=code.value, non_retryable=True)
        return ApprovalAnswered(
            approval_id=self._request.approval_id, at=answer.at, stage=answer.stage, seat=answer.seat
        )

    def _result_of(self, state: ApprovalState) -> ApprovalResult:
        votes = [seat.vote for stage in state.stages for seat in stage.seats if seat.vote]
        last = max(votes, key=lambda vote: vote.at, default=None)
        filled = [vote for vote in votes if vote.form is not None]
        form = max(filled, key=lambda vote: vote.at).form if filled else None
        return ApprovalResult(
            approval_id=self._request.approval_id,
            outcome=state.outcome or Outcome.CANCELLED,
            approved=state.outcome is Outcome.APPROVED,
            closed_by=state.closed_by or Closing.CANCELLED,
            decided_by=list(dict.fromkeys(vote.by for vote in votes)),
            comment=last.comment if last else "",
            form=None if form is None else dict(form),
        )


def _ended_as(state: ApprovalState) -> OperationStatus:
    ends = {Outcome.EXPIRED: OperationStatus.EXPIRED, Outcome.CANCELLED: OperationStatus.CANCELLED}
    return ends.get(state.outcome, OperationStatus.COMPLETED) if state.outcome else OperationStatus.COMPLETED


def _event(told: ApprovalTold) -> Event:
    """The event; raises where it is none, or one that only the workflow tells itself."""
    event = event_of(told.event)
    if event is None or event.kind in _NOT_TOLD:
        raise ApplicationError("nobody tells this", type=Refusal.NOT_PERMITTED.value, non_retryable=True)
    return event


def _text(value: RawValue) -> str | None:
    """A signal's text; None for whatever else somebody sent. It runs on what anybody may send, and never raises."""
    payload = value.payload
    if payload.metadata.get("encoding") != b"json/plain" or len(payload.data) > _MAX_SIGNAL:
        return None
    try:
        said = json.loads(payload.data)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, str) else None
