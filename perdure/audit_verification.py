"""Holds audit trails against their hashes, their heads and their anchors."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from perdure.audit_anchors import AuditAnchors
from perdure.db.audit_trail import PAGE, AuditTrail, heads_since
from perdure.db.session import Transaction, enter
from perdure.domain.audit import ChainVerifier, FaultKind, Verdict

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_SNAPSHOT = text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")


async def verify_trail(transaction: Transaction, anchors: AuditAnchors, organisation_id: str) -> Verdict:
    """Go through one trail from its first event to its last."""
    # Anchors first: what is recorded from here on is in the snapshot, and cannot be missing from it.
    kept = await anchors.read(organisation_id)
    verifier = ChainVerifier(organisation_id, kept.anchors, await anchors.cut(organisation_id))
    for key in kept.forged:
        verifier.report(FaultKind.ANCHOR_FORGED, 0, f"the anchor {key} was not written with this secret key")
    async with transaction(None) as session:
        trail = await snapshot(session, organisation_id)
        head = await trail.head()
        after: int | None = None
        while True:
            page = await trail.page(after)
            for stored in page:
                verifier.add(stored)
            if len(page) < PAGE:
                break
            after = page[-1].event.sequence
    return verifier.conclude(head.sequence if head else None, head.hash if head else None)


async def verify_all(transaction: Transaction, anchors: AuditAnchors) -> AsyncIterator[Verdict]:
    """Verify every trail that there is, or that there was according to its anchors."""
    async with transaction(None) as session:
        known = {head.organisation_id async for head in heads_since(session, BEGINNING)}
    for organisation_id in sorted(known | await anchors.organisations()):
        yield await verify_trail(transaction, anchors, organisation_id)


async def snapshot(session: AsyncSession, organisation_id: str) -> AuditTrail:
    """The trail as it is at one moment, however long the reading takes; first in its transaction."""
    await session.execute(_SNAPSHOT)
    await enter(session, organisation_id)
    return AuditTrail(session, organisation_id)
