"""Providers of models, keys, routing, budgets and usage, as HTTP and the workflows see them."""

from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, PlainSerializer, SecretStr, StringConstraints

from perdure.domain.budgets import BudgetState
from perdure.domain.routing import Capability, ProviderName, Strategy
from perdure.schemas.base import Contract, Id, Instant, RequestBody

LONGEST_KEY = 2048
MOST_CANDIDATES = 20

ModelName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
KeyName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
BaseUrl = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=2000),
    Field(description="Address of the server up to and with its version, such as `https://llm.example/v1`."),
]
KeyValue = Annotated[
    SecretStr,
    Field(
        min_length=1,
        max_length=LONGEST_KEY,
        description="The key itself: encrypted at once, never shown again, kept out of logs.",
    ),
]
PerMinute = Annotated[int, Field(ge=1, le=1_000_000)]
Dollars = Annotated[
    Decimal,
    # As a number, as exactly as a double says it.
    PlainSerializer(float, return_type=float, when_used="json"),
]
BudgetDollars = Annotated[Dollars, Field(ge=0, le=100_000_000, decimal_places=2)]


class KeySource(StrEnum):
    """Where the key of a provider comes from."""

    BUILT_IN = "built_in"
    ENVIRONMENT = "environment"
    ORGANISATION = "organisation"


class ProviderRead(Contract):
    """A provider, and what would enable it."""

    name: ProviderName
    title: str
    capabilities: list[Capability]
    configured: bool
    source: KeySource | None = Field(description="Null when it is not configured.")
    needs: list[str] = Field(description="What would enable it: names of variables, or a key.")
    models: list[str] = Field(default_factory=list, description="Models that are asked by default.")


class ProviderList(Contract):
    """All providers there are."""

    items: list[ProviderRead]


class ProviderKeyCreate(RequestBody):
    """A key at a provider."""

    provider: Literal[ProviderName.OPENAI, ProviderName.ANTHROPIC, ProviderName.OPENAI_COMPATIBLE]
    name: KeyName = Field(description="Unique among the organisation's keys; for people.")
    value: KeyValue | None = Field(
        default=None, description="Left out only for a server that wants none (`openai_compatible`)."
    )
    base_url: BaseUrl | None = Field(default=None, description="Needed for `openai_compatible`.")
    default_model: ModelName | None = Field(
        default=None, description="Asked unless the routing says otherwise. Needed for `openai_compatible`."
    )
    requests_per_minute: PerMinute | None = Field(
        default=None, description="Calls that all workers together send with it; null is no limit of ours."
    )


class ProviderKeyUpdate(RequestBody):
    """Changes of a key; what is left out stays. `value` replaces the key itself."""

    name: KeyName | None = None
    value: KeyValue | None = None
    base_url: BaseUrl | None = None
    default_model: ModelName | None = None
    requests_per_minute: PerMinute | None = None


class ProviderKeyRead(Contract):
    """A key, without its value."""

    id: str
    provider: ProviderName
    name: str
    base_url: str | None
    default_model: str | None
    last_four: str | None = Field(description="The end of the value; null when the value is short.")
    requests_per_minute: int | None
    created_by: str | None = Field(description="Null when that user is gone.")
    created_at: Instant
    updated_at: Instant
    tested_at: Instant | None
    test_outcome: str | None = Field(description="`ok`, or the reason why the last test failed.")
    revoked_at: Instant | None


class KeyTestRead(Contract):
    """What became of a test: one small call."""

    ok: bool
    provider: ProviderName
    model: str
    latency_ms: float
    reason: str | None = None
    detail: str | None = None


class CandidateBody(RequestBody):
    """Whom to ask."""

    provider: ProviderName
    model: ModelName
    key_id: Id | None = Field(
        default=None, description="Null: the installation's key, or none (`extractive`)."
    )


class RouteBody(RequestBody):
    """Who is asked for a capability, and in which order."""

    strategy: Strategy = Strategy.ORDER
    candidates: list[CandidateBody] = Field(default_factory=list, max_length=MOST_CANDIDATES)


class RoutingUpdate(RequestBody):
    """Routes of capabilities: one that is left out stays, one that is null goes back to the default."""

    generate: RouteBody | None = None
    embed: RouteBody | None = None


class RouteRead(Contract):
    """Who is asked for a capability."""

    strategy: Strategy
    candidates: list[CandidateBody] = Field(
        description="In the order that is given; the strategy may differ."
    )
    is_default: bool = Field(
        description="Whether nobody has said anything: every key there is, oldest first."
    )


class RoutingRead(Contract):
    """Routes of all capabilities."""

    generate: RouteRead
    embed: RouteRead


class BudgetUpdate(RequestBody):
    """What may be spent in a calendar month (UTC); null is no limit."""

    soft_usd: BudgetDollars | None = None
    hard_usd: BudgetDollars | None = None


class BudgetRead(Contract):
    """A budget, and what of it is spent."""

    soft_usd: Dollars | None
    hard_usd: Dollars | None
    spent_usd: Dollars = Field(description="This month, as far as prices are known.")
    month: date = Field(description="Its first day.")
    resets_at: Instant
    state: BudgetState


class UsageGroup(StrEnum):
    """What usage is added up by."""

    PROVIDER = "provider"
    MODEL = "model"
    OPERATION = "operation"
    KIND = "kind"
    """Kind of operation."""
    DAY = "day"


class UsageItem(Contract):
    """Calls of one group. Costs count calls whose price is known."""

    group: str = Field(description="Empty where calls have none: outside of operations.")
    calls: int
    failed: int
    unpriced: int = Field(default=0, description="Calls that answered and whose price is not known.")
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cost_usd: Dollars
    p50_ms: float | None = Field(description="Of calls that answered; null when none did.")
    p95_ms: float | None


class UsageRead(Contract):
    """What calls of models took between two instants."""

    group_by: UsageGroup
    items: list[UsageItem] = Field(description="The dearest first, days in their order; at most 1,000.")
    total: UsageItem
    budget: BudgetRead
