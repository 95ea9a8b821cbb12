"""Who is asked for what: the providers there are, the candidates of an organisation, and their order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

BUILT_IN_MODEL = "extractive-1"


class Capability(StrEnum):
    """What can be routed. `generate` is text: answers, extraction, stages of classification."""

    GENERATE = "generate"
    EMBED = "embed"


class ProviderName(StrEnum):
    """Providers by their names in the registry."""

    EXTRACTIVE = "extractive"
    OPENAI = "openai"
    ANTHROPIC = "anthropic"
    OPENAI_COMPATIBLE = "openai_compatible"


class Strategy(StrEnum):
    """In which order the candidates are asked."""

    ORDER = "order"
    CHEAPEST = "cheapest"
    FASTEST = "fastest"


@dataclass(frozen=True)
class Candidate:
    """Whom to ask: a model, with a key of the organisation, or without one with that of the installation."""

    provider: ProviderName
    model: str
    key_id: str | None = None

    @property
    def circuit(self) -> str:
        """What fails together: a provider, or one server of those that only speak like one."""
        if self.provider is ProviderName.OPENAI_COMPATIBLE:
            return f"{self.provider}/{self.key_id or 'environment'}"
        return str(self.provider)


BUILT_IN = Candidate(ProviderName.EXTRACTIVE, BUILT_IN_MODEL)


def ranked(
    candidates: Sequence[Candidate],
    strategy: Strategy,
    *,
    costs: Mapping[Candidate, Decimal] | None = None,
    latencies_ms: Mapping[Candidate, float] | None = None,
) -> list[Candidate]:
    """The candidates, each once, in the order in which they are asked.

    Those of which the strategy knows nothing come last; among equals the given order decides, so that the same facts
    always give the same order. The built-in model costs nothing and answers at once, but only quotes: it stays the
    last resort unless the order says otherwise.
    """
    once = list(dict.fromkeys(candidates))
    if strategy is Strategy.ORDER:
        return once
    known: Mapping[Candidate, Decimal | float] = (
        (costs or {}) if strategy is Strategy.CHEAPEST else (latencies_ms or {})
    )
    return sorted(
        once,
        key=lambda one: (
            one.provider is ProviderName.EXTRACTIVE,
            one not in known,
            Decimal(known.get(one, 0)),
        ),
    )
