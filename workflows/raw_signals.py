"""Signals that nobody can read: a workflow that takes signals as they are gets them, and its task does not fail.

Temporal does not know who signals. A payload that says that it is encrypted by us and is not would fail each task of
the workflow that it was sent to, for ever. Everywhere else that is what is wanted: whoever has the key may come back.
"""

from dataclasses import dataclass, replace

from temporalio.api.common.v1 import Payload
from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.client import Client
from temporalio.converter import SerializationContext, StorageDriverStoreContext
from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner
from temporalio.workflow import Info

from workflows.payload_codec import EncryptingCodec, is_encrypted, unreadable


def reading_signals_raw(client: Client) -> Client:
    """The client with which a worker hands on what cannot be read instead of failing its task."""
    config = client.config()
    converter = config["data_converter"]
    if isinstance(converter.payload_codec, EncryptingCodec):
        codec = converter.payload_codec.handing_on()
        config["data_converter"] = replace(converter, payload_codec=codec)
    return Client(**config)


@dataclass(frozen=True)
class RawSignalRunner(SandboxedWorkflowRunner):
    """Isolates workflows, and lets those signals through unread that have a handler for it, or no argument."""

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """See `WorkflowRunner`."""
        return _Guarded(super().create_instance(det), det)


class _Guarded(WorkflowInstance):
    """Fails the task where a signal would be lost that cannot be read now, and may be later."""

    def __init__(self, inner: WorkflowInstance, det: WorkflowInstanceDetails) -> None:
        self._inner = inner
        self._typed = {name for name, signal in det.defn.signals.items() if name and signal.arg_types}

    def activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        for job in act.jobs:
            signal = job.signal_workflow
            if signal.signal_name in self._typed:
                for payload in signal.input:
                    _check(payload)
        return self._inner.activate(act)

    def get_serialization_context(self, command_info: object) -> SerializationContext | None:
        return self._inner.get_serialization_context(command_info)  # type: ignore[arg-type]  # a private type

    def get_external_store_context(self, command_info: object) -> StorageDriverStoreContext:
        return self._inner.get_external_store_context(command_info)  # type: ignore[arg-type]  # a private type

    def get_info(self) -> Info:
        return self._inner.get_info()

    def get_thread_id(self) -> int | None:
        return self._inner.get_thread_id()


def _check(payload: Payload) -> None:
    if is_encrypted(payload):
        raise unreadable(payload)
