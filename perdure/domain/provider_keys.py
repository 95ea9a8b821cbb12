"""Keys at providers: of an organisation, or of the installation."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from perdure.domain.addresses import DEFAULT_PORTS, AddressRules, check_url
from perdure.domain.routing import BUILT_IN_MODEL, Candidate, Capability, ProviderName
from perdure.errors import DocumentRejectedError, FieldError, InvalidInputError

# Asked when nobody has named a model: the small ones, which everybody with a key may use.
DEFAULT_MODELS: Mapping[tuple[ProviderName, Capability], str] = {
    (ProviderName.EXTRACTIVE, Capability.GENERATE): BUILT_IN_MODEL,
    (ProviderName.OPENAI, Capability.GENERATE): "gpt-4.1-mini",
    (ProviderName.OPENAI, Capability.EMBED): "text-embedding-3-small",
    (ProviderName.ANTHROPIC, Capability.GENERATE): "claude-haiku-4-5",
}
CAPABILITIES: Mapping[ProviderName, tuple[Capability, ...]] = {
    ProviderName.EXTRACTIVE: (Capability.GENERATE,),
    ProviderName.OPENAI: (Capability.GENERATE, Capability.EMBED),
    ProviderName.ANTHROPIC: (Capability.GENERATE,),
    ProviderName.OPENAI_COMPATIBLE: (Capability.GENERATE, Capability.EMBED),
}
_OFFICIAL_HOSTS = {ProviderName.OPENAI: "api.openai.com", ProviderName.ANTHROPIC: "api.anthropic.com"}
# A server of models may listen on any port that is not one of the system's services.
_PORTS = DEFAULT_PORTS | frozenset(range(1024, 65536))
PUBLIC_ONLY = AddressRules(ports=_PORTS)


@dataclass(frozen=True)
class ProviderKey:
    """A key as it is used. Without an id it is the installation's."""

    provider: ProviderName
    secret: str = field(repr=False)
    base_url: str | None = None
    default_model: str | None = None
    id: str | None = None
    requests_per_minute: int | None = None

    @property
    def is_official(self) -> bool:
        """Whether it goes to the provider itself, whose prices are known, and not to a server in its stead."""
        if self.provider is ProviderName.OPENAI_COMPATIBLE:
            return False
        return not self.base_url or urlsplit(self.base_url).hostname == _OFFICIAL_HOSTS[self.provider]

    def candidate(self, capability: Capability) -> Candidate | None:
        """Whom it asks unless somebody names a model; None when it knows no model for that."""
        model = self.default_model if capability is Capability.GENERATE else None
        model = model or DEFAULT_MODELS.get((self.provider, capability))
        return Candidate(self.provider, model, self.id) if model else None


def check_base_url(url: str, *, private: bool) -> None:
    """InvalidInputError unless it is an address that a provider's server may have; `private` lets inner ones pass."""
    try:
        parts = urlsplit(url)
        is_http = parts.scheme in {"http", "https"} and bool(parts.hostname) and "@" not in parts.netloc
        if not is_http or parts.query or parts.fragment:
            detail = "write it like https://llm.example/v1, without a user name, a query or a fragment"
            raise _refused(detail)
        if not private:
            check_url(url, PUBLIC_ONLY)
    except DocumentRejectedError as error:
        detail = (
            f"{error.detail} The operator may allow inner addresses with PERDURE_PROVIDER_PRIVATE_URLS=true."
        )
        raise _refused(detail) from error
    except ValueError as error:
        raise _refused(f"it cannot be read: {error}") from error


def _refused(detail: str) -> InvalidInputError:
    return InvalidInputError("The address cannot be used.", [FieldError("/base_url", detail)])
