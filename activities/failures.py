"""Our errors as Temporal sees them."""

from collections.abc import Iterator
from contextlib import contextmanager

from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from perdure.errors import DocumentRejectedError, PerdureError, ProviderError, QuotaExceededError


@contextmanager
def failures() -> Iterator[None]:
    """Turn a PerdureError into an ApplicationError of its type; everything else passes and is retried."""
    try:
        yield
    except PerdureError as error:
        raise application_error(error) from error


def may_pass(error: PerdureError) -> bool:
    """Whether trying again can help."""
    return error.passes if isinstance(error, ProviderError) else error.retryable


def application_error(error: PerdureError) -> ApplicationError:
    """One of our errors, with its type and whether trying again can help."""
    translated = ApplicationError(
        str(error),
        type=error.reason if isinstance(error, DocumentRejectedError | ProviderError) else error.slug,
        non_retryable=not may_pass(error),
        next_retry_delay=error.retry_after if isinstance(error, QuotaExceededError | ProviderError) else None,
        # What is wrong with a document is an answer, not an alarm.
        category=ApplicationErrorCategory.BENIGN
        if isinstance(error, DocumentRejectedError)
        else ApplicationErrorCategory.UNSPECIFIED,
    )
    translated.__cause__, translated.__traceback__ = error.__cause__, error.__traceback__
    return translated
