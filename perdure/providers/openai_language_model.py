"""OpenAI's chat completions, and every server that speaks them: Ollama, vLLM, llama.cpp and others by their URL."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from perdure.errors import ProviderError, ProviderReason
from perdure.ports.language_models import Capabilities, Finish, Generation, Prompt, TokenUsage
from perdure.providers.openai_client import openai_client
from perdure.providers.prompts import system_text
from perdure.providers.sdk_failures import sdk_failures
from perdure.providers.structured_output import held_to_schema

if TYPE_CHECKING:
    from openai.types import CompletionUsage

TIMEOUT = timedelta(minutes=2)
_FINISHES = {"length": Finish.LENGTH}


class OpenAILanguageModel:
    """See `perdure.ports.language_models.LanguageModel`. Thread-safe no; for one event loop."""

    def __init__(
        self, name: str, key: str, base_url: str | None = None, *, provider: str = "openai",
        timeout: timedelta = TIMEOUT, public_only: bool = False,
    ) -> None:  # fmt: skip
        self.provider, self.name, self.capabilities = provider, name, Capabilities()
        self._key, self._official = key, base_url is None
        self._sdk, self._client = openai_client(key, base_url, timeout, public_only=public_only)

    async def generate(self, prompt: Prompt) -> Generation:
        """See the port."""
        return await held_to_schema(self.provider, self._ask, prompt)

    async def stream(self, prompt: Prompt) -> AsyncIterator[str | Generation]:
        """See the port."""
        said: list[str] = []
        refused: list[str] = []
        finish, model, usage = None, self.name, TokenUsage()
        with sdk_failures(self.provider, self._sdk, self._key):
            chunks = await self._client.chat.completions.create(
                **self._request(prompt), stream=True, stream_options={"include_usage": True}
            )
        with sdk_failures(self.provider, self._sdk, self._key, reading=True):
            async with chunks:
                async for chunk in chunks:
                    model, usage = chunk.model or model, _usage(chunk.usage) or usage
                    for choice in chunk.choices:
                        finish = choice.finish_reason or finish
                        refused.append(choice.delta.refusal or "")
                        if choice.delta.content:
                            said.append(choice.delta.content)
                            yield choice.delta.content
        if finish is None:
            detail = "the stream ended in the middle of the answer"
            raise ProviderError(self.provider, ProviderReason.CUT_OFF, detail)
        self._not_refused("".join(refused), finish)
        yield Generation("".join(said), model, usage, _FINISHES.get(finish, Finish.COMPLETE))

    async def aclose(self) -> None:
        """See the port."""
        await self._client.close()

    async def _ask(self, prompt: Prompt) -> Generation:
        with sdk_failures(self.provider, self._sdk, self._key):
            answer = await self._client.chat.completions.create(**self._request(prompt))
        # Servers of others answer with all kinds of things.
        if not getattr(answer, "choices", None) or answer.choices[0].message is None:
            detail = "an answer without a message"
            raise ProviderError(self.provider, ProviderReason.MALFORMED, detail)
        choice = answer.choices[0]
        self._not_refused(choice.message.refusal or "", choice.finish_reason)
        return Generation(
            choice.message.content or "",
            answer.model or self.name,
            _usage(answer.usage) or TokenUsage(),
            _FINISHES.get(choice.finish_reason, Finish.COMPLETE),
        )

    def _request(self, prompt: Prompt) -> dict[str, Any]:
        system = system_text(prompt)
        messages = [{"role": "system", "content": system}] if system else []
        messages += [{"role": turn.role, "content": turn.text} for turn in prompt.turns]
        request: dict[str, Any] = {"model": self.name, "messages": messages}
        # OpenAI's newer models refuse the older name, servers of others know only that one.
        request["max_completion_tokens" if self._official else "max_tokens"] = prompt.max_tokens
        if prompt.temperature is not None:
            request["temperature"] = prompt.temperature
        if prompt.schema is not None:
            schema = {"name": "answer", "schema": dict(prompt.schema)}
            request["response_format"] = {"type": "json_schema", "json_schema": schema}
        return request

    def _not_refused(self, words: str, finish: str) -> None:
        if words or finish == "content_filter":
            detail = f"refused: {words[:300]}" if words else "refused by its content filter"
            raise ProviderError(self.provider, ProviderReason.REFUSED, detail)


def _usage(usage: "CompletionUsage | None") -> TokenUsage | None:
    if usage is None:
        return None
    details = usage.prompt_tokens_details
    return TokenUsage(
        usage.prompt_tokens, usage.completion_tokens, (details.cached_tokens or 0) if details else 0
    )
