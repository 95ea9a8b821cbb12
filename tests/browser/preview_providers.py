"""The pages of providers, routing, secrets and usage with invented content, extremes included."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from api.routes.console_budget_view import budget_view
from api.routes.console_providers import STRATEGIES, KeyView, ProviderView, route_view
from api.routes.console_secrets import NOTHING, SecretView
from api.routes.console_usage import Measure, Period, usage_context
from api.routes.providers import NEEDS, TITLES
from perdure.domain.budgets import Budget, ends_at
from perdure.domain.ids import new_id
from perdure.domain.provider_keys import CAPABILITIES
from perdure.domain.routing import BUILT_IN, Capability, ProviderName, Strategy
from perdure.schemas.encryption import SecretKind, SecretRead
from perdure.schemas.operations import OperationError, Progress
from perdure.schemas.providers import (
    BudgetRead,
    CandidateBody,
    KeySource,
    KeyTestRead,
    ProviderKeyRead,
    ProviderRead,
    RouteRead,
    UsageGroup,
    UsageItem,
    UsageRead,
)
from tests.browser.preview import LONG, Page, ago, common, operation, operation_page, operations

MONTH = date(2026, 11, 1)
ADDABLE = {name.value: title for name, title in TITLES.items() if name is not ProviderName.EXTRACTIVE}
SOURCES: dict[ProviderName, KeySource | None] = {
    ProviderName.EXTRACTIVE: KeySource.BUILT_IN,
    ProviderName.OPENAI: KeySource.ORGANISATION,
    ProviderName.ANTHROPIC: KeySource.ENVIRONMENT,
    ProviderName.OPENAI_COMPATIBLE: None,
}


def key(provider: ProviderName, name: str, **more: Any) -> ProviderKeyRead:
    values: dict[str, Any] = {
        "base_url": None,
        "default_model": None,
        "last_four": "x9Qz",
        "requests_per_minute": None,
        "tested_at": None,
        "test_outcome": None,
        **more,
    }
    return ProviderKeyRead(
        id=new_id("pky"),
        provider=provider,
        name=name,
        created_by="usr_1",
        created_at=ago(days=3),
        updated_at=ago(days=3),
        revoked_at=None,
        **values,
    )


KEYS = [
    key(ProviderName.OPENAI, "Team account", tested_at=ago(minutes=2), test_outcome="ok"),
    key(ProviderName.ANTHROPIC, "Old account", tested_at=ago(hours=2), test_outcome="unauthorised"),
    key(
        ProviderName.OPENAI_COMPATIBLE,
        LONG[:100],
        base_url=f"https://models.{'long-' * 10}name.example.org/v1",
        default_model="meta-llama/Llama-3.3-70B-Instruct-AWQ-INT4-quantised-by-somebody",
        last_four=None,
    ),
]


def budget(spent: str = "4.2", soft: str | None = "20", hard: str | None = "50") -> BudgetRead:
    limits = Budget(Decimal(soft) if soft else None, Decimal(hard) if hard else None)
    return BudgetRead(
        soft_usd=limits.soft_usd,
        hard_usd=limits.hard_usd,
        spent_usd=Decimal(spent),
        month=MONTH,
        resets_at=ends_at(MONTH),
        state=limits.state(Decimal(spent)),
    )


def providers(*, sources: dict[ProviderName, KeySource | None], **more: Any) -> dict[str, Any]:
    read = [
        ProviderRead(
            name=name,
            title=TITLES[name],
            capabilities=list(CAPABILITIES[name]),
            configured=sources[name] is not None,
            source=sources[name],
            needs=NEEDS[name],
            models=["gpt-4.1-mini"] if name is ProviderName.OPENAI else [],
        )
        for name in ProviderName
    ]
    return {
        **common("providers"),
        "providers": [ProviderView(each) for each in read],
        "keys": [KeyView(each) for each in KEYS],
        "may_change": True,
        "addable": ADDABLE,
        "given": {"provider": "openai_compatible", "name": "", "default_model": "", "base_url": ""},
        "fault": None,
        "tested": None,
        "tested_name": "",
        "tested_remedy": "",
        "budget": None,
        **more,
    }


def nothing() -> dict[str, Any]:
    sources = dict.fromkeys(ProviderName) | {ProviderName.EXTRACTIVE: KeySource.BUILT_IN}
    return providers(sources=sources, keys=[], may_change=False)


def tested(*, ok: bool) -> dict[str, Any]:
    outcome = KeyTestRead(
        ok=ok,
        provider=ProviderName.OPENAI,
        model="gpt-4.1-mini-2025-04-14",
        latency_ms=412.0,
        reason=None if ok else "unauthorised",
        detail=None if ok else "openai: the key is not accepted (401)",
    )
    remedy = "" if ok else "See at the provider whether the key is still valid."
    state = budget_view(budget("21.5", hard=None) if ok else budget("51"))
    return providers(
        sources=SOURCES, tested=outcome, tested_name="Team account", tested_remedy=remedy, budget=state
    )


def routing(fault: str | None = None) -> dict[str, Any]:
    candidates = [
        *(CandidateBody(provider=each.provider, model=KeyView(each).model, key_id=each.id) for each in KEYS),
        CandidateBody(provider=ProviderName.ANTHROPIC, model="claude-haiku-4-5"),
        CandidateBody(provider=BUILT_IN.provider, model=BUILT_IN.model),
    ]
    chosen = RouteRead(strategy=Strategy.CHEAPEST, candidates=candidates, is_default=False)
    default = RouteRead(strategy=Strategy.ORDER, candidates=[], is_default=True)
    return {
        **common("routing"),
        "routes": [
            route_view(capability, route, KEYS, [ProviderName.ANTHROPIC])
            for capability, route in ((Capability.GENERATE, chosen), (Capability.EMBED, default))
        ],
        "strategies": STRATEGIES,
        "may_change": True,
        "budget": budget_view(budget()),
        "fault": fault,
        "told": "",
        "at": "generate" if fault else "",
    }


def secret(name: str, who: str = "Ada Lovelace", **more: Any) -> SecretView:
    values: dict[str, Any] = {"origin": "https://api.example.com", "last_four": "WXYZ", **more}
    read = SecretRead(
        id=new_id("sec"),
        name=name,
        kind=SecretKind.HTTP_HEADER,
        created_by="usr_1",
        created_at=ago(days=3),
        updated_at=values.pop("updated_at", ago(days=3)),
        **values,
    )
    return SecretView(read, who)


def secrets(views: list[SecretView], **more: Any) -> dict[str, Any]:
    return {
        **common("secrets"),
        "secrets": views,
        "may_change": True,
        "given": NOTHING,
        "fault": None,
        "at": "",
        "first_url": "/settings/secrets",
        "next_url": "/settings/secrets?cursor=x" if views else None,
        "is_first_page": True,
        **more,
    }


def refused_secret() -> dict[str, Any]:
    long = secret(
        "an-unbroken-name-" * 5,
        "a former member",
        origin=f"https://api.{'long-' * 10}name.example.org:8443",
        last_four=None,
        updated_at=ago(hours=2),
    )
    return secrets(
        [secret("crm"), long],
        fault="The value cannot be a header: it must be one line of at most 4096 characters of Latin-1.",
        at=long.secret.id,
    )


def item(group: str, number: int, cost: str | None = None) -> UsageItem:
    price = Decimal(cost) if cost else Decimal(number * number) / 700
    return UsageItem(
        group=group,
        calls=number * 37,
        failed=number % 4,
        unpriced=0 if price else number,
        input_tokens=number * 14_211,
        output_tokens=number * 3_009,
        cached_tokens=number % 3 * 800,
        cost_usd=price,
        p50_ms=412.7 + number if number else None,
        p95_ms=2_811.2 * number if number else None,
    )


def usage(group_by: UsageGroup, items: list[UsageItem], state: BudgetRead, **more: Any) -> dict[str, Any]:
    total = item("", sum(each.calls for each in items) // 37, str(sum(each.cost_usd for each in items)))
    read = UsageRead(group_by=group_by, items=items, total=total, budget=state)
    days = (MONTH, MONTH + timedelta(days=29))
    return {
        **common("usage"),
        **usage_context(read, Period.THIRTY, more.pop("measure", None), days),
        "may_change": True,
        "fault": None,
        "given": None,
        **more,
    }


def by_day() -> dict[str, Any]:
    items = [item(f"2026-11-{day:02}", (day * 7) % 11 + 1) for day in range(2, 30, 2)]
    return usage(UsageGroup.DAY, items, budget())


def by_model() -> dict[str, Any]:
    items = [
        item("openai/gpt-4.1-mini-2025-04-14", 9, "12345.67"),
        item("anthropic/claude-haiku-4-5", 5, "0.00042"),
        item(f"openai_compatible/{LONG[:120]}", 3, "0"),
        item("extractive/extractive-1", 1, "0").model_copy(update={"unpriced": 0}),
    ]
    given = {"soft_usd": "100", "hard_usd": "many"}
    fault = "Enter dollars, like 25 or 19.50, or nothing."
    return usage(UsageGroup.MODEL, items, budget("51"), fault=fault, given=given, measure=Measure.COST)


WAITING = operation(
    "Classify 12,000 reviews",
    "paused",
    "classify_batch",
    progress=Progress(done=8_211, total=12_000, step="answer_texts"),
    error=OperationError(
        type="budget-reached",
        detail="The organisation has spent US$ 51.00 of its US$ 50.00 for models this month.",
        step="answer_texts",
    ),
)

PAGES: dict[str, Page] = {
    "operations-budget": Page(
        "operations.html", lambda: operations([WAITING], budget=budget_view(budget("51")))
    ),
    "operation-waiting": Page("operation.html", lambda: operation_page(WAITING)),
    "providers": Page("settings_providers.html", lambda: providers(sources=SOURCES)),
    "providers-none": Page("settings_providers.html", nothing),
    "providers-works": Page("settings_providers.html", lambda: tested(ok=True)),
    "providers-fails": Page("settings_providers.html", lambda: tested(ok=False)),
    "routing": Page("settings_routing.html", routing),
    "routing-refused": Page("settings_routing.html", lambda: routing("It is in the list already.")),
    "secrets": Page("settings_secrets.html", refused_secret),
    "secrets-none": Page("settings_secrets.html", lambda: secrets([])),
    "secrets-reading": Page("settings_secrets.html", lambda: secrets([secret("crm")], may_change=False)),
    "usage-by-day": Page("settings_usage.html", by_day),
    "usage-by-model": Page("settings_usage.html", by_model),
    "usage-none": Page("settings_usage.html", lambda: usage(UsageGroup.KIND, [], budget("0", None, None))),
}
