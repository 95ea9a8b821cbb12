"""Models as activities ask them: the organisation's routing, keys, limits and budget, and one policy of failure."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from perdure.domain.routing import ProviderName
from perdure.errors import ProviderReason
from perdure.ports.language_models import Generation, Prompt


@dataclass(frozen=True)
class ModelCall:
    """For whom, and for what, a model is asked. `purpose` is a word for the log, never a text."""

    organisation_id: str
    operation_id: str | None
    operation_kind: str | None
    purpose: str
    schema_required: bool = False
    """Whether only those are asked who follow a schema: the built-in model does not."""


@dataclass(frozen=True)
class Failure:
    """Why one of those who were asked did not answer."""

    provider: ProviderName
    model: str
    reason: ProviderReason
    detail: str
    key_id: str | None = None
    count: int = 1


@dataclass(frozen=True)
class Answered:
    """An answer, who gave it, and what it took. `cost` is None when the price is not known."""

    generation: Generation
    provider: ProviderName
    model: str
    key_id: str | None
    cost: Decimal | None
    latency_ms: float
    failures: Sequence[Failure] = field(default=())


class RoutedLanguageModels:
    """Asks whom the organisation's routing says, one after the other, inside an activity."""

    async def configured(self, organisation_id: str) -> bool:
        """Whether anything but the built-in model would be asked."""
        raise NotImplementedError

    async def generate(self, call: ModelCall, prompt: Prompt) -> Answered:
        """The whole answer of the first who gives one."""
        raise NotImplementedError

    def stream(self, call: ModelCall, prompt: Prompt) -> AsyncIterator[str | Answered]:
        """The text piece by piece as it comes, then the whole. Once text has come, nobody else is asked."""
        raise NotImplementedError
