"""Anthropic's messages."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from perdure.errors import ProviderError, ProviderReason
from perdure.ports.language_models import Capabilities, Finish, Generation, Prompt, TokenUsage
from perdure.providers.prompts import system_text
from perdure.providers.public_only import public_client
from perdure.providers.sdk_failures import sdk_failures
from perdure.providers.structured_output import held_to_schema

if TYPE_CHECKING:
    from anthropic.types import MessageDeltaUsage, Usage

TIMEOUT = timedelta(minutes=2)
_FINISHES = {"max_tokens": Finish.LENGTH, "model_context_window_exceeded": Finish.LENGTH}
_PROVIDER = "anthropic"


class AnthropicLanguageModel:
    """See `perdure.ports.language_models.LanguageModel`. Thread-safe no; for one event loop."""

    def __init__(
        self, name: str, key: str, base_url: str | None = None, *, timeout: timedelta = TIMEOUT,
        public_only: bool = False,
    ) -> None:  # fmt: skip
        import anthropic  # noqa: PLC0415  # seconds, and 100 MB: for those who have a key

        self.provider, self.name, self.capabilities = _PROVIDER, name, Capabilities()
        self._sdk, self._key = anthropic, key
        self._client = anthropic.AsyncAnthropic(
            api_key=key,
            # Else it would be looked for in the environment of the process.
            base_url=base_url or "https://api.anthropic.com",
            timeout=timeout.total_seconds(),
            max_retries=0,
            http_client=public_client(anthropic) if public_only else None,
        )

    async def generate(self, prompt: Prompt) -> Generation:
        """See the port."""
        return await held_to_schema(_PROVIDER, self._ask, prompt)

    async def stream(self, prompt: Prompt) -> AsyncIterator[str | Generation]:
        """See the port."""
        said: list[str] = []
        finish, model, usage = None, self.name, TokenUsage()
        with sdk_failures(_PROVIDER, self._sdk, self._key):
            events = await self._client.messages.create(**self._request(prompt), stream=True)
        with sdk_failures(_PROVIDER, self._sdk, self._key, reading=True):
            async with events:
                async for event in events:
                    if event.type == "message_start":
                        model, usage = event.message.model, _usage(event.message.usage)
                    elif event.type == "content_block_delta" and event.delta.type == "text_delta":
                        said.append(event.delta.text)
                        yield event.delta.text
                    elif event.type == "message_delta":
                        finish = event.delta.stop_reason
                        usage = _usage(event.usage, usage)
        if finish is None:
            detail = "the stream ended in the middle of the answer"
            raise ProviderError(_PROVIDER, ProviderReason.CUT_OFF, detail)
        self._not_refused(finish)
        yield Generation("".join(said), model, usage, _FINISHES.get(finish, Finish.COMPLETE))

    async def aclose(self) -> None:
        """See the port."""
        await self._client.close()

    async def _ask(self, prompt: Prompt) -> Generation:
        with sdk_failures(_PROVIDER, self._sdk, self._key):
            answer = await self._client.messages.create(**self._request(prompt))
        if not isinstance(getattr(answer, "content", None), list):
            raise ProviderError(_PROVIDER, ProviderReason.MALFORMED, "an answer without content")
        self._not_refused(answer.stop_reason)
        return Generation(
            "".join(block.text for block in answer.content if block.type == "text"),
            answer.model,
            _usage(answer.usage),
            _FINISHES.get(answer.stop_reason or "", Finish.COMPLETE),
        )

    def _request(self, prompt: Prompt) -> dict[str, Any]:
        request: dict[str, Any] = {
            "model": self.name,
            "max_tokens": prompt.max_tokens,
            "messages": [{"role": turn.role, "content": turn.text} for turn in prompt.turns],
        }
        if system := system_text(prompt):
            request["system"] = system
        if prompt.temperature is not None:
            request["temperature"] = prompt.temperature
        if prompt.schema is not None:
            request["output_config"] = {"format": {"type": "json_schema", "schema": dict(prompt.schema)}}
        return request

    @staticmethod
    def _not_refused(finish: str | None) -> None:
        if finish == "refusal":
            detail = "the model does not want to answer this"
            raise ProviderError(_PROVIDER, ProviderReason.REFUSED, detail)


def _usage(usage: "Usage | MessageDeltaUsage", before: TokenUsage = TokenUsage()) -> TokenUsage:  # noqa: B008
    """Anthropic does not count what it had seen before as input; the end of a stream may leave input out."""
    cached = usage.cache_read_input_tokens or 0
    read = (usage.input_tokens or 0) + cached + (usage.cache_creation_input_tokens or 0)
    return TokenUsage(read or before.input, usage.output_tokens, cached or before.cached)
