"""Finds providers that are not well, and says so once in a while; the caller owns the transaction."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from perdure.db.audit_trail import AuditTrail
from perdure.db.messages import MessageRepository
from perdure.domain.audit import SYSTEM, Action
from perdure.domain.provider_health import QUIET, USUAL, WINDOW, Calls, Finding, findings
from perdure.schemas.messages import EventType

_CALLS = text(
    """
    SELECT provider, count(*) AS calls, count(*) FILTER (WHERE outcome <> 'ok') AS failed,
        percentile_cont(0.95) WITHIN GROUP (ORDER BY latency_ms) FILTER (WHERE outcome = 'ok') AS p95_ms,
        COALESCE(sum(cost_usd), 0) AS cost_usd
    FROM ai_processing_logs
    WHERE organisation_id = :organisation_id AND at >= :since AND at < :until
        AND (CAST(:providers AS text[]) IS NULL OR provider = ANY(CAST(:providers AS text[])))
    GROUP BY provider
    """
)


class ProviderHealth:
    """The calls of one organisation."""

    def __init__(self, session: AsyncSession, organisation_id: str) -> None:
        self._session, self._organisation_id = session, organisation_id

    async def look(self, now: datetime) -> Sequence[Finding]:
        """What is wrong now."""
        late = await self._calls(now - WINDOW, now, None)
        if not late:
            return []
        usual = await self._calls(now - WINDOW - USUAL, now - WINDOW, sorted(late))
        return [
            finding
            for provider in sorted(late)
            for finding in findings(provider, late[provider], usual.get(provider, Calls()))
        ]

    async def tell(self, finding: Finding, now: datetime) -> bool:
        """Tell owners, administrators and endpoints, and record it; False when it was told a little while ago."""
        messages = MessageRepository(self._session, self._organisation_id)
        spell = int(now.timestamp() // QUIET.total_seconds())
        effect = f"providers.degraded:{finding.provider}:{finding.kind}:{spell}"
        is_new = await messages.alert(effect, f"{finding.provider} is not well", finding.text)
        if not is_new:
            return False
        details = {
            "provider": finding.provider,
            "finding": finding.kind.value,
            "seen": round(finding.seen, 4),
            "limit": round(finding.limit, 4),
            "calls": finding.calls,
        }
        await messages.publish(effect, EventType.PROVIDER_DEGRADED, details)
        trail = AuditTrail(self._session, self._organisation_id)
        await trail.record(Action.PROVIDER_DEGRADED, SYSTEM, details=_spelt(details))
        return True

    async def _calls(
        self, since: datetime, until: datetime, providers: Sequence[str] | None
    ) -> dict[str, Calls]:
        values = {
            "organisation_id": self._organisation_id,
            "since": since,
            "until": until,
            "providers": providers,
        }
        rows = await self._session.execute(_CALLS, values)
        return {row.provider: Calls(row.calls, row.failed, row.p95_ms, Decimal(row.cost_usd)) for row in rows}


def _spelt(details: Mapping[str, object]) -> dict[str, object]:
    """The trail hashes what it holds: numbers are spelt out."""
    return {name: str(value) for name, value in details.items()}
