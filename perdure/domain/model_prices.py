"""What calls of models cost, by the offline list of genai-prices. What is not in it is not known: never a guess."""

from dataclasses import dataclass
from decimal import Decimal

from perdure.domain.routing import ProviderName

_PLACES = Decimal("0.00000001")


@dataclass(frozen=True)
class PricedModel:
    """A model where it is asked. `base_url` is given for servers that are not the provider's own."""

    provider: ProviderName
    model: str
    base_url: str | None = None


def price_of(
    priced: PricedModel, input_tokens: int, output_tokens: int, cached_tokens: int
) -> Decimal | None:
    """US dollars to eight places; None when the list has no such model. `cached_tokens` are part of the input."""
    if priced.provider is ProviderName.EXTRACTIVE:
        return Decimal(0)
    if priced.provider is ProviderName.OPENAI_COMPATIBLE and priced.base_url is None:
        return None
    # A fifth of a second and its list: for those who have a key.
    from genai_prices import Usage, calc_price  # noqa: PLC0415

    counted = Usage(
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cache_read_tokens=min(cached_tokens, input_tokens),
    )
    try:
        if priced.base_url is None:
            price = calc_price(counted, priced.model, provider_id=priced.provider.value)
        else:
            price = calc_price(counted, priced.model, provider_api_url=priced.base_url)
    except LookupError:
        return None
    return price.total_price.quantize(_PLACES)
