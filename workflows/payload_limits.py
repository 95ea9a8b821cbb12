"""What is too large for Temporal is refused with an error of ours, where it can still be told to somebody.

A payload that the server refuses fails a workflow task, and that is tried again for ever.
"""

from collections.abc import Sequence
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.common import RawValue
from temporalio.contrib.pydantic import PydanticPayloadConverter
from temporalio.converter import CompositePayloadConverter, DefaultFailureConverter, PayloadConverter

from activities.failures import application_error
from perdure.errors import PayloadTooLargeError, PerdureError
from perdure.settings import MEBIBYTE
from workflows.payload_codec import is_encrypted, unreadable
from workflows.payload_storage import is_reference

# One payload, before compression: a text of 64 MiB even if JSON escapes all of its characters. A worker holds
# several copies of it for a moment.
MAX_PAYLOAD_BYTES = 128 * MEBIBYTE


# They keep nothing, so one of each will do: the SDK makes a converter of values for each activation of a workflow.
_CONVERTERS = tuple(PydanticPayloadConverter().converters.values())


class GuardedPayloadConverter(PydanticPayloadConverter):
    """Converts by pydantic, up to a size. Runs in workflow code too, where the error ends the workflow."""

    def __init__(self) -> None:
        CompositePayloadConverter.__init__(self, *_CONVERTERS)

    def to_payloads(self, values: Sequence[Any]) -> list[Payload]:
        """See `PayloadConverter`."""
        payloads = super().to_payloads(values)
        for payload, value in zip(payloads, values, strict=True):
            if payload.ByteSize() > MAX_PAYLOAD_BYTES:
                detail = (
                    f"{type(value).__name__} takes {payload.ByteSize()} bytes as a payload; a workflow carries at "
                    f"most {MAX_PAYLOAD_BYTES}. Store it as an object and hand on its key."
                )
                raise PayloadTooLargeError(detail)
        return payloads

    def from_payloads(
        self, payloads: Sequence[Payload], type_hints: list[type[Any]] | None = None
    ) -> list[Any]:
        """See `PayloadConverter`. What nobody could read is a value for those only who take it as it is."""
        for index, payload in enumerate(payloads):
            hint = type_hints[index] if type_hints and index < len(type_hints) else None
            if hint is not RawValue and (is_encrypted(payload) or is_reference(payload)):
                raise unreadable(payload)
        return super().from_payloads(payloads, type_hints)


class EncodedFailureConverter(DefaultFailureConverter):
    """Messages and stack traces become payloads, which are encrypted; our errors keep their type."""

    def __init__(self) -> None:
        super().__init__(encode_common_attributes=True)

    def to_failure(
        self, exception: BaseException, payload_converter: PayloadConverter, failure: Failure
    ) -> None:
        """See `FailureConverter`."""
        if isinstance(exception, PerdureError):
            exception = application_error(exception)
        super().to_failure(exception, payload_converter, failure)
