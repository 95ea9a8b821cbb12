"""Signals that nobody can read: a workflow that takes signals as they are gets them, and its task does not fail.

Temporal does not know who signals. A payload that says that it is encrypted by us, or that it lies in our object store,
and does not would fail each task of the workflow that it was sent to, for ever. Everywhere else that is what is wanted:
whoever has the key may come back, and so may the object.
"""

import asyncio
import json
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass

import structlog
from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import CommandType
from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.client import Client
from temporalio.converter import (
    SerializationContext,
    StorageDriverStoreContext,
    StorageDriverWorkflowInfo,
    WorkflowSerializationContext,
)
from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner
from temporalio.workflow import Info

from perdure.domain.payload_keys import split_payload_key
from perdure.errors import SealedValueError
from workflows.payload_codec import EncryptingCodec, is_encrypted, unreadable
from workflows.payload_converter import BindableConverter
from workflows.payload_storage import is_reference, stored_key

logger = structlog.get_logger("perdure.payloads")

# Where the SDK's tracing interceptor puts a trace.
_TRACE = "_tracer-data"


def reading_signals_raw(client: Client) -> Client:
    """The client with which a worker hands on what cannot be read instead of failing its task."""
    config = client.config()
    converter = config["data_converter"]
    if isinstance(converter.payload_codec, EncryptingCodec):
        config["data_converter"] = _HandingOn(
            payload_converter_class=converter.payload_converter_class,
            payload_codec=converter.payload_codec.handing_on(),
            failure_converter_class=converter.failure_converter_class,
            external_storage=converter.external_storage,
        )
    return Client(**config)


@dataclass(frozen=True)
class _HandingOn(BindableConverter):
    """Hands on as it is what says that it is kept outside, and is not; the SDK has no other place to say so.

    An object store that cannot be reached still fails the task: what lies there is read when it is back.
    """

    async def _decode_reference_payload_sequence(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [await self._dereferenced(payload) for payload in payloads]

    async def _external_retrieve_payload_sequence(self, payloads: Sequence[Payload]) -> list[Payload]:
        return list(await asyncio.gather(*(self._retrieved(payload) for payload in payloads)))

    async def _dereferenced(self, payload: Payload) -> Payload:
        try:
            return (await super()._decode_reference_payload_sequence([payload]))[0]
        except RuntimeError as error:
            return _handed_on(payload, str(error))

    async def _retrieved(self, payload: Payload) -> Payload:
        if not is_reference(payload):
            return payload
        if split_payload_key(stored_key(payload) or "") is None:
            return _handed_on(payload, "It refers to nothing that is kept for a workflow.")
        try:
            return (await super()._external_retrieve_payload_sequence([payload]))[0]
        except SealedValueError as error:
            return _handed_on(payload, str(error))


def _handed_on(payload: Payload, reason: str) -> Payload:
    logger.warning("payload_unreadable", reason=reason)
    return payload


@dataclass(frozen=True)
class RawSignalRunner(SandboxedWorkflowRunner):
    """Isolates workflows, and lets those signals through unread that have a handler for it, or no argument."""

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """See `WorkflowRunner`."""
        return _Guarded(super().create_instance(det), det)


@dataclass(frozen=True)
class _Bound:
    """What a payload is bound to, and for whom it is kept when it is large."""

    context: WorkflowSerializationContext
    kept_for: StorageDriverStoreContext


class _Guarded(WorkflowInstance):
    """Fails the task where a signal would be lost that cannot be read now, and may be later.

    It also says what payloads are bound to: those of the workflow and of its activities to itself, those of a child to
    the child. The SDK asks that several times for each, and the sandbox takes longer to answer than the payload to
    encrypt.
    """

    def __init__(self, inner: WorkflowInstance, det: WorkflowInstanceDetails) -> None:
        self._inner = inner
        info = det.info
        itself = StorageDriverWorkflowInfo(
            namespace=info.namespace, id=info.workflow_id, run_id=info.run_id, type=info.workflow_type
        )
        self._bound = _Bound(
            WorkflowSerializationContext(info.namespace, info.workflow_id), StorageDriverStoreContext(itself)
        )
        # A result lives on with whoever asked for it.
        self._result = self._bound
        if info.parent is not None and info.continued_run_id is None:
            parent = StorageDriverWorkflowInfo(
                namespace=info.parent.namespace, id=info.parent.workflow_id, run_id=info.parent.run_id
            )
            self._result = _Bound(self._bound.context, StorageDriverStoreContext(parent))
        self._children: dict[int, _Bound] = {}
        self._typed = {name for name, signal in det.defn.signals.items() if name and signal.arg_types}

    def activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        for job in act.jobs:
            for told in (job.initialize_workflow, job.signal_workflow, job.do_update, job.query_workflow):
                _drop_unreadable_trace(told.headers)
            signal = job.signal_workflow
            if signal.signal_name in self._typed:
                for payload in signal.input:
                    _check(payload)
        completion = self._inner.activate(act)
        self._follow_children(act, completion)
        return completion

    def _follow_children(self, act: WorkflowActivation, completion: WorkflowActivationCompletion) -> None:
        for job in act.jobs:
            if job.HasField("resolve_child_workflow_execution"):
                self._children.pop(job.resolve_child_workflow_execution.seq, None)
            elif job.HasField("resolve_child_workflow_execution_start"):
                start = job.resolve_child_workflow_execution_start
                if not start.HasField("succeeded"):
                    self._children.pop(start.seq, None)
        namespace = self._bound.context.namespace
        for command in completion.successful.commands:
            if command.HasField("start_child_workflow_execution"):
                child = command.start_child_workflow_execution
                itself = StorageDriverWorkflowInfo(
                    namespace=namespace, id=child.workflow_id, type=child.workflow_type
                )
                self._children[child.seq] = _Bound(
                    WorkflowSerializationContext(namespace, child.workflow_id),
                    StorageDriverStoreContext(itself),
                )

    def get_serialization_context(self, command_info: object) -> SerializationContext | None:
        bound = self._bound_to(command_info)
        if bound is not None:
            return bound.context
        return self._inner.get_serialization_context(command_info)  # type: ignore[arg-type]  # a private type

    def get_external_store_context(self, command_info: object) -> StorageDriverStoreContext:
        bound = self._bound_to(command_info)
        if bound is not None:
            return bound.kept_for
        return self._inner.get_external_store_context(command_info)  # type: ignore[arg-type]  # a private type

    def _bound_to(self, command_info: object) -> _Bound | None:
        """What a payload is bound to; None where only the sandbox knows."""
        kind = getattr(command_info, "command_type", None)
        if kind is None or kind == CommandType.COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK:
            return self._bound
        if kind == CommandType.COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION:
            return self._result
        if kind == CommandType.COMMAND_TYPE_START_CHILD_WORKFLOW_EXECUTION:
            return self._children.get(getattr(command_info, "command_seq", -1))
        return None

    def get_info(self) -> Info:
        return self._inner.get_info()

    def get_thread_id(self) -> int | None:
        return self._inner.get_thread_id()


def _drop_unreadable_trace(headers: MutableMapping[str, Payload]) -> None:
    """Whoever signals also says what trace it belongs to; the SDK's interceptor believes that this can be read."""
    if _TRACE not in headers:
        return
    payload = headers[_TRACE]
    try:
        carrier = json.loads(payload.data) if payload.metadata.get("encoding") == b"json/plain" else None
    except (ValueError, RecursionError):
        carrier = None
    if not isinstance(carrier, dict) or not all(isinstance(value, str) for value in carrier.values()):
        logger.warning("trace_unreadable")
        del headers[_TRACE]


def _check(payload: Payload) -> None:
    if is_encrypted(payload) or stored_key(payload) is not None:
        raise unreadable(payload)
