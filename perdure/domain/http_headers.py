"""Which headers a workflow's request may have: none that decide where it goes or where it ends."""

import re
from collections.abc import Mapping

from perdure.errors import FieldError, InvalidInputError

MAX_HEADERS = 50
MAX_SECRET_HEADERS = 10
MAX_VALUE = 4_096
IDEMPOTENCY_KEY = "Idempotency-Key"
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
# No line ends, or a value would begin another header; what is no Latin letter has no encoding there.
_VALUE = re.compile(r"[\x20-\x7e\xa0-\xff\t]*")
_OURS = frozenset(
    (
        *("host", "content-length", "transfer-encoding", "connection", "keep-alive", "upgrade", "te"),
        *("trailer", "expect", "proxy-authorization", "proxy-connection", "accept-encoding"),
        *("idempotency-key", "user-agent"),
    )
)


def checked_headers(given: Mapping[str, object], pointer: str) -> dict[str, str]:
    """The headers; InvalidInputError names each that cannot be sent."""
    faults = [
        FieldError(f"{pointer}/{str(name)[:100]}", fault)
        for name, value in given.items()
        if (fault := header_fault(str(name), value))
    ]
    if len(given) > MAX_HEADERS:
        faults.append(FieldError(pointer, f"are {len(given)}; at most {MAX_HEADERS} are sent"))
    if faults:
        detail = "; ".join(f"{one.pointer} {one.detail}" for one in faults[:5])
        raise InvalidInputError(f"The request's headers cannot be sent: {detail}", faults)
    return {str(name): str(value) for name, value in given.items()}


def header_fault(name: str, value: object) -> str | None:
    """What is wrong with one header."""
    if not _NAME.fullmatch(name):
        return "is no name of a header"
    if name.lower() in _OURS:
        return "is set by Perdure; leave it out"
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return "must be text or a number"
    if len(str(value)) > MAX_VALUE or not _VALUE.fullmatch(str(value)):
        return f"must be one line of at most {MAX_VALUE} characters of Latin-1"
    return None
