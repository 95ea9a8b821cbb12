"""Tables. A class with `organisation_id` is a tenant table: row level security is forced on it by migration."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

from pgvector.sqlalchemy import HALFVEC
from sqlalchemy import (
    ARRAY,
    REAL,
    BigInteger,
    Boolean,
    Date,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Numeric,
    SmallInteger,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

NOW = text("now()")
# As exactly as times are shown: who asks what was known at a time that they were shown gets what was known then.
SHOWN_NOW = text("date_trunc('milliseconds', now())")

# A column of this type holds values that `Keyring` sealed; rotation finds it here. Its table has a text `id`.
Sealed = Annotated[bytes, mapped_column(LargeBinary, info={"sealed": True})]


class Row(DeclarativeBase):
    """Base of all tables."""

    type_annotation_map = {  # noqa: RUF012  # SQLAlchemy's declarative interface
        str: Text,
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
        list[str]: ARRAY(Text),
    }


class Tenant:
    """Mixin of tenant tables."""

    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisations.id", ondelete="CASCADE"))


# Global tables: identities exist before, and across, organisations.


class OrganisationRow(Row):
    """An organisation; visible only to itself (policy on `id`)."""

    __tablename__ = "organisations"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)


class UserRow(Row):
    """A person who can log in."""

    __tablename__ = "users"

    id: Mapped[str] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    password_hash: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    updated_at: Mapped[datetime] = mapped_column(server_default=NOW)


class RefreshTokenRow(Row):
    """One link of a rotating chain; using a link twice revokes its whole family."""

    __tablename__ = "refresh_tokens"
    __table_args__ = (Index("refresh_tokens_family", "family_id"), Index("refresh_tokens_user", "user_id"))

    id: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    active_organisation_id: Mapped[str] = mapped_column(ForeignKey("organisations.id", ondelete="CASCADE"))
    family_id: Mapped[str]
    token_hash: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class SessionRow(Row):
    """A console log-in; the cookie holds the secret, the table its hash."""

    __tablename__ = "sessions"
    __table_args__ = (Index("sessions_user", "user_id"),)

    token_hash: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    active_organisation_id: Mapped[str] = mapped_column(ForeignKey("organisations.id", ondelete="CASCADE"))
    csrf_token: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    expires_at: Mapped[datetime]


class LoginAttemptRow(Row):
    """Failed log-ins per subject (hash of the e-mail, or the client address)."""

    __tablename__ = "login_attempts"

    subject: Mapped[str] = mapped_column(primary_key=True)
    failures: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    window_started_at: Mapped[datetime] = mapped_column(server_default=NOW)
    locked_until: Mapped[datetime | None]


class MasterKeyRow(Row):
    """A master key that was used with this database: its id, and a value that only this key opens."""

    __tablename__ = "master_keys"

    id: Mapped[str] = mapped_column(primary_key=True)
    check_value: Mapped[bytes]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)


class RateLimitRow(Row):
    """Until when somebody is booked; the key hides who. Unlogged: after a crash everybody starts afresh."""

    __tablename__ = "rate_limits"
    __table_args__ = {"prefixes": ["UNLOGGED"]}  # noqa: RUF012  # SQLAlchemy's declarative interface

    key: Mapped[str] = mapped_column(primary_key=True)
    booked_until: Mapped[datetime]


# Tenant tables.


class MembershipRow(Tenant, Row):
    """A user's role in an organisation."""

    __tablename__ = "memberships"
    __table_args__ = (Index("memberships_user", "user_id"),)

    organisation_id: Mapped[str] = mapped_column(
        ForeignKey("organisations.id", ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    role: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)


class QuotaRow(Tenant, Row):
    """What an organisation may have; null is no limit. Set by operators only: no route writes it."""

    __tablename__ = "quotas"

    organisation_id: Mapped[str] = mapped_column(
        ForeignKey("organisations.id", ondelete="CASCADE"), primary_key=True
    )
    documents: Mapped[int | None] = mapped_column(BigInteger)
    stored_bytes: Mapped[int | None] = mapped_column(BigInteger)
    operations_per_day: Mapped[int | None] = mapped_column(BigInteger)
    members: Mapped[int | None] = mapped_column(BigInteger)
    updated_at: Mapped[datetime] = mapped_column(server_default=NOW)


class ApiKeyRow(Tenant, Row):
    """An API key; only its SHA-256 is stored."""

    __tablename__ = "api_keys"
    __table_args__ = (Index("api_keys_organisation", "organisation_id", "id"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    created_by: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    name: Mapped[str]
    key_hash: Mapped[str] = mapped_column(unique=True)
    last_four: Mapped[str]
    scopes: Mapped[list[str]]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class DataKeyRow(Tenant, Row):
    """A key that seals values of an organisation, wrapped by a master key. One is active: it seals, the rest open."""

    __tablename__ = "data_keys"
    __table_args__ = (
        Index("data_keys_organisation", "organisation_id", "id"),
        Index("data_keys_active", "organisation_id", unique=True, postgresql_where=text("active")),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    master_key_id: Mapped[str]
    wrapped: Mapped[bytes]
    active: Mapped[bool] = mapped_column(Boolean)
    operation_id: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    retired_at: Mapped[datetime | None]


class OrganisationSecretRow(Tenant, Row):
    """Something of an organisation that only activities may read: a provider key, a webhook secret, a private URL."""

    __tablename__ = "organisation_secrets"
    __table_args__ = (Index("organisation_secrets_name", "organisation_id", "name", unique=True),)

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    kind: Mapped[str]
    sealed: Mapped[Sealed]
    last_four: Mapped[str | None]
    origin: Mapped[str | None]
    created_by: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    updated_at: Mapped[datetime] = mapped_column(server_default=NOW)


class OperationRow(Tenant, Row):
    """An operation: the record that the API reads and, while `run_id` is null, the outbox entry that starts it."""

    __tablename__ = "operations"
    __table_args__ = (
        Index("operations_list", "organisation_id", "id"),
        Index("operations_kind", "organisation_id", "kind", "id"),
        Index("operations_status", "organisation_id", "status", "id"),
        Index("operations_subject", "organisation_id", "subject_id", "id"),
        Index("operations_open", "updated_at", postgresql_where=text("closed_at IS NULL")),
        Index(
            "operations_unstarted",
            "updated_at",
            postgresql_where=text("closed_at IS NULL AND run_id IS NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    actor_id: Mapped[str]
    kind: Mapped[str]
    status: Mapped[str]
    attempt: Mapped[int] = mapped_column(Integer, server_default=text("1"))
    subject_type: Mapped[str | None]
    subject_id: Mapped[str | None]
    summary: Mapped[str]
    input: Mapped[dict[str, Any]]
    run_id: Mapped[str | None]
    trace_parent: Mapped[str | None]
    progress_done: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    progress_total: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    progress_step: Mapped[str | None]
    result: Mapped[dict[str, Any] | None]
    error: Mapped[dict[str, Any] | None]
    revision: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    updated_at: Mapped[datetime] = mapped_column(server_default=NOW)
    closed_at: Mapped[datetime | None]


class OperationStepRow(Tenant, Row):
    """One activity of one run of an operation, written by the worker that runs it."""

    __tablename__ = "operation_steps"

    operation_id: Mapped[str] = mapped_column(
        ForeignKey("operations.id", ondelete="CASCADE"), primary_key=True
    )
    run_id: Mapped[str] = mapped_column(primary_key=True)
    activity_id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    state: Mapped[str]
    attempts: Mapped[int] = mapped_column(Integer)
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    error: Mapped[dict[str, Any] | None]


class OperationItemRow(Tenant, Row):
    """One item of a batch; `source` is what was asked for, the rest what became of it."""

    __tablename__ = "operation_items"
    __table_args__ = (Index("operation_items_status", "operation_id", "status", "ordinal"),)

    operation_id: Mapped[str] = mapped_column(
        ForeignKey("operations.id", ondelete="CASCADE"), primary_key=True
    )
    ordinal: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str]
    source: Mapped[dict[str, Any]]
    status: Mapped[str]
    document_id: Mapped[str | None]
    version_id: Mapped[str | None]
    reason: Mapped[str | None]
    detail: Mapped[str | None]
    updated_at: Mapped[datetime] = mapped_column(server_default=NOW)


class OperationEventRow(Tenant, Row):
    """What a client of `/events` sees; `revision` is gapless within an operation."""

    __tablename__ = "operation_events"

    operation_id: Mapped[str] = mapped_column(
        ForeignKey("operations.id", ondelete="CASCADE"), primary_key=True
    )
    revision: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    type: Mapped[str]
    data: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)


class IdempotencyKeyRow(Tenant, Row):
    """The answer that an `Idempotency-Key` got."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (Index("idempotency_keys_age", "created_at"),)

    organisation_id: Mapped[str] = mapped_column(
        ForeignKey("organisations.id", ondelete="CASCADE"), primary_key=True
    )
    key: Mapped[str] = mapped_column(primary_key=True)
    request_sha256: Mapped[str]
    operation_id: Mapped[str | None]
    response: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)


class ExportRow(Tenant, Row):
    """An archive that was made for somebody, until it is deleted."""

    __tablename__ = "exports"
    __table_args__ = (
        Index("exports_organisation", "organisation_id", "operation_id"),
        Index("exports_expiry", "organisation_id", "expires_at"),
    )

    operation_id: Mapped[str] = mapped_column(
        ForeignKey("operations.id", ondelete="CASCADE"), primary_key=True
    )
    subject_type: Mapped[str]
    subject_id: Mapped[str]
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    expires_at: Mapped[datetime]


class RetentionRuleRow(Tenant, Row):
    """For how long an organisation keeps one kind of data; null is for ever, no row is the default."""

    __tablename__ = "retention_rules"

    organisation_id: Mapped[str] = mapped_column(
        ForeignKey("organisations.id", ondelete="CASCADE"), primary_key=True
    )
    kind: Mapped[str] = mapped_column(primary_key=True)
    days: Mapped[int | None] = mapped_column(Integer)
    updated_at: Mapped[datetime] = mapped_column(server_default=NOW)


class SpaceRow(Tenant, Row):
    """A named collection of documents. `embedding_model` is the model whose vectors are served."""

    __tablename__ = "spaces"
    __table_args__ = (Index("spaces_name", "organisation_id", "name", unique=True),)

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    embedding_model: Mapped[str]
    embedding_dimension: Mapped[int] = mapped_column(Integer)
    chunk_count: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    text_configurations: Mapped[list[str]] = mapped_column(server_default=text("'{}'"))
    sampled_chunk_count: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    mean_chunk_tokens: Mapped[float] = mapped_column(REAL, server_default=text("0"))
    vector_index: Mapped[str] = mapped_column(server_default=text("'none'"))
    memory_vector_index: Mapped[str] = mapped_column(server_default=text("'none'"))
    memory_count: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    sampled_memory_count: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    mean_memory_tokens: Mapped[float] = mapped_column(REAL, server_default=text("0"))
    remember_documents: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)


class SpaceLexemeRow(Tenant, Row):
    """The share of a space's chunks that hold a common word, from a sample; rare words have no row."""

    __tablename__ = "space_lexemes"

    space_id: Mapped[str] = mapped_column(ForeignKey("spaces.id", ondelete="CASCADE"), primary_key=True)
    lexeme: Mapped[str] = mapped_column(primary_key=True)
    frequency: Mapped[float] = mapped_column(REAL)


class DocumentRow(Tenant, Row):
    """A source with versions; the columns below describe the newest one that was accepted."""

    __tablename__ = "documents"
    __table_args__ = (
        Index("documents_list", "organisation_id", "id"),
        Index("documents_space", "space_id", "id"),
        Index("documents_external", "space_id", "external_id", unique=True),
        Index("documents_content", "space_id", "sha256"),
        Index(
            "documents_metadata",
            "metadata",
            postgresql_using="gin",
            postgresql_ops={"metadata": "jsonb_path_ops"},
        ),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    space_id: Mapped[str] = mapped_column(ForeignKey("spaces.id", ondelete="CASCADE"))
    title: Mapped[str]
    external_id: Mapped[str | None]
    status: Mapped[str]
    reason: Mapped[str | None]
    detail: Mapped[str | None]
    media_type: Mapped[str | None]
    language: Mapped[str | None]
    size_bytes: Mapped[int | None] = mapped_column(BigInteger)
    sha256: Mapped[str | None]
    page_count: Mapped[int | None] = mapped_column(Integer)
    char_count: Mapped[int | None] = mapped_column(BigInteger)
    chunk_count: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    version: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    source_type: Mapped[str | None]
    parent_id: Mapped[str | None] = mapped_column(ForeignKey("documents.id", ondelete="CASCADE"))
    metadata_: Mapped[dict[str, Any]] = mapped_column("metadata", server_default=text("'{}'::jsonb"))
    operation_id: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    updated_at: Mapped[datetime] = mapped_column(server_default=NOW)


class DocumentVersionRow(Tenant, Row):
    """One accepted content of a document. `source` is `{"object_key"} | {"url"}` plus what the caller said."""

    __tablename__ = "document_versions"
    __table_args__ = (
        Index("document_versions_number", "document_id", "number", unique=True),
        Index("document_versions_stored", "organisation_id", postgresql_include=["size_bytes"]),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    document_id: Mapped[str] = mapped_column(ForeignKey("documents.id", ondelete="CASCADE"))
    number: Mapped[int] = mapped_column(Integer)
    status: Mapped[str]
    reason: Mapped[str | None]
    detail: Mapped[str | None]
    source: Mapped[dict[str, Any]]
    object_key: Mapped[str | None]
    text_key: Mapped[str | None]
    sha256: Mapped[str | None]
    size_bytes: Mapped[int | None] = mapped_column(BigInteger)
    media_type: Mapped[str | None]
    language: Mapped[str | None]
    page_count: Mapped[int | None] = mapped_column(Integer)
    char_count: Mapped[int | None] = mapped_column(BigInteger)
    chunk_count: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    operation_id: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)


class ChunkRow(Tenant, Row):
    """A retrievable passage of the searchable version of a document."""

    __tablename__ = "chunks"
    __table_args__ = (
        Index("chunks_document", "document_id", "ordinal", unique=True),
        Index("chunks_space", "space_id", "id"),
        Index("chunks_text", "tsv", postgresql_using="gin"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    space_id: Mapped[str] = mapped_column(ForeignKey("spaces.id", ondelete="CASCADE"))
    document_id: Mapped[str] = mapped_column(ForeignKey("documents.id", ondelete="CASCADE"))
    version: Mapped[int] = mapped_column(Integer)
    ordinal: Mapped[int] = mapped_column(Integer)
    text: Mapped[str]
    heading_path: Mapped[list[str]]
    page: Mapped[int | None] = mapped_column(Integer)
    start_offset: Mapped[int] = mapped_column(Integer)
    end_offset: Mapped[int] = mapped_column(Integer)
    token_count: Mapped[int] = mapped_column(SmallInteger)
    tsv: Mapped[Any] = mapped_column(TSVECTOR)


class ChunkEmbeddingRow(Tenant, Row):
    """The vector of a chunk under one model. One HNSW index per dimension, see the migrations."""

    __tablename__ = "chunk_embeddings"
    __table_args__ = (Index("chunk_embeddings_space", "space_id", "model"),)

    chunk_id: Mapped[str] = mapped_column(ForeignKey("chunks.id", ondelete="CASCADE"), primary_key=True)
    model: Mapped[str] = mapped_column(primary_key=True)
    dimension: Mapped[int] = mapped_column(Integer)
    space_id: Mapped[str] = mapped_column(ForeignKey("spaces.id", ondelete="CASCADE"))
    embedding: Mapped[Any] = mapped_column(HALFVEC())
    in_vector_index: Mapped[bool] = mapped_column(Boolean, server_default=text("true"))


class MemoryRow(Tenant, Row):
    """One self-contained statement. An older version of it is a row of its own, retired, with `version_of`.

    `subject` and `session_id` are empty when there is none: they are parts of an index that orders a conversation.
    """

    __tablename__ = "memories"
    __table_args__ = (
        Index("memories_list", "organisation_id", "id"),
        Index("memories_space", "space_id", "id"),
        Index(
            "memories_thread",
            *("space_id", "subject", "session_id", "valid_from", "sequence", "ordinal", "piece"),
            postgresql_where=text("retired_at IS NULL"),
        ),
        Index(
            "memories_identity",
            "space_id",
            "identity",
            unique=True,
            postgresql_where=text("retired_at IS NULL"),
        ),
        Index("memories_fingerprint", "space_id", "fingerprint"),
        Index(
            "memories_external",
            "space_id",
            "external_id",
            postgresql_where=text("external_id IS NOT NULL"),
        ),
        Index("memories_speaker", "space_id", "speaker"),
        Index("memories_version_of", "version_of", postgresql_where=text("version_of IS NOT NULL")),
        Index("memories_document", "document_id", postgresql_where=text("document_id IS NOT NULL")),
        Index("memories_text", "tsv", postgresql_using="gin"),
        Index("memories_superseded_by", "superseded_by", postgresql_where=text("superseded_by IS NOT NULL")),
        Index(
            "memories_rests_on",
            "rests_on",
            postgresql_using="gin",
            postgresql_where=text("rests_on IS NOT NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    space_id: Mapped[str] = mapped_column(ForeignKey("spaces.id", ondelete="CASCADE"))
    kind: Mapped[str]
    content: Mapped[str]
    subject: Mapped[str] = mapped_column(server_default=text("''"))
    speaker: Mapped[str | None]
    role: Mapped[str | None]
    external_id: Mapped[str | None]
    session_id: Mapped[str] = mapped_column(server_default=text("''"))
    confidence: Mapped[float] = mapped_column(REAL, server_default=text("1"))
    importance: Mapped[float] = mapped_column(REAL, server_default=text("0.5"))
    valid_from: Mapped[datetime]
    valid_to: Mapped[datetime | None]
    recorded_at: Mapped[datetime] = mapped_column(server_default=SHOWN_NOW)
    retired_at: Mapped[datetime | None]
    retired_for: Mapped[str | None]
    superseded_by: Mapped[str | None]
    version: Mapped[int] = mapped_column(Integer, server_default=text("1"))
    version_of: Mapped[str | None]
    source: Mapped[dict[str, Any]]
    tags: Mapped[list[str]] = mapped_column(server_default=text("'{}'"))
    metadata_: Mapped[dict[str, Any]] = mapped_column("metadata", server_default=text("'{}'::jsonb"))
    expires_at: Mapped[datetime | None]
    sequence: Mapped[int] = mapped_column(BigInteger)
    ordinal: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    piece: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    fingerprint: Mapped[str]
    identity: Mapped[str]
    operation_id: Mapped[str | None]
    token_count: Mapped[int] = mapped_column(SmallInteger)
    tsv: Mapped[Any] = mapped_column(TSVECTOR)
    rests_on: Mapped[list[str] | None]
    document_id: Mapped[str | None] = mapped_column(ForeignKey("documents.id", ondelete="CASCADE"))


class MemoryEmbeddingRow(Tenant, Row):
    """The vector of a memory under one model, indexed as those of chunks are."""

    __tablename__ = "memory_embeddings"
    __table_args__ = (Index("memory_embeddings_space", "space_id", "model"),)

    memory_id: Mapped[str] = mapped_column(ForeignKey("memories.id", ondelete="CASCADE"), primary_key=True)
    model: Mapped[str] = mapped_column(primary_key=True)
    dimension: Mapped[int] = mapped_column(Integer)
    space_id: Mapped[str] = mapped_column(ForeignKey("spaces.id", ondelete="CASCADE"))
    embedding: Mapped[Any] = mapped_column(HALFVEC())
    in_vector_index: Mapped[bool] = mapped_column(Boolean, server_default=text("true"))


class ProfileEntryRow(Tenant, Row):
    """A memory in the profile of a name; see `perdure.domain.profiles`. Whether it is current, the memory says."""

    __tablename__ = "profile_entries"
    __table_args__ = (
        Index("profile_entries_subject", "space_id", "subject", "section", "valid_from", "memory_id"),
    )

    memory_id: Mapped[str] = mapped_column(ForeignKey("memories.id", ondelete="CASCADE"), primary_key=True)
    subject: Mapped[str] = mapped_column(primary_key=True)
    section: Mapped[str] = mapped_column(primary_key=True)
    attribute: Mapped[str] = mapped_column(primary_key=True)
    space_id: Mapped[str] = mapped_column(ForeignKey("spaces.id", ondelete="CASCADE"))
    version: Mapped[int] = mapped_column(Integer)
    valid_from: Mapped[datetime]


class MemoryRelationRow(Tenant, Row):
    """A typed, weighted edge from a memory to a memory or a chunk."""

    __tablename__ = "memory_relations"
    __table_args__ = (Index("memory_relations_target", "target_id"),)

    source_id: Mapped[str] = mapped_column(ForeignKey("memories.id", ondelete="CASCADE"), primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    target_id: Mapped[str] = mapped_column(primary_key=True)
    target_type: Mapped[str] = mapped_column(server_default=text("'memory'"))
    weight: Mapped[float] = mapped_column(REAL, server_default=text("1"))
    space_id: Mapped[str] = mapped_column(ForeignKey("spaces.id", ondelete="CASCADE"))
    operation_id: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)


class MemoryChangeRow(Tenant, Row):
    """A change of a memory after it was recorded: what it was, what it became, who wanted it and why."""

    __tablename__ = "memory_changes"
    __table_args__ = (
        Index("memory_changes_memory", "memory_id", "id"),
        Index("memory_changes_space", "organisation_id", "space_id", "id"),
        Index(
            "memory_changes_operation",
            "operation_id",
            "id",
            postgresql_where=text("operation_id IS NOT NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    memory_id: Mapped[str] = mapped_column(ForeignKey("memories.id", ondelete="CASCADE"))
    action: Mapped[str]
    reason: Mapped[str | None]
    actor_id: Mapped[str | None]
    operation_id: Mapped[str | None]
    before: Mapped[dict[str, Any] | None]
    after: Mapped[dict[str, Any] | None]
    at: Mapped[datetime] = mapped_column(server_default=NOW)
    undone_at: Mapped[datetime | None]
    space_id: Mapped[str | None]
    stage: Mapped[str | None]
    planned: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))


class MemoryEvolutionRow(Tenant, Row):
    """A run of evolution over the memories of a space that there were when it began."""

    __tablename__ = "memory_evolutions"
    __table_args__ = (Index("memory_evolutions_space", "organisation_id", "space_id", "operation_id"),)

    operation_id: Mapped[str] = mapped_column(
        ForeignKey("operations.id", ondelete="CASCADE"), primary_key=True
    )
    space_id: Mapped[str]
    dry_run: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))
    stages: Mapped[list[str]]
    until_id: Mapped[str]
    rules: Mapped[int] = mapped_column(Integer)
    started_at: Mapped[datetime] = mapped_column(server_default=NOW)
    ended_at: Mapped[datetime | None]


class MemoryEvolutionStageRow(Tenant, Row):
    """How far a stage of a run is, and what it did; `place` is where its next page begins."""

    __tablename__ = "memory_evolution_stages"

    operation_id: Mapped[str] = mapped_column(
        ForeignKey("operations.id", ondelete="CASCADE"), primary_key=True
    )
    stage: Mapped[str] = mapped_column(primary_key=True)
    since: Mapped[datetime | None]
    place: Mapped[str] = mapped_column(server_default=text("''"))
    examined: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    junk: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    changed: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    took_ms: Mapped[float] = mapped_column(Double, server_default=text("0"))
    started_at: Mapped[datetime] = mapped_column(server_default=NOW)
    ended_at: Mapped[datetime | None]


class MemoryEvolutionSettingsRow(Tenant, Row):
    """How a space evolves, where somebody has said so."""

    __tablename__ = "memory_evolution_settings"

    space_id: Mapped[str] = mapped_column(ForeignKey("spaces.id", ondelete="CASCADE"), primary_key=True)
    every_hours: Mapped[int | None] = mapped_column(Integer)
    insights: Mapped[str]
    proposal_days: Mapped[int] = mapped_column(Integer)
    decay_half_life_days: Mapped[float] = mapped_column(Double)
    updated_at: Mapped[datetime] = mapped_column(server_default=NOW)


class MemoryProposalRow(Tenant, Row):
    """A memory that evolution would make, and somebody decides about until the deadline."""

    __tablename__ = "memory_proposals"
    __table_args__ = (
        Index("memory_proposals_identity", "space_id", "identity", unique=True),
        Index("memory_proposals_list", "organisation_id", "status", "id"),
        Index("memory_proposals_cited", "memory_ids", postgresql_using="gin"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    space_id: Mapped[str] = mapped_column(ForeignKey("spaces.id", ondelete="CASCADE"))
    operation_id: Mapped[str | None]
    action: Mapped[str]
    content: Mapped[str]
    kind: Mapped[str]
    subject: Mapped[str] = mapped_column(server_default=text("''"))
    memory_ids: Mapped[list[str]]
    identity: Mapped[str]
    reason: Mapped[str]
    confidence: Mapped[float] = mapped_column(REAL)
    status: Mapped[str] = mapped_column(server_default=text("'open'"))
    deadline: Mapped[datetime]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[str | None]
    memory_id: Mapped[str | None]


class MemoryAttributeRow(Tenant, Row):
    """What a memory states of somebody's single-valued attribute: by it, contradictions are found."""

    __tablename__ = "memory_attributes"
    __table_args__ = (Index("memory_attributes_name", "space_id", "subject", "holder", "name"),)

    memory_id: Mapped[str] = mapped_column(ForeignKey("memories.id", ondelete="CASCADE"), primary_key=True)
    ordinal: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    space_id: Mapped[str]
    subject: Mapped[str]
    holder: Mapped[str]
    name: Mapped[str]
    stated: Mapped[dict[str, Any]]


class MemoryAccessRow(Tenant, Row):
    """How often a memory was recalled; apart from the memory, so that reading one rewrites none of its indexes."""

    __tablename__ = "memory_accesses"

    memory_id: Mapped[str] = mapped_column(ForeignKey("memories.id", ondelete="CASCADE"), primary_key=True)
    accesses: Mapped[int] = mapped_column(BigInteger, server_default=text("1"))
    last_accessed_at: Mapped[datetime] = mapped_column(server_default=NOW)


class MemoryRequestRow(Tenant, Row):
    """What an operation was asked to remember or forget; emptied when it is done, only the outcome stays."""

    __tablename__ = "memory_requests"

    operation_id: Mapped[str] = mapped_column(
        ForeignKey("operations.id", ondelete="CASCADE"), primary_key=True
    )
    space_id: Mapped[str]
    subject: Mapped[str] = mapped_column(server_default=text("''"))
    sequence: Mapped[int] = mapped_column(BigInteger, Identity())
    body: Mapped[dict[str, Any] | None]
    vectors: Mapped[bytes | None]
    model: Mapped[str | None]
    outcome: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)


class MemoryTombstoneRow(Tenant, Row):
    """The digest of a text that was forgotten: it is not remembered again."""

    __tablename__ = "memory_tombstones"

    space_id: Mapped[str] = mapped_column(ForeignKey("spaces.id", ondelete="CASCADE"), primary_key=True)
    digest: Mapped[str] = mapped_column(primary_key=True)
    operation_id: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)


class MemoryRecallRow(Tenant, Row):
    """A question that was asked in a session, and what it found."""

    __tablename__ = "memory_recalls"
    __table_args__ = (Index("memory_recalls_session", "organisation_id", "session_id", "id"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    space_id: Mapped[str] = mapped_column(ForeignKey("spaces.id", ondelete="CASCADE"))
    session_id: Mapped[str]
    actor_id: Mapped[str]
    query: Mapped[str]
    mode: Mapped[str]
    outcome: Mapped[str]
    hits: Mapped[dict[str, Any]]
    took_ms: Mapped[float] = mapped_column(REAL)
    at: Mapped[datetime] = mapped_column(server_default=NOW)


class MemoryPersonRow(Tenant, Row):
    """A speaker or subject of a space, as questions may name them."""

    __tablename__ = "memory_people"

    space_id: Mapped[str] = mapped_column(ForeignKey("spaces.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)


class MemoryLexemeRow(Tenant, Row):
    """The share of a space's memories that hold a common word, from a sample."""

    __tablename__ = "memory_lexemes"

    space_id: Mapped[str] = mapped_column(ForeignKey("spaces.id", ondelete="CASCADE"), primary_key=True)
    lexeme: Mapped[str] = mapped_column(primary_key=True)
    frequency: Mapped[float] = mapped_column(REAL)


class ClassificationWorkflowRow(Tenant, Row):
    """A stored definition of a classification; what it says stands in its versions."""

    __tablename__ = "classification_workflows"
    __table_args__ = (
        Index("classification_workflows_list", "organisation_id", "id"),
        Index(
            "classification_workflows_name",
            "organisation_id",
            "name",
            unique=True,
            postgresql_where=text("archived_at IS NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    description: Mapped[str] = mapped_column(server_default=text("''"))
    active_version: Mapped[int] = mapped_column(Integer)
    latest_version: Mapped[int] = mapped_column(Integer)
    created_by: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    updated_at: Mapped[datetime] = mapped_column(server_default=NOW)
    archived_at: Mapped[datetime | None]


class ClassificationVersionRow(Tenant, Row):
    """A version of a classification workflow, and how it did on the frozen set when it was to be activated."""

    __tablename__ = "classification_versions"

    workflow_id: Mapped[str] = mapped_column(
        ForeignKey("classification_workflows.id", ondelete="CASCADE"), primary_key=True
    )
    version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    definition: Mapped[dict[str, Any]]
    learnt: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    learnt_until: Mapped[datetime | None]
    calibration: Mapped[dict[str, Any] | None]
    note: Mapped[str | None]
    comparison: Mapped[dict[str, Any] | None]
    forced: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))
    created_by: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    activated_at: Mapped[datetime | None]


class ClassificationBatchRow(Tenant, Row):
    """What an operation was asked to find out about its texts, be they one or many."""

    __tablename__ = "classification_batches"

    operation_id: Mapped[str] = mapped_column(
        ForeignKey("operations.id", ondelete="CASCADE"), primary_key=True
    )
    workflow_id: Mapped[str | None] = mapped_column(
        ForeignKey("classification_workflows.id", ondelete="CASCADE")
    )
    version: Mapped[int | None] = mapped_column(Integer)
    definition: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)


class ClassificationResultRow(Tenant, Row):
    """A text that is or was classified, and its answer. `label` is a person's where one has answered."""

    __tablename__ = "classification_results"
    __table_args__ = (
        Index("classification_results_item", "operation_id", "ordinal", unique=True),
        Index("classification_results_list", "organisation_id", "id"),
        Index(
            "classification_results_workflow",
            "workflow_id",
            "id",
            postgresql_where=text("workflow_id IS NOT NULL"),
        ),
        Index(
            "classification_results_document",
            "document_id",
            postgresql_where=text("document_id IS NOT NULL"),
        ),
        Index(
            "classification_results_open", "organisation_id", "id", postgresql_where=text("status = 'open'")
        ),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    operation_id: Mapped[str] = mapped_column(ForeignKey("operations.id", ondelete="CASCADE"))
    ordinal: Mapped[int] = mapped_column(Integer)
    external_id: Mapped[str | None]
    document_id: Mapped[str | None] = mapped_column(ForeignKey("documents.id", ondelete="CASCADE"))
    workflow_id: Mapped[str | None] = mapped_column(
        ForeignKey("classification_workflows.id", ondelete="CASCADE")
    )
    version: Mapped[int | None] = mapped_column(Integer)
    content: Mapped[str | None]
    status: Mapped[str] = mapped_column(server_default=text("'queued'"))
    decision: Mapped[str | None]
    label: Mapped[str | None]
    labels: Mapped[list[str]] = mapped_column(server_default=text("'{}'"))
    confidence: Mapped[float | None] = mapped_column(Double)
    raw: Mapped[float | None] = mapped_column(Double)
    stages: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    held: Mapped[dict[str, Any] | None]
    vector: Mapped[bytes | None]
    vector_model: Mapped[str | None]
    provider: Mapped[str | None]
    model: Mapped[str | None]
    input_tokens: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    output_tokens: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    cached_tokens: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    cost_usd: Mapped[Decimal | None] = mapped_column(Numeric(14, 8))
    reason: Mapped[str | None]
    detail: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    classified_at: Mapped[datetime | None]


class ClassificationReviewRow(Tenant, Row):
    """A person's answer to a result."""

    __tablename__ = "classification_reviews"

    result_id: Mapped[str] = mapped_column(
        ForeignKey("classification_results.id", ondelete="CASCADE"), primary_key=True
    )
    labels: Mapped[list[str]]
    comment: Mapped[str | None]
    reviewed_by: Mapped[str]
    reviewed_at: Mapped[datetime] = mapped_column(server_default=NOW)


class ClassificationExampleRow(Tenant, Row):
    """A text whose labels a person has told; `actor_id` is who brought the text. The frozen ones only measure."""

    __tablename__ = "classification_examples"
    __table_args__ = (
        Index("classification_examples_text", "workflow_id", "sha256", unique=True),
        Index(
            "classification_examples_document",
            "document_id",
            postgresql_where=text("document_id IS NOT NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    workflow_id: Mapped[str] = mapped_column(ForeignKey("classification_workflows.id", ondelete="CASCADE"))
    sha256: Mapped[str]
    labels: Mapped[list[str]]
    content: Mapped[str]
    is_frozen: Mapped[bool] = mapped_column(Boolean)
    vector: Mapped[bytes]
    vector_model: Mapped[str]
    document_id: Mapped[str | None] = mapped_column(ForeignKey("documents.id", ondelete="CASCADE"))
    actor_id: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)


class DocumentWorkflowRow(Tenant, Row):
    """A stored definition of a document workflow; what it says stands in its versions, the newest counts."""

    __tablename__ = "document_workflows"
    __table_args__ = (
        Index("document_workflows_list", "organisation_id", "id"),
        Index(
            "document_workflows_name",
            "organisation_id",
            "name",
            unique=True,
            postgresql_where=text("archived_at IS NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    description: Mapped[str] = mapped_column(server_default=text("''"))
    version: Mapped[int] = mapped_column(Integer)
    template: Mapped[str | None]
    created_by: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    updated_at: Mapped[datetime] = mapped_column(server_default=NOW)
    archived_at: Mapped[datetime | None]


class DocumentWorkflowVersionRow(Tenant, Row):
    """A version of a document workflow; it never changes."""

    __tablename__ = "document_workflow_versions"

    workflow_id: Mapped[str] = mapped_column(
        ForeignKey("document_workflows.id", ondelete="CASCADE"), primary_key=True
    )
    version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    definition: Mapped[dict[str, Any]]
    sha256: Mapped[str]
    steps: Mapped[int] = mapped_column(Integer)
    note: Mapped[str | None]
    created_by: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)


class WorkflowExecutionRow(Tenant, Row):
    """A run of a document workflow, on a document or none; how it is doing stands in its operation.

    `batch_id` is the operation that started it among others.
    """

    __tablename__ = "workflow_executions"
    __table_args__ = (
        Index("workflow_executions_operation", "operation_id", unique=True),
        Index("workflow_executions_list", "organisation_id", "id"),
        Index("workflow_executions_workflow", "workflow_id", "id"),
        Index(
            "workflow_executions_batch",
            "batch_id",
            "ordinal",
            unique=True,
            postgresql_where=text("batch_id IS NOT NULL"),
        ),
        Index(
            "workflow_executions_document", "document_id", postgresql_where=text("document_id IS NOT NULL")
        ),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    operation_id: Mapped[str] = mapped_column(ForeignKey("operations.id", ondelete="CASCADE"))
    batch_id: Mapped[str | None] = mapped_column(ForeignKey("operations.id", ondelete="CASCADE"))
    ordinal: Mapped[int | None] = mapped_column(Integer)
    workflow_id: Mapped[str] = mapped_column(ForeignKey("document_workflows.id", ondelete="CASCADE"))
    version: Mapped[int] = mapped_column(Integer)
    document_id: Mapped[str | None] = mapped_column(ForeignKey("documents.id", ondelete="CASCADE"))
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)


class WorkflowExecutionStepRow(Tenant, Row):
    """What a step of an execution was last known to do: `record` is a `StepRecordRead`."""

    __tablename__ = "workflow_execution_steps"

    execution_id: Mapped[str] = mapped_column(
        ForeignKey("workflow_executions.id", ondelete="CASCADE"), primary_key=True
    )
    step_id: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[str]
    sequence: Mapped[int] = mapped_column(BigInteger)
    record: Mapped[dict[str, Any]]
    updated_at: Mapped[datetime] = mapped_column(server_default=NOW)


class WorkflowStepAnswerRow(Tenant, Row):
    """What a model answered to a step of an execution: asked once, and paid for once."""

    __tablename__ = "workflow_step_answers"

    execution_id: Mapped[str] = mapped_column(
        ForeignKey("workflow_executions.id", ondelete="CASCADE"), primary_key=True
    )
    step_id: Mapped[str] = mapped_column(primary_key=True)
    visit: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    output: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)


# What outlives its organisation has no foreign key to it.


class WorkflowApprovalRow(Tenant, Row):
    """A request for approval: what was shown, the policy, and where it stands. `state` is the engine's own.

    `revision` is the SHA-256 of what is shown. The request outlives its document.
    """

    __tablename__ = "workflow_approvals"
    __table_args__ = (
        Index("workflow_approvals_operation", "operation_id", unique=True),
        Index(
            "workflow_approvals_step",
            "execution_id",
            "step_id",
            "visit",
            unique=True,
            postgresql_where=text("execution_id IS NOT NULL"),
        ),
        Index(
            "workflow_approvals_result",
            "result_id",
            unique=True,
            postgresql_where=text("result_id IS NOT NULL"),
        ),
        Index("workflow_approvals_list", "organisation_id", "id"),
        Index("workflow_approvals_document", "document_id", postgresql_where=text("document_id IS NOT NULL")),
        Index(
            "workflow_approvals_open",
            "organisation_id",
            "due_at",
            "id",
            postgresql_where=text("closed_at IS NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    operation_id: Mapped[str] = mapped_column(ForeignKey("operations.id", ondelete="CASCADE"))
    execution_id: Mapped[str | None]
    step_id: Mapped[str | None]
    visit: Mapped[int | None] = mapped_column(Integer)
    result_id: Mapped[str | None] = mapped_column(
        ForeignKey("classification_results.id", ondelete="SET NULL")
    )
    title: Mapped[str]
    summary: Mapped[str] = mapped_column(server_default=text("''"))
    document_id: Mapped[str | None]
    document_version: Mapped[int | None] = mapped_column(Integer)
    revision: Mapped[str]
    evidence: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default=text("'[]'::jsonb"))
    policy: Mapped[dict[str, Any]]
    state: Mapped[dict[str, Any] | None]
    sequence: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    status: Mapped[str] = mapped_column(server_default=text("'pending'"))
    outcome: Mapped[str | None]
    requester: Mapped[str]
    due_at: Mapped[datetime | None]
    opened_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    updated_at: Mapped[datetime] = mapped_column(server_default=NOW)


class ApprovalAssigneeRow(Tenant, Row):
    """Somebody who is asked and has not answered: their inbox. No seat: they decide for all who are silent."""

    __tablename__ = "approval_assignees"
    __table_args__ = (
        Index("approval_assignees_inbox", "organisation_id", "person", "due_at", "approval_id"),
    )

    approval_id: Mapped[str] = mapped_column(
        ForeignKey("workflow_approvals.id", ondelete="CASCADE"), primary_key=True
    )
    person: Mapped[str] = mapped_column(primary_key=True)
    stage: Mapped[str] = mapped_column(primary_key=True)
    seat: Mapped[str] = mapped_column(primary_key=True)
    standing: Mapped[str]
    since: Mapped[datetime]
    due_at: Mapped[datetime | None]


class ApprovalCommentRow(Tenant, Row):
    """What somebody said about a request, beside their decision."""

    __tablename__ = "approval_comments"
    __table_args__ = (Index("approval_comments_list", "approval_id", "id"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    approval_id: Mapped[str] = mapped_column(ForeignKey("workflow_approvals.id", ondelete="CASCADE"))
    person: Mapped[str]
    content: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)


class ApprovalEffectRow(Tenant, Row):
    """Something that must happen once and has: a decision token that was used, a refusal that was recorded."""

    __tablename__ = "approval_effects"

    approval_id: Mapped[str] = mapped_column(
        ForeignKey("workflow_approvals.id", ondelete="CASCADE"), primary_key=True
    )
    effect: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=NOW)


class ProviderKeyRow(Tenant, Row):
    """A key of the organisation at a provider of models. A revoked one has no value any more."""

    __tablename__ = "provider_keys"
    __table_args__ = (
        Index("provider_keys_organisation", "organisation_id", "id"),
        Index(
            "provider_keys_name",
            "organisation_id",
            "name",
            unique=True,
            postgresql_where=text("revoked_at IS NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    provider: Mapped[str]
    name: Mapped[str]
    base_url: Mapped[str | None]
    default_model: Mapped[str | None]
    sealed: Mapped[Sealed | None]
    last_four: Mapped[str | None]
    requests_per_minute: Mapped[int | None] = mapped_column(Integer)
    created_by: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    updated_at: Mapped[datetime] = mapped_column(server_default=NOW)
    tested_at: Mapped[datetime | None]
    test_outcome: Mapped[str | None]
    revoked_at: Mapped[datetime | None]


class ProviderRouteRow(Tenant, Row):
    """Who is asked for one capability, where somebody has said so; see `perdure.domain.routing`."""

    __tablename__ = "provider_routes"

    organisation_id: Mapped[str] = mapped_column(
        ForeignKey("organisations.id", ondelete="CASCADE"), primary_key=True
    )
    capability: Mapped[str] = mapped_column(primary_key=True)
    strategy: Mapped[str]
    candidates: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    updated_at: Mapped[datetime] = mapped_column(server_default=NOW)


class ProviderCircuitRow(Tenant, Row):
    """How a provider has failed an organisation; see `perdure.domain.circuit_breaker`. No row: it has not."""

    __tablename__ = "provider_circuits"

    organisation_id: Mapped[str] = mapped_column(
        ForeignKey("organisations.id", ondelete="CASCADE"), primary_key=True
    )
    circuit: Mapped[str] = mapped_column(primary_key=True)
    failures: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    opened: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    open_until: Mapped[datetime | None]
    probe_until: Mapped[datetime | None]


class ProviderBudgetRow(Tenant, Row):
    """What an organisation wants to spend in a calendar month; null is no limit."""

    __tablename__ = "provider_budgets"

    organisation_id: Mapped[str] = mapped_column(
        ForeignKey("organisations.id", ondelete="CASCADE"), primary_key=True
    )
    soft_usd: Mapped[Decimal | None] = mapped_column(Numeric(14, 2))
    hard_usd: Mapped[Decimal | None] = mapped_column(Numeric(14, 2))
    updated_at: Mapped[datetime] = mapped_column(server_default=NOW)


class ProviderSpendingRow(Tenant, Row):
    """What an organisation has spent in a calendar month (UTC), as far as prices are known."""

    __tablename__ = "provider_spending"

    organisation_id: Mapped[str] = mapped_column(
        ForeignKey("organisations.id", ondelete="CASCADE"), primary_key=True
    )
    month: Mapped[date] = mapped_column(Date, primary_key=True)
    cost_usd: Mapped[Decimal] = mapped_column(Numeric(18, 8), server_default=text("0"))
    calls: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    soft_noted_usd: Mapped[Decimal | None] = mapped_column(Numeric(14, 2))


class ProviderReservationRow(Tenant, Row):
    """What a call that is under way may cost, until it has ended or `expires_at` has passed."""

    __tablename__ = "provider_reservations"
    __table_args__ = (Index("provider_reservations_organisation", "organisation_id"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    cost_usd: Mapped[Decimal] = mapped_column(Numeric(14, 8))
    expires_at: Mapped[datetime]


class AIProcessingLogRow(Tenant, Row):
    """One call of a model: who was asked, what it took, how it ended. No text stands in it."""

    __tablename__ = "ai_processing_logs"
    __table_args__ = (
        Index("ai_processing_logs_at", "organisation_id", "at"),
        Index("ai_processing_logs_model", "organisation_id", "provider", "model", "at"),
        Index(
            "ai_processing_logs_operation", "operation_id", postgresql_where=text("operation_id IS NOT NULL")
        ),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=NOW)
    capability: Mapped[str]
    purpose: Mapped[str]
    provider: Mapped[str]
    model: Mapped[str]
    key_id: Mapped[str | None]
    operation_id: Mapped[str | None]
    operation_kind: Mapped[str | None]
    input_tokens: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    output_tokens: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    cached_tokens: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    cost_usd: Mapped[Decimal | None] = mapped_column(Numeric(14, 8))
    latency_ms: Mapped[float] = mapped_column(Double)
    outcome: Mapped[str]


class WebhookEndpointRow(Tenant, Row):
    """Where an organisation's events are sent. Of one that was removed nothing secret is left."""

    __tablename__ = "webhook_endpoints"
    __table_args__ = (
        Index("webhook_endpoints_list", "organisation_id", "id", postgresql_where=text("removed_at IS NULL")),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    name: Mapped[str]
    shown_url: Mapped[str]
    sealed_url: Mapped[Sealed | None]
    sealed_secret: Mapped[Sealed | None]
    sealed_previous_secret: Mapped[Sealed | None]
    previous_until: Mapped[datetime | None]
    events: Mapped[list[str]]
    is_active: Mapped[bool] = mapped_column(Boolean, server_default=text("true"))
    failures: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    last_error: Mapped[str | None]
    last_attempt_at: Mapped[datetime | None]
    last_success_at: Mapped[datetime | None]
    created_by: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    updated_at: Mapped[datetime] = mapped_column(server_default=NOW)
    removed_at: Mapped[datetime | None]


class MessageRow(Tenant, Row):
    """A message to one receiver: what it is about, and what became of it. `effect` is said once only."""

    __tablename__ = "messages"
    __table_args__ = (
        Index("messages_effect", "organisation_id", "effect", unique=True),
        Index("messages_list", "organisation_id", "id"),
        Index("messages_endpoint", "endpoint_id", "id", postgresql_where=text("endpoint_id IS NOT NULL")),
        Index("messages_due", "next_at", postgresql_where=text("status = 'waiting'")),
        Index(
            "messages_unsent",
            "channel",
            "status",
            "created_at",
            postgresql_where=text("status IN ('waiting', 'dead')"),
        ),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    effect: Mapped[str]
    channel: Mapped[str]
    kind: Mapped[str]
    recipient: Mapped[str | None]
    sealed_recipient: Mapped[Sealed | None]
    endpoint_id: Mapped[str | None] = mapped_column(ForeignKey("webhook_endpoints.id", ondelete="SET NULL"))
    reference: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'::jsonb"))
    body: Mapped[str | None]
    status: Mapped[str] = mapped_column(server_default="waiting")
    attempts: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    tries: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default=text("'[]'::jsonb"))
    next_at: Mapped[datetime | None] = mapped_column(server_default=NOW)
    handed_at: Mapped[datetime | None]
    last_error: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    sent_at: Mapped[datetime | None]


class AuditEventRow(Row):
    """One event of the audit trail; the app may only add and read, and a trigger refuses everything else."""

    __tablename__ = "audit_events"
    __table_args__ = (
        Index("audit_events_action", "organisation_id", "action", "sequence"),
        Index("audit_events_actor", "organisation_id", "actor_id", "sequence"),
        Index("audit_events_at", "organisation_id", "at"),
        Index("audit_events_person", "organisation_id", "person_id", "sequence"),
        Index("audit_events_subject", "organisation_id", "subject_id", "sequence"),
    )

    organisation_id: Mapped[str] = mapped_column(primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    actor_kind: Mapped[str]
    actor_id: Mapped[str | None]
    person_id: Mapped[str | None]
    action: Mapped[str]
    subject_type: Mapped[str | None]
    subject_id: Mapped[str | None]
    request_id: Mapped[str | None]
    origin: Mapped[str | None]
    details: Mapped[str]
    previous_hash: Mapped[str]
    hash: Mapped[str]


class AuditHeadRow(Row):
    """The end of each organisation's trail; its lock orders the writers, a trigger keeps it from going back."""

    __tablename__ = "audit_heads"
    __table_args__ = (Index("audit_heads_at", "at"),)

    organisation_id: Mapped[str] = mapped_column(primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger)
    hash: Mapped[str]
    at: Mapped[datetime]


class ErasureRow(Row):
    """An erasure: whose data go, what was found, and when it is over, the signed receipt, which nobody can change."""

    __tablename__ = "erasures"
    __table_args__ = (Index("erasures_organisation", "organisation_id", "operation_id"),)

    operation_id: Mapped[str] = mapped_column(primary_key=True)
    organisation_id: Mapped[str]
    subject_type: Mapped[str]
    subject_id: Mapped[str]
    actors: Mapped[list[str]]
    people: Mapped[list[str]]
    found: Mapped[dict[str, Any]]
    started_at: Mapped[datetime] = mapped_column(server_default=NOW)
    completed_at: Mapped[datetime | None]
    receipt: Mapped[dict[str, Any] | None]
    signature: Mapped[str | None]


class AuditPersonKeyRow(Tenant, Row):
    """The key under which the trail keeps where a person acted from; it goes with the person."""

    __tablename__ = "audit_person_keys"

    organisation_id: Mapped[str] = mapped_column(
        ForeignKey("organisations.id", ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    key: Mapped[str]


TENANT_TABLES = tuple(
    sorted(table.name for table in Row.metadata.tables.values() if "organisation_id" in table.columns)
)
