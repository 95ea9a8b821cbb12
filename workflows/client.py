"""The connection to Temporal: one data converter, one way to start an operation."""

from temporalio.client import Client, GrpcCompression, Interceptor, TLSConfig
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.converter import DataConverter, ExternalStorage
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.runtime import Runtime

from activities.starting import TASK_TIMEOUT, found_by
from perdure import tracing
from perdure.db.models import OperationRow
from perdure.db.operation_repository import input_fields, workflow_id
from perdure.master_keys import MasterKeys, load_master_keys
from perdure.ports.storage import ObjectStore
from perdure.providers.obstore_object_store import ObstoreObjectStore
from perdure.schemas.operations import OperationInput
from perdure.settings import Settings
from workflows.payload_codec import INLINE_BYTES, EncryptingCodec, PayloadCipher
from workflows.payload_converter import BindableConverter
from workflows.payload_limits import EncodedFailureConverter, GuardedPayloadConverter
from workflows.payload_storage import PayloadStorage
from workflows.registry import KINDS


def data_converter(settings: Settings) -> DataConverter:
    """How payloads are written. API, workers and replay all take it from here."""
    return protected(load_master_keys(settings), ObstoreObjectStore.from_url(settings.objects_url))


def protected(keys: MasterKeys, objects: ObjectStore) -> DataConverter:
    """Encrypted under these keys, and what is large in this store."""
    return BindableConverter(
        payload_converter_class=GuardedPayloadConverter,
        payload_codec=EncryptingCodec(PayloadCipher(keys)),
        failure_converter_class=EncodedFailureConverter,
        external_storage=ExternalStorage(
            drivers=[PayloadStorage(objects)], payload_size_threshold=INLINE_BYTES
        ),
    )


def _interceptors() -> list[Interceptor]:
    """What carries a trace from request to workflow to activity; workers take it from their client."""
    tracer = tracing.tracer()
    if tracer is None:
        return []
    from temporalio.contrib.opentelemetry import TracingInterceptor  # noqa: PLC0415  # loads OpenTelemetry

    return [TracingInterceptor(tracer)]


async def connect(
    settings: Settings,
    *,
    lazy: bool = False,
    runtime: Runtime | None = None,
    converter: DataConverter | None = None,
) -> Client:
    """Connect to the configured Temporal; lazily, an outage shows at the first call only."""
    tls: TLSConfig | bool = bool(settings.temporal_api_key)
    if settings.temporal_tls_cert and settings.temporal_tls_key:
        tls = TLSConfig(
            client_cert=settings.temporal_tls_cert.read_bytes(),
            client_private_key=settings.temporal_tls_key.read_bytes(),
        )
    return await Client.connect(
        settings.temporal_address,
        namespace=settings.temporal_namespace,
        api_key=settings.temporal_api_key or None,
        tls=tls,
        data_converter=converter or data_converter(settings),
        interceptors=_interceptors(),
        lazy=lazy,
        runtime=runtime,
        grpc_compression=compression(settings.temporal_address),
    )


def compression(address: str) -> GrpcCompression:
    """None on the same machine, where bytes are cheaper than the time to make them fewer."""
    host = address.rpartition(":")[0]
    return GrpcCompression.NONE if host in {"127.0.0.1", "localhost", "[::1]"} else GrpcCompression.GZIP


def operation_input(row: OperationRow) -> OperationInput:
    """The workflow's input out of the operation's record: the same whenever it is built."""
    return KINDS[row.kind].input.model_validate(input_fields(row))


async def start_operation(client: Client, row: OperationRow) -> str:
    """Start the operation's workflow, or find it started; the run id. Its id is fixed, so this may be repeated."""
    kind = KINDS[row.kind]
    identifier = workflow_id(row.id, row.attempt)
    try:
        handle = await client.start_workflow(
            kind.workflow.run,
            operation_input(row),
            id=identifier,
            task_queue=kind.queue,
            task_timeout=TASK_TIMEOUT,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            search_attributes=found_by(row.organisation_id, row.kind, row.subject_id),
            static_summary=row.summary,
        )
    except WorkflowAlreadyStartedError:
        description = await client.get_workflow_handle(identifier).describe()
        return description.run_id
    return handle.first_execution_run_id or handle.result_run_id or ""
