"""Documents, their versions and chunks, as HTTP and the workflows see them."""

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from perdure.schemas.base import Contract, Id, Instant, RequestBody
from perdure.schemas.operations import OperationInput


class DocumentStatus(StrEnum):
    """`queued → fetching → parsing → chunking → embedding → indexed`, or one of the last four."""

    QUEUED = "queued"
    FETCHING = "fetching"
    PARSING = "parsing"
    CHUNKING = "chunking"
    EMBEDDING = "embedding"
    INDEXED = "indexed"
    PARTIAL = "partial"
    SKIPPED_DUPLICATE = "skipped_duplicate"
    FAILED = "failed"
    QUARANTINED = "quarantined"


SETTLED = frozenset(
    {
        DocumentStatus.INDEXED,
        DocumentStatus.PARTIAL,
        DocumentStatus.SKIPPED_DUPLICATE,
        DocumentStatus.FAILED,
        DocumentStatus.QUARANTINED,
    }
)


class Reason(StrEnum):
    """Why a document is not (wholly) indexed."""

    PASSWORD_PROTECTED = "password_protected"  # noqa: S105  # a reason, not a password
    CORRUPT = "corrupt"
    UNSUPPORTED_TYPE = "unsupported_type"
    TOO_LARGE = "too_large"
    TOO_MANY_PAGES = "too_many_pages"
    DECOMPRESSION_LIMIT = "decompression_limit"
    TIMEOUT = "timeout"
    MEMORY_LIMIT = "memory_limit"
    PARSER_CRASHED = "parser_crashed"
    NO_TEXT = "no_text"
    NEEDS_OCR = "needs_ocr"
    EMPTY = "empty"
    SOURCE_UNREACHABLE = "source_unreachable"
    FORBIDDEN_ADDRESS = "forbidden_address"
    OBJECT_NOT_FOUND = "object_not_found"
    LEFT_OUT = "left_out"
    QUOTA_EXCEEDED = "quota_exceeded"
    DUPLICATE = "duplicate"
    UNCHANGED = "unchanged"
    SUPERSEDED = "superseded"
    CANCELLED = "cancelled"
    TERMINATED = "terminated"
    EXPIRED = "expired"
    INTERNAL_ERROR = "internal_error"


# What hurt the parser stays out until a person asks again.
QUARANTINE_REASONS = frozenset(
    {Reason.DECOMPRESSION_LIMIT, Reason.TIMEOUT, Reason.MEMORY_LIMIT, Reason.PARSER_CRASHED}
)

SpaceName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
ExternalId = Annotated[str, StringConstraints(min_length=1, max_length=512)]
Title = Annotated[str, StringConstraints(min_length=1, max_length=512)]
SubjectName = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
LanguageTag = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]
SourceType = Literal["manual", "upload", "url", "meeting", "email"]


class DocumentFields(RequestBody):
    """What may be said about a document besides its content."""

    title: Title | None = Field(default=None, description="Default: from the document, else its file name.")
    space: SpaceName = Field(default="default", description="Named collection; made on first use.")
    metadata: dict[str, Any] = Field(
        default_factory=dict, description="Any JSON object; searchable by filters."
    )
    language: LanguageTag | None = Field(default=None, description="BCP 47 tag; detected when absent.")
    source_type: SourceType | None = None
    external_id: ExternalId | None = Field(
        default=None, description="Your id. Posting it again makes a new version, or nothing when unchanged."
    )
    remember: bool | None = Field(
        default=None,
        description=(
            "Whether its passages become memories, too; default: as it was with the version before, else as the "
            "space is set."
        ),
    )
    subject: SubjectName | None = Field(
        default=None, description="Whom or what the memories out of it are about."
    )


class DocumentCreate(DocumentFields):
    """A document by `text`, `url` or `object_key`: exactly one of them."""

    model_config = ConfigDict(
        json_schema_extra={  # null is not given
            "oneOf": [
                {"required": [name], "properties": {name: {"type": "string"}}}
                for name in ("text", "url", "object_key")
            ]
        }
    )

    text: str | None = Field(default=None, min_length=1)
    url: str | None = Field(default=None, min_length=1, max_length=2048)
    object_key: str | None = Field(default=None, min_length=1, max_length=1024)

    @model_validator(mode="after")
    def _one_source(self) -> "DocumentCreate":
        given = [name for name in ("text", "url", "object_key") if getattr(self, name) is not None]
        if len(given) != 1:
            msg = f"give exactly one of text, url, object_key (or a multipart file); got {given or 'none'}"
            raise ValueError(msg)
        return self


class BatchFields(RequestBody):
    """What may be said about the files of a zip, all alike."""

    space: SpaceName = "default"
    metadata: dict[str, Any] = Field(default_factory=dict)
    remember: bool | None = None
    subject: SubjectName | None = None


class BatchCreate(RequestBody):
    """Up to 10,000 documents as one operation."""

    items: list[DocumentCreate] = Field(min_length=1, max_length=10_000)


class DocumentUpdate(RequestBody):
    """Changeable fields; an absent one stays as it is."""

    title: Title | None = None
    metadata: dict[str, Any] | None = None
    external_id: ExternalId | None = Field(
        default=None,
        description="Your id, for a document that has none: posting a document with it makes the next version.",
    )


class SpaceUpdate(RequestBody):
    """Changeable settings of a space; an absent or null one stays as it is."""

    remember_documents: bool | None = Field(
        default=None,
        description="Whether passages of documents become memories, unless a document says otherwise.",
    )


class ReembedCreate(RequestBody):
    """Ask for new vectors for a whole space."""

    model: str | None = Field(
        default=None,
        max_length=200,
        description="Name of the embedding model, such as `openai:text-embedding-3-small@512` of a provider; default: "
        "the configured one.",
    )


class DocumentRead(Contract):
    """A document as the API answers it."""

    id: str
    title: str
    space: str
    external_id: str | None = None
    status: DocumentStatus
    reason: Reason | None = None
    detail: str | None = None
    media_type: str | None = None
    language: str | None = None
    size_bytes: int | None = None
    sha256: str | None = None
    page_count: int | None = None
    char_count: int | None = None
    chunk_count: int = 0
    version: int = Field(default=0, description="Version that is searchable; 0 before the first one is.")
    source_type: str | None = None
    parent_id: str | None = Field(default=None, description="The e-mail or archive that this came out of.")
    metadata: dict[str, Any] = Field(default_factory=dict)
    operation_id: str | None = None
    created_at: Instant
    updated_at: Instant


class SpaceRead(Contract):
    """A named collection of documents."""

    id: str
    name: str
    embedding_model: str
    chunk_count: int
    memory_count: int = 0
    remember_documents: bool = False
    created_at: Instant


class ChunkRead(Contract):
    """A retrievable passage; `start` and `end` are character offsets into the stored text."""

    id: str
    document_id: str
    version: int
    ordinal: int
    text: str
    heading_path: list[str] = Field(default_factory=list)
    page: int | None = None
    start: int
    end: int
    token_count: int


class VersionRead(Contract):
    """One version of a document."""

    version: int
    status: DocumentStatus
    sha256: str | None = None
    size_bytes: int | None = None
    media_type: str | None = None
    page_count: int | None = None
    char_count: int | None = None
    chunk_count: int = 0
    reason: Reason | None = None
    detail: str | None = None
    operation_id: str | None = None
    created_at: Instant


class ContentLink(Contract):
    """A signed URL of the original bytes."""

    url: str
    expires_at: Instant


class DocumentJob(Contract):
    """One version of one document, as the activities are told of it."""

    organisation_id: str
    operation_id: str
    document_id: str
    version_id: str
    depth: int = Field(default=0, description="How many e-mails or archives this came out of.")


class Detected(Contract):
    """What a source is. With a `reason` nothing further is to be done."""

    media_type: str
    reason: Reason | None = None
    detail: str | None = None


class Extracted(Contract):
    """What parsing found; `attachments` became documents of their own. A `reason` here means partial."""

    page_count: int | None = None
    char_count: int
    attachments: list[DocumentJob] = Field(default_factory=list)
    reason: Reason | None = None
    detail: str | None = None


class UnitJob(Contract):
    """Chunks of one or more documents that are embedded and indexed together; the chunks lie at `unit_key`."""

    organisation_id: str
    operation_id: str
    unit_key: str
    chunk_count: int = 0
    operation_kind: str = "ingest_document"


class SettleJob(Contract):
    """Ask to end everything of an operation that is not settled, or only one version."""

    organisation_id: str
    operation_id: str
    version_id: str | None = None
    reason: Reason
    detail: str


class IngestDocumentInput(OperationInput):
    """Input of `IngestDocument`. The bytes are in object storage, never in the payload."""

    document_id: Id
    version_id: Id
    fetch: bool = Field(
        default=False, description="The bytes are not in the store yet, or their hash is unknown."
    )


class DocumentOutcome(Contract):
    """What became of one document."""

    document_id: str
    status: DocumentStatus
    version: int = 0
    chunk_count: int = 0
    memory_count: int = Field(default=0, description="Memories that its passages became.")
    reason: Reason | None = None
    detail: str | None = None


class IngestDocumentResult(DocumentOutcome):
    """What became of the document, and of its attachments."""

    attachments: list[DocumentOutcome] = Field(default_factory=list)


class BatchSource(Contract):
    """Where the items of a batch lie: a stored zip, or a stored JSON list of `DocumentCreate`."""

    kind: Literal["json", "zip"]
    object_key: str
    space: str = "default"
    metadata: dict[str, Any] = Field(default_factory=dict)
    remember: bool | None = None
    subject: str | None = None


class IngestBatchInput(OperationInput):
    """Input of `IngestBatch`; after `expand_batch` the items stand in `operation_items`."""

    source: BatchSource
    page_size: int = Field(default=100, ge=1, le=500)
    pages_in_flight: int = Field(default=3, ge=1, le=20)


class ExpandJob(Contract):
    """Ask to turn a batch source into items and pages of items."""

    organisation_id: str
    operation_id: str
    source: BatchSource
    page_size: int


class BatchItem(Contract):
    """One item of a batch: what was said about it, and its text, stored bytes or address."""

    ordinal: int
    name: str
    fields: DocumentFields
    text: str | None = None
    object_key: str | None = None
    url: str | None = None
    refusal: str | None = Field(default=None, description="Why it was left out of the archive.")


class PageJob(Contract):
    """Items `[first, last)` of a batch."""

    organisation_id: str
    operation_id: str
    number: int
    first: int
    last: int


class PageOutcome(Contract):
    """How many items of the batch are settled after a page."""

    done: int
    total: int


class IngestBatchResult(Contract):
    """Items by the status they ended in."""

    total: int
    outcomes: dict[str, int]


class BatchSummaryJob(Contract):
    """Ask to count the outcomes of a batch and to clear up after it."""

    organisation_id: str
    operation_id: str
    source_key: str


class ReembedSpaceInput(OperationInput):
    """Input of `ReembedSpace`."""

    space_id: Id
    model: str
    done: int = Field(default=0, description="Chunks that earlier runs of a continued workflow embedded.")


class ReembedJob(Contract):
    """Chunks of a space to embed with another model."""

    organisation_id: str
    operation_id: str
    space_id: str
    model: str


class ReembedPage(Contract):
    """What one page did; `count` is 0 when no chunk lacked a vector."""

    count: int = 0
    total: int = 0


class ReembedSpaceResult(Contract):
    """What serves the space now."""

    model: str
    chunk_count: int


class DeleteDocumentInput(OperationInput):
    """Input of `DeleteDocument`."""

    document_id: Id


class DeletionJob(Contract):
    """Ask to remove one document."""

    organisation_id: str
    operation_id: str
    document_id: str


class DeleteDocumentResult(Contract):
    """What went."""

    document_id: str
    chunks: int
    objects: int
