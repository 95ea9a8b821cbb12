"""Keys at providers that the operator gave to the whole installation."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from perdure.domain.provider_keys import ProviderKey
from perdure.domain.routing import ProviderName
from perdure.settings import Settings

# What would enable each provider for everybody.
VARIABLES: Mapping[ProviderName, tuple[str, ...]] = {
    ProviderName.OPENAI: ("OPENAI_API_KEY",),
    ProviderName.ANTHROPIC: ("ANTHROPIC_API_KEY",),
    ProviderName.OPENAI_COMPATIBLE: ("OPENAI_BASE_URL", "OPENAI_MODEL"),
}
_OPENAI_HOST = "api.openai.com"


def environment_keys(settings: Settings) -> dict[ProviderName, ProviderKey]:
    """The installation's keys. An OPENAI_BASE_URL that is not OpenAI's own makes it a server that speaks like it."""
    keys = {}
    url = settings.openai_base_url
    if url and urlsplit(url).hostname != _OPENAI_HOST:
        name = ProviderName.OPENAI_COMPATIBLE
        keys[name] = ProviderKey(name, settings.openai_api_key, url, settings.openai_model or None)
    elif settings.openai_api_key:
        name = ProviderName.OPENAI
        keys[name] = ProviderKey(name, settings.openai_api_key, None, settings.openai_model or None)
    if settings.anthropic_api_key:
        name = ProviderName.ANTHROPIC
        keys[name] = ProviderKey(
            name,
            settings.anthropic_api_key,
            settings.anthropic_base_url or None,
            settings.anthropic_model or None,
        )
    return keys
