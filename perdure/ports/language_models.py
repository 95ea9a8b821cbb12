"""The port of language models: what they are asked, what they answer, and how they fail."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal, Protocol


@dataclass(frozen=True)
class Turn:
    """One turn of a conversation, oldest first."""

    role: Literal["user", "assistant"]
    text: str


@dataclass(frozen=True)
class Source:
    """A text that answers may rest on."""

    id: str
    text: str
    title: str | None = None


@dataclass(frozen=True)
class Prompt:
    """What a model is asked; the last turn is the user's.

    With a `schema` (JSON Schema of an object) the answer is a JSON text, and `Generation.value` what it says.
    """

    turns: Sequence[Turn]
    system: str = ""
    sources: Sequence[Source] = ()
    schema: Mapping[str, Any] | None = None
    max_tokens: int = 1024
    temperature: float | None = None


@dataclass(frozen=True)
class TokenUsage:
    """Tokens as the provider counts them. `cached` is the part of `input` that it had seen before."""

    input: int = 0
    output: int = 0
    cached: int = 0

    def __add__(self, other: "TokenUsage") -> "TokenUsage":
        return TokenUsage(self.input + other.input, self.output + other.output, self.cached + other.cached)


class Finish(StrEnum):
    """Why an answer ends."""

    COMPLETE = "complete"
    LENGTH = "length"
    """`max_tokens` are used up."""


@dataclass(frozen=True)
class Citation:
    """Characters `[start, end)` of a source that the answer rests on."""

    source_id: str
    start: int
    end: int


@dataclass(frozen=True)
class Generation:
    """A whole answer. `model` is the name that the provider gives in it."""

    text: str
    model: str
    usage: TokenUsage
    finish: Finish = Finish.COMPLETE
    value: Any = None
    citations: Sequence[Citation] = ()
    calls: int = 1
    """Requests that it took: two when the first answer did not fit the schema."""


@dataclass(frozen=True)
class Capabilities:
    """What a model takes."""

    schema: bool = True
    """Whether the provider itself holds the answer to a schema."""
    local: bool = False
    """Whether it runs here: no key, no network, no cost."""


class LanguageModel(Protocol):
    """A model of a provider. Every failure is a `ProviderError`; nothing is tried twice in here."""

    @property
    def provider(self) -> str:
        """The provider's name in the registry."""

    @property
    def name(self) -> str:
        """The model's name at the provider."""

    @property
    def capabilities(self) -> Capabilities:
        """What it takes."""

    async def generate(self, prompt: Prompt) -> Generation:
        """The whole answer at once."""

    def stream(self, prompt: Prompt) -> AsyncIterator[str | Generation]:
        """The text piece by piece as it comes, then the whole. Not to be used with a schema."""

    async def aclose(self) -> None:
        """Close connections."""
