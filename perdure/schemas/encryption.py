"""Secrets of an organisation over HTTP, and the rotation of its keys."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, SecretStr, StringConstraints

from perdure.schemas.base import Contract, Instant, RequestBody
from perdure.schemas.operations import OperationInput

LONGEST_VALUE = 8192

SecretName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
SecretValue = Annotated[
    SecretStr,
    Field(
        min_length=1,
        max_length=LONGEST_VALUE,
        description="The secret itself: encrypted at once, never shown again, kept out of logs.",
    ),
]


class SecretKind(StrEnum):
    """What a secret is for."""

    PROVIDER_KEY = "provider_key"
    WEBHOOK_SECRET = "webhook_secret"  # noqa: S105  # a kind, not a secret
    CALENDAR_URL = "calendar_url"
    HTTP_HEADER = "http_header"
    OTHER = "other"


class SecretCreate(RequestBody):
    """A new secret."""

    name: SecretName = Field(description="Unique in the organisation; for people.")
    kind: SecretKind
    value: SecretValue
    origin: str | None = Field(
        default=None,
        max_length=300,
        examples=["https://api.example.com"],
        description="For `http_header`, which has one: where `http` steps may send it, and nowhere else.",
    )


class SecretUpdate(RequestBody):
    """Another value for a secret: its id, and what refers to it, stay."""

    value: SecretValue


class SecretRead(Contract):
    """A secret, without its value."""

    id: str
    name: str
    kind: SecretKind
    last_four: str | None = Field(description="The end of the value; null when the value is short.")
    origin: str | None = Field(default=None, description="Where `http` steps may send it.")
    created_by: str | None = Field(description="Null when that user is gone.")
    created_at: Instant
    updated_at: Instant = Field(description="When the value was last set.")


class SealedPosition(Contract):
    """How far a rotation has gone through the sealed columns."""

    column: str = Field(description="`table.column`.")
    after_id: str = ""


class RotateKeysInput(OperationInput):
    """Input of `RotateKeys`."""

    position: SealedPosition | None = Field(default=None, description="Where a continued workflow goes on.")
    done: int = Field(default=0, description="Values that its earlier runs went through.")
    reencrypted: int = Field(default=0, description="Values that they sealed anew.")
    unreadable: list[str] = Field(default_factory=list, description="Places of values that they could not.")


class KeyRotationJob(Contract):
    """Ask for one step of a rotation."""

    organisation_id: str
    operation_id: str


class NewDataKey(Contract):
    """The key that seals from now on, and how many values an older one seals."""

    data_key_id: str
    remaining: int


class RewrappedKeys(Contract):
    """How many data keys are under the current master key now and were not before."""

    count: int


class ReencryptJob(KeyRotationJob):
    """Ask to seal the next page of values anew; without a position, the first."""

    position: SealedPosition | None = None
    done: int = Field(default=0, description="Values before this page.")
    total: int = 0


class ReencryptedPage(Contract):
    """What one page did; no position when it was the last."""

    count: int
    unreadable: list[str] = Field(default_factory=list, description="Places of values that do not open.")
    position: SealedPosition | None = None


class RotateKeysResult(Contract):
    """What a rotation did."""

    data_key_id: str = Field(description="The key that seals now.")
    reencrypted: int = Field(description="Values that were sealed anew.")
    retired: int = Field(description="Data keys of the organisation that seal nothing any more, in all.")
    unreadable: list[str] = Field(
        default_factory=list, description="Values that could not be decrypted: set them anew."
    )
    still_needed: list[str] = Field(
        default_factory=list, description="Old data keys that were not retired, because of those values."
    )
