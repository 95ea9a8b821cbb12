"""All kinds of operations: the one place that a new kind is added to."""

from dataclasses import dataclass
from typing import Any

from perdure.schemas.approval_requests import RequestApprovalInput
from perdure.schemas.classification import ClassifyBatchInput, ClassifyDocumentInput
from perdure.schemas.document_workflows import RunWorkflowBatchInput
from perdure.schemas.documents import (
    DeleteDocumentInput,
    IngestBatchInput,
    IngestDocumentInput,
    ReembedSpaceInput,
)
from perdure.schemas.encryption import RotateKeysInput
from perdure.schemas.evolution import EvolveMemoryInput
from perdure.schemas.memories import ForgetInput, ImportMemoriesInput, RememberInput
from perdure.schemas.operations import OperationInput
from perdure.schemas.privacy import DeleteUserDataInput, ExportUserDataInput
from perdure.schemas.workflow_executions import RunDocumentWorkflowInput
from workflows import queues
from workflows.apply_retention import ApplyRetention
from workflows.classify_batch import ClassifyBatch
from workflows.classify_document import ClassifyDocument
from workflows.delete_document import DeleteDocument
from workflows.delete_user_data import DeleteUserData
from workflows.deliver_message import DeliverMessage
from workflows.evolve_memory import DecideProposals, EvolveMemory, StartEvolution
from workflows.export_user_data import ExportUserData
from workflows.forget import Forget
from workflows.import_memories import ImportMemories
from workflows.ingest_batch import IngestBatch
from workflows.ingest_document import IngestDocument
from workflows.monitor_ai_processing import CleanupExpiredWorkflows, MonitorAIProcessing
from workflows.reembed_space import ReembedSpace
from workflows.remember import Remember
from workflows.request_approval import RequestApproval
from workflows.rotate_keys import RotateKeys
from workflows.run_document_workflow import RunDocumentWorkflow
from workflows.run_workflow_batch import RunWorkflowBatch
from workflows.write_memories import WriteMemories


@dataclass(frozen=True)
class Kind:
    """A kind of operation. Its workflow tasks run on `queue`; its activities say where they run."""

    name: str
    workflow: type[Any]
    input: type[OperationInput]
    queue: str = queues.IO


KINDS = {
    kind.name: kind
    for kind in (
        Kind("ingest_document", IngestDocument, IngestDocumentInput),
        Kind("ingest_batch", IngestBatch, IngestBatchInput),
        Kind("reembed_space", ReembedSpace, ReembedSpaceInput),
        Kind("delete_document", DeleteDocument, DeleteDocumentInput),
        Kind("rotate_keys", RotateKeys, RotateKeysInput),
        Kind("delete_user_data", DeleteUserData, DeleteUserDataInput),
        Kind("remember", Remember, RememberInput),
        Kind("forget", Forget, ForgetInput),
        Kind("import_memories", ImportMemories, ImportMemoriesInput),
        Kind("evolve_memory", EvolveMemory, EvolveMemoryInput),
        Kind("export_user_data", ExportUserData, ExportUserDataInput),
        Kind("classify_document", ClassifyDocument, ClassifyDocumentInput),
        Kind("classify_batch", ClassifyBatch, ClassifyBatchInput),
        Kind("run_workflow_batch", RunWorkflowBatch, RunWorkflowBatchInput),
        Kind("request_approval", RequestApproval, RequestApprovalInput),
        Kind("run_document_workflow", RunDocumentWorkflow, RunDocumentWorkflowInput),
    )
}
# The last ones are no operations: they serve many.
WORKFLOWS = [
    *(kind.workflow for kind in KINDS.values()),
    WriteMemories,
    DecideProposals,
    StartEvolution,
    ApplyRetention,
    DeliverMessage,
    MonitorAIProcessing,
    CleanupExpiredWorkflows,
]
