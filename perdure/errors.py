"""The one exception hierarchy. Each class fixes four facts: slug, title, HTTP status, retryable.

PerdureError
├── NotFoundError             404  not retried
├── ConflictError             409  not retried
│   └── IdempotencyConflictError
├── ApprovalRefusedError      409  not retried; 403, 404 or 422 by its reason
├── InvalidInputError         422  not retried (carries field pointers)
│   ├── DocumentRejectedError      a typed reason why a document cannot be indexed
│   └── ExpressionFailedError      an expression of a workflow has no value
├── MalformedRequestError     400  not retried
├── UnauthenticatedError      401  not retried
├── PermissionDeniedError     403  not retried
├── PayloadTooLargeError      413  not retried
├── QuotaExceededError        429  retried after `retry_after`
│   └── BudgetReachedError         not retried: an operation holds until it may go on
├── UpstreamError             502  retried with back-off
│   ├── ProviderError              a typed reason why a provider did not answer; some are not retried
│   └── ProvidersFailedError       not retried: everybody was asked
├── UnavailableError          503  retried with back-off
├── SealedValueError          500  not retried (an encrypted value does not open)
├── ConfigurationError        500  not retried (the process refuses to start and names the remedy)
└── ProviderUnavailableError  503  not retried (names the variables that would enable it)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import ClassVar


@dataclass(frozen=True)
class FieldError:
    """One faulty place in a request: a JSON pointer and what to do about it."""

    pointer: str
    detail: str


class PerdureError(Exception):
    """Root of every error that Perdure raises on purpose; `str(error)` is shown to the user."""

    slug: ClassVar[str] = "internal-error"
    title: ClassVar[str] = "Internal error"
    status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False


class NotFoundError(PerdureError):
    """Nothing of that id exists in the caller's organisation."""

    slug, title, status = "not-found", "Not found", 404


class ConflictError(PerdureError):
    """The resource is in a state that does not allow this."""

    slug, title, status = "conflict", "Conflict with the current state", 409


class ApprovalRefusedError(PerdureError):
    """An approval does not do what it was told. `reason` is a stable code; the status says who, what, when or how."""

    slug, title, status = "approval-refused", "Approval refused", 409

    def __init__(self, reason: str, detail: str, status: int) -> None:
        super().__init__(detail)
        self.reason = reason
        # 403, 404, 409 or 422: one kind of problem, whose code says more than the status.
        self.__dict__["status"] = status


class IdempotencyConflictError(ConflictError):
    """The Idempotency-Key was used before with another body."""

    slug, title = "idempotency-key-reused", "Idempotency-Key reused with another request"


class InvalidInputError(PerdureError):
    """The request is well formed but says something impossible."""

    slug, title, status = "invalid-input", "Invalid input", 422

    def __init__(self, detail: str, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(detail)
        self.errors = tuple(errors)


class DocumentRejectedError(InvalidInputError):
    """A document cannot be indexed, for one of the typed reasons in `schemas.documents.Reason`."""

    slug, title = "document-rejected", "Document rejected"

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class ExpressionFailedError(InvalidInputError):
    """An expression of a workflow has no value for what it was given."""

    slug, title = "expression-failed", "Expression failed"


class MalformedRequestError(PerdureError):
    """The bytes of the request cannot be read at all (bad JSON, bad UTF-8, bad multipart)."""

    slug, title, status = "malformed-request", "Malformed request", 400


class UnauthenticatedError(PerdureError):
    """No credentials, or credentials that do not hold."""

    slug, title, status = "unauthenticated", "Authentication required", 401


class PermissionDeniedError(PerdureError):
    """The caller is known but may not do this."""

    slug, title, status = "permission-denied", "Permission denied", 403


class PayloadTooLargeError(PerdureError):
    """More bytes than the limit; the detail names the limit and its setting."""

    slug, title, status = "payload-too-large", "Payload too large", 413


class QuotaExceededError(PerdureError):
    """A rate or a quota is used up. `violated-policies` names it, the detail says what to do.

    Try again after `Retry-After`; without that header time alone does not help.
    """

    slug, title, status, retryable = "quota-exceeded", "Limit reached", 429, True

    def __init__(self, detail: str, retry_after: timedelta | None, policy: str | None = None) -> None:
        super().__init__(detail)
        self.retry_after, self.policy = retry_after, policy


class BudgetReachedError(QuotaExceededError):
    """The organisation has spent what it wanted to spend this month."""

    slug, title, retryable = "budget-reached", "Budget reached", False


class UpstreamError(PerdureError):
    """Something outside answered wrongly or not at all."""

    slug, title, status, retryable = "upstream-error", "Upstream failure", 502, True


class ProviderReason(StrEnum):
    """Why a provider of models did not answer."""

    RATE_LIMITED = "rate_limited"
    UNAVAILABLE = "unavailable"
    """It failed, or does not answer in time, or cannot be reached."""
    CUT_OFF = "cut_off"
    """A stream ended in the middle."""
    UNAUTHORISED = "unauthorised"
    NO_CREDIT = "no_credit"
    """The account at the provider is used up."""
    INVALID_REQUEST = "invalid_request"
    REFUSED = "refused"
    """The provider does not want to answer this."""
    MALFORMED = "malformed"
    """It answered, but not in its own format, or not as the schema wants, not even when asked again."""


class ProviderError(UpstreamError):
    """A provider of models did not answer. Only what may pass is retried, after `retry_after` if it says so."""

    slug, title = "provider-error", "Provider failure"
    passing: ClassVar[frozenset[ProviderReason]] = frozenset(
        (ProviderReason.RATE_LIMITED, ProviderReason.UNAVAILABLE, ProviderReason.CUT_OFF)
    )

    def __init__(
        self, provider: str, reason: ProviderReason, detail: str, retry_after: timedelta | None = None
    ) -> None:
        super().__init__(f"{provider}: {detail}")
        self.provider, self.reason, self.retry_after = provider, reason, retry_after
        # Of answers that came and were of no use: they are paid for all the same.
        self.input_tokens = self.output_tokens = self.cached_tokens = 0

    @property
    def passes(self) -> bool:
        """Whether the same provider may answer later."""
        return self.reason in self.passing


class ProvidersFailedError(UpstreamError):
    """None of the providers answered; the detail says of each why."""

    slug, title, retryable = "providers-failed", "No provider answered", False

    def __init__(self, detail: str, reasons: Sequence[ProviderReason] = ()) -> None:
        super().__init__(detail)
        self.reasons = tuple(reasons)


class UnavailableError(PerdureError):
    """A part of Perdure (database, Temporal, storage) does not answer right now."""

    slug, title, status, retryable = "unavailable", "Temporarily unavailable", 503, True


class ProviderUnavailableError(PerdureError):
    """The feature has no local form and no provider is configured."""

    slug, title, status = "provider-unavailable", "Provider not configured", 503


class SealedValueError(PerdureError):
    """A stored value was encrypted with another key or for another place, or is damaged."""

    slug, title, status = "sealed-value-unreadable", "Encrypted value cannot be read", 500


class ConfigurationError(PerdureError):
    """The process may not run like this: unsafe role, missing extension, old schema. Names the remedy."""

    slug, title, status = "configuration-error", "Unsafe or incomplete configuration", 500
