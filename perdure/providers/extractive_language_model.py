"""The built-in model: it says what stands in the sources, word for word, and where."""

from collections.abc import AsyncIterator

from perdure.domain.extraction import excerpts
from perdure.errors import ProviderError, ProviderReason
from perdure.ports.language_models import Capabilities, Citation, Generation, Prompt, TokenUsage

PROVIDER, NAME = "extractive", "extractive-1"
_MOST_SENTENCES = 5
_NOTHING = "The sources do not answer this."


class ExtractiveLanguageModel:
    """See `perdure.ports.language_models.LanguageModel`. Needs no key and no network; thread-safe."""

    def __init__(self) -> None:
        self.provider, self.name = PROVIDER, NAME
        self.capabilities = Capabilities(schema=False, local=True)

    async def generate(self, prompt: Prompt) -> Generation:
        """See the port. A schema is refused: whoever asks for structure has local methods of its own."""
        if prompt.schema is not None:
            detail = "the built-in model quotes sentences and follows no schema; configure a provider"
            raise ProviderError(PROVIDER, ProviderReason.INVALID_REQUEST, detail)
        question = prompt.turns[-1].text if prompt.turns else ""
        found = excerpts(question, [source.text for source in prompt.sources], _MOST_SENTENCES)
        text = " ".join(f"{one.text} [{one.source + 1}]" for one in found)
        citations = [Citation(prompt.sources[one.source].id, one.start, one.end) for one in found]
        return Generation(text or _NOTHING, NAME, TokenUsage(), citations=citations)

    async def stream(self, prompt: Prompt) -> AsyncIterator[str | Generation]:
        """See the port."""
        answer = await self.generate(prompt)
        yield answer.text
        yield answer

    async def aclose(self) -> None:
        """See the port."""
