"""Names of embedding models at providers: `openai:text-embedding-3-small@512`."""

import re
from dataclasses import dataclass

from perdure.domain.routing import ProviderName
from perdure.errors import FieldError, InvalidInputError

# What OpenAI's own models give when nobody asks for less.
NATURAL_DIMENSIONS = {
    "text-embedding-3-small": 1536,
    "text-embedding-3-large": 3072,
    "text-embedding-ada-002": 1536,
}
# Models that cannot give less.
_FIXED = frozenset({"text-embedding-ada-002"})
# PostgreSQL's vectors of half precision can be indexed up to here.
MAX_DIMENSION = 4000
_PROVIDERS = (ProviderName.OPENAI, ProviderName.OPENAI_COMPATIBLE)
_NAME = re.compile(
    r"(?P<provider>[a-z_]+):(?P<model>[A-Za-z0-9][\w.:/-]{0,149})(?:@(?P<dimension>\d{1,4}))?", re.A
)


@dataclass(frozen=True)
class RemoteModel:
    """An embedding model at a provider, and how many numbers its vectors have."""

    provider: ProviderName
    model: str
    dimension: int

    @property
    def name(self) -> str:
        """The one name of it: the dimension stands there unless the model has it by nature."""
        natural = self._natural == self.dimension
        return f"{self.provider}:{self.model}" + ("" if natural else f"@{self.dimension}")

    @property
    def asked_dimension(self) -> int | None:
        """What the provider is told: nothing where it is so by nature. Servers of others refuse to be told."""
        told = self.provider is ProviderName.OPENAI and self._natural != self.dimension
        return self.dimension if told else None

    @property
    def _natural(self) -> int | None:
        return NATURAL_DIMENSIONS.get(self.model) if self.provider is ProviderName.OPENAI else None


def remote_model(name: str) -> RemoteModel | None:
    """The model that a name means; None where no provider stands in it. InvalidInputError says what is wrong."""
    if ":" not in name:
        return None
    found = _NAME.fullmatch(name)
    if found is None or found["provider"] not in _PROVIDERS:
        raise _refused(
            f"'{name}' names no embedding model; write provider:model@dimension, where the provider is "
            f"{' or '.join(_PROVIDERS)}, such as openai:text-embedding-3-small@512"
        )
    provider, model = ProviderName(found["provider"]), found["model"]
    natural = NATURAL_DIMENSIONS.get(model) if provider is ProviderName.OPENAI else None
    dimension = int(found["dimension"]) if found["dimension"] else natural
    if dimension is None:
        raise _refused(
            f"'{name}' does not say how many numbers its vectors have: write {name}@768, or as many as it has"
        )
    if not 1 <= dimension <= MAX_DIMENSION:
        raise _refused(f"vectors of {dimension} numbers cannot be kept: 1 to {MAX_DIMENSION}")
    if natural is not None and (dimension > natural or (dimension < natural and model in _FIXED)):
        few = "" if model in _FIXED else "at most "
        raise _refused(f"vectors of {model} have {few}{natural} numbers, not {dimension}")
    return RemoteModel(provider, model, dimension)


def _refused(detail: str) -> InvalidInputError:
    return InvalidInputError(detail, [FieldError("/body/model", detail)])
