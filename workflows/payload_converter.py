"""The SDK's data converter, bound to a workflow without building all of it anew.

The SDK binds it for each payload, several times, and each time makes new converters of values and failures. Ours do not
depend on the workflow; only the codec does.
"""

from copy import copy
from dataclasses import dataclass
from typing import Any, Self

from temporalio.converter import (
    DataConverter,
    SerializationContext,
    StorageDriverStoreContext,
    WithSerializationContext,
)


@dataclass(frozen=True)
class BindableConverter(DataConverter):
    """Shares everything with what it is bound from but the codec, and where large payloads are kept for."""

    def with_context(self, context: SerializationContext) -> Self:
        """See `DataConverter`."""
        codec = self.payload_codec
        bound = codec.with_context(context) if isinstance(codec, WithSerializationContext) else codec
        return self if bound is codec else self._with(payload_codec=bound)

    def _with_store_context(self, store_ctx: StorageDriverStoreContext) -> Self:
        if self.external_storage is None:
            return self
        return self._with(
            external_storage=self.external_storage._with_store_context(store_ctx)
        )  # as the SDK does

    def _with(self, **parts: Any) -> Self:
        bound = copy(self)
        for name, part in parts.items():
            object.__setattr__(bound, name, part)
        return bound
