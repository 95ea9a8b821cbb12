"""What calls of models took: one row for each, and what they add up to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncSession

from perdure.db.models import AIProcessingLogRow
from perdure.domain.ids import new_id
from perdure.domain.routing import Candidate, Capability
from perdure.ports.language_models import TokenUsage
from perdure.schemas.providers import UsageGroup, UsageItem

OK = "ok"
_MOST_GROUPS = 1_000
# What is called fast: the middle one of so many answers of late.
RECENT_DAYS, RECENT_CALLS, FEWEST_CALLS = 7, 50, 3

_GROUPS: Mapping[UsageGroup, str] = {
    UsageGroup.PROVIDER: "provider",
    UsageGroup.MODEL: "provider || '/' || model",
    UsageGroup.OPERATION: "COALESCE(operation_id, '')",
    UsageGroup.KIND: "COALESCE(operation_kind, '')",
    UsageGroup.DAY: "to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD')",
}
_SUMS = """
    count(*) AS calls,
    count(*) FILTER (WHERE outcome <> 'ok') AS failed,
    count(*) FILTER (WHERE outcome = 'ok' AND cost_usd IS NULL) AS unpriced,
    COALESCE(sum(input_tokens), 0) AS input_tokens,
    COALESCE(sum(output_tokens), 0) AS output_tokens,
    COALESCE(sum(cached_tokens), 0) AS cached_tokens,
    COALESCE(sum(cost_usd), 0) AS cost_usd,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY latency_ms) FILTER (WHERE outcome = 'ok') AS p50_ms,
    percentile_cont(0.95) WITHIN GROUP (ORDER BY latency_ms) FILTER (WHERE outcome = 'ok') AS p95_ms
"""
_WHERE = "organisation_id = :organisation_id AND at >= :since AND at < :until"
_MEDIANS = text(
    """
    SELECT asked.number, count(recent.latency_ms) AS calls,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY recent.latency_ms) AS p50_ms
    FROM unnest(CAST(:numbers AS int[]), CAST(:providers AS text[]), CAST(:models AS text[]), CAST(:keys AS text[]))
        AS asked (number, provider, model, key_id)
    CROSS JOIN LATERAL (
        SELECT l.latency_ms FROM ai_processing_logs l
        WHERE l.organisation_id = :organisation_id AND l.provider = asked.provider AND l.model = asked.model
            AND l.key_id IS NOT DISTINCT FROM asked.key_id AND l.capability = :capability AND l.outcome = 'ok'
            AND l.at > now() - make_interval(days => :days)
        ORDER BY l.at DESC LIMIT :calls
    ) recent
    GROUP BY asked.number
    """
)


@dataclass(frozen=True)
class CallRecord:
    """One call, as it is logged. `model` is the one that was asked for; no text stands in it."""

    capability: Capability
    purpose: str
    candidate: Candidate
    operation_id: str | None
    operation_kind: str | None
    usage: TokenUsage
    cost_usd: Decimal | None
    latency_ms: float
    outcome: str


class UsageRepository:
    """Reads and writes the organisation's calls; the caller owns the transaction."""

    def __init__(self, session: AsyncSession, organisation_id: str) -> None:
        self._session, self._organisation_id = session, organisation_id

    async def write(self, call: CallRecord) -> None:
        """Log a call."""
        await self._session.execute(
            insert(AIProcessingLogRow).values(
                id=new_id("ail"),
                organisation_id=self._organisation_id,
                capability=call.capability.value,
                purpose=call.purpose,
                provider=call.candidate.provider.value,
                model=call.candidate.model,
                key_id=call.candidate.key_id,
                operation_id=call.operation_id,
                operation_kind=call.operation_kind,
                input_tokens=call.usage.input,
                output_tokens=call.usage.output,
                cached_tokens=call.usage.cached,
                cost_usd=call.cost_usd,
                latency_ms=call.latency_ms,
                outcome=call.outcome,
            )
        )

    async def usage(
        self, group_by: UsageGroup, since: datetime, until: datetime
    ) -> tuple[list[UsageItem], UsageItem]:
        """Calls from `since` to before `until` by group, and all of them."""
        order = "1" if group_by is UsageGroup.DAY else "cost_usd DESC, calls DESC, 1"
        grouped = text(
            f'SELECT {_GROUPS[group_by]} AS "group", {_SUMS} FROM ai_processing_logs WHERE {_WHERE} '
            f"GROUP BY 1 ORDER BY {order} LIMIT {_MOST_GROUPS}"
        )
        whole = text(f"SELECT '' AS \"group\", {_SUMS} FROM ai_processing_logs WHERE {_WHERE}")
        values = {"organisation_id": self._organisation_id, "since": since, "until": until}
        rows = (await self._session.execute(grouped, values)).mappings().all()
        total = (await self._session.execute(whole, values)).mappings().one()
        return [UsageItem.model_validate(dict(row)) for row in rows], UsageItem.model_validate(dict(total))

    async def medians_ms(
        self, capability: Capability, candidates: Sequence[Candidate]
    ) -> dict[Candidate, float]:
        """How long the middle one of recent answers took, of those who have given a few."""
        listed = list(enumerate(candidates))
        rows = await self._session.execute(
            _MEDIANS,
            {
                "numbers": [number for number, _ in listed],
                "providers": [one.provider.value for _, one in listed],
                "models": [one.model for _, one in listed],
                "keys": [one.key_id for _, one in listed],
                "organisation_id": self._organisation_id,
                "capability": capability.value,
                "days": RECENT_DAYS,
                "calls": RECENT_CALLS,
            },
        )
        return {candidates[row.number]: row.p50_ms for row in rows if row.calls >= FEWEST_CALLS}
