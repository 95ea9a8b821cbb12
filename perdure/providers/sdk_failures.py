"""Failures of the official SDKs as ours. Those of OpenAI and Anthropic are made alike, and name them alike."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from types import ModuleType
from typing import Any

import httpx2

from perdure.errors import ProviderError, ProviderReason

_RATE_LIMITED = 429
_UNAUTHORISED = frozenset((401, 403))
_LATER = frozenset((408, 409, 425))
_REFUSED, _FAILED = 400, 500
_REFUSED_CODES = frozenset(("content_filter", "content_policy_violation", "ResponsibleAIPolicyViolation"))
_NO_CREDIT_CODES = frozenset(("insufficient_quota", "billing_hard_limit_reached", "billing_error"))
_REASONS = {
    "rate_limit_error": ProviderReason.RATE_LIMITED,
    "overloaded_error": ProviderReason.UNAVAILABLE,
    "api_error": ProviderReason.UNAVAILABLE,
    "server_error": ProviderReason.UNAVAILABLE,
    "timeout_error": ProviderReason.UNAVAILABLE,
    "authentication_error": ProviderReason.UNAUTHORISED,
    "permission_error": ProviderReason.UNAUTHORISED,
}
_LONGEST_WAIT = timedelta(hours=1)
_LONGEST_DETAIL = 300
# What looks like a key, whoever's it is: providers repeat them.
_KEY = re.compile(r"\b(?:sk|pk|rk|key|xai|gsk)[-_][\w*.-]{6,}")


@contextmanager
def sdk_failures(provider: str, sdk: ModuleType, key: str, *, reading: bool = False) -> Iterator[None]:
    """Raise whatever an SDK raises as a `ProviderError` that does not tell the key.

    `reading`: the answer had begun, so that a connection that fails cuts it off.
    """
    try:
        yield
    except ProviderError:
        raise
    except (sdk.APITimeoutError, httpx2.TimeoutException) as error:
        raise ProviderError(provider, ProviderReason.UNAVAILABLE, "no answer in time") from error
    except sdk.APIStatusError as error:
        raise _of_status(provider, error, key) from error
    except sdk.APIResponseValidationError as error:
        raise _malformed(provider, "an answer that is not in its own format") from error
    except (sdk.APIConnectionError, httpx2.HTTPError) as error:
        if reading:
            raise ProviderError(provider, ProviderReason.CUT_OFF, "the answer was cut off") from error
        raise ProviderError(provider, ProviderReason.UNAVAILABLE, "cannot be reached") from error
    except sdk.APIError as error:
        raise _of_event(provider, error, key) from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise _malformed(provider, "an answer that is no JSON") from error


def _malformed(provider: str, what: str) -> ProviderError:
    return ProviderError(provider, ProviderReason.MALFORMED, what)


def _of_event(provider: str, error: Any, key: str) -> ProviderError:
    """Told in the middle of a stream."""
    reason = _REASONS.get(_type_of(error.body), ProviderReason.UNAVAILABLE)
    return ProviderError(provider, reason, _detail(error, key))


def _of_status(provider: str, error: Any, key: str) -> ProviderError:
    status, code = error.status_code, str(getattr(error, "code", None) or _type_of(error.body))
    if status < _REFUSED:
        return _of_event(provider, error, key)
    if status in _UNAUTHORISED:
        # In our words: theirs repeat the key.
        return ProviderError(provider, ProviderReason.UNAUTHORISED, f"the key is not accepted ({status})")
    if code in _NO_CREDIT_CODES:
        return ProviderError(provider, ProviderReason.NO_CREDIT, _detail(error, key))
    if code in _REFUSED_CODES:
        return ProviderError(provider, ProviderReason.REFUSED, _detail(error, key))
    if status == _RATE_LIMITED or status in _LATER or status >= _FAILED:
        limited = status == _RATE_LIMITED
        reason = ProviderReason.RATE_LIMITED if limited else ProviderReason.UNAVAILABLE
        what = "too many requests (429)" if limited else f"failed with {status}"
        return ProviderError(provider, reason, what, _retry_after(error.response.headers))
    return ProviderError(provider, ProviderReason.INVALID_REQUEST, _detail(error, key))


def _type_of(body: object) -> str:
    """The type of an error as its body says it, with or without an envelope."""
    if not isinstance(body, dict):
        return ""
    inner = body.get("error")
    return str((inner if isinstance(inner, dict) else body).get("type") or "")


def _detail(error: Any, key: str) -> str:
    message = str(error.message)
    if key:
        message = message.replace(key, "\u2026")
    return _KEY.sub("\u2026", message)[:_LONGEST_DETAIL]


def _retry_after(headers: Any) -> timedelta | None:
    """In milliseconds, seconds or as a date; never longer than an hour."""
    try:
        if (milliseconds := headers.get("retry-after-ms")) is not None:
            wait = timedelta(milliseconds=float(milliseconds))
        elif (value := headers.get("retry-after")) is None:
            return None
        elif re.fullmatch(r"\d+(?:\.\d+)?", value.strip()):
            wait = timedelta(seconds=float(value))
        else:
            wait = parsedate_to_datetime(value) - datetime.now(UTC)
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(wait, timedelta(0)), _LONGEST_WAIT)
