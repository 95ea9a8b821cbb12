"""All kinds of operations: the one place that a new kind is added to."""

from dataclasses import dataclass
from typing import Any

from perdure.schemas.documents import (
    DeleteDocumentInput,
    IngestBatchInput,
    IngestDocumentInput,
    ReembedSpaceInput,
)
from perdure.schemas.encryption import RotateKeysInput
from perdure.schemas.operations import OperationInput
from perdure.schemas.privacy import DeleteUserDataInput, ExportUserDataInput
from workflows import queues
from workflows.apply_retention import ApplyRetention
from workflows.delete_document import DeleteDocument
from workflows.delete_user_data import DeleteUserData
from workflows.export_user_data import ExportUserData
from workflows.ingest_batch import IngestBatch
from workflows.ingest_document import IngestDocument
from workflows.reembed_space import ReembedSpace
from workflows.rotate_keys import RotateKeys


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
        Kind("export_user_data", ExportUserData, ExportUserDataInput),
    )
}
# The last one is no operation: it serves all organisations.
WORKFLOWS = [*(kind.workflow for kind in KINDS.values()), ApplyRetention]
