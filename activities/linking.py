"""Passages of documents become memories, as the last part of indexing; it computes no vector anew."""

from collections.abc import Sequence

from perdure.db.document_memories import DocumentMemories, Linking
from perdure.db.session import Transaction


async def link_documents(
    transaction: Transaction, organisation_id: str, wanted: Sequence[Linking]
) -> dict[str, int]:
    """Write the memories of versions that want some, a page a transaction; how many there are, by version id.

    A second run finds what was written and goes on from there.
    """
    counts: dict[str, int] = {}
    for linking in wanted:
        while linking.version_id not in counts:
            async with transaction(organisation_id) as session:
                memories = DocumentMemories(session, organisation_id)
                if not await memories.link(linking):
                    counts[linking.version_id] = await memories.count(linking.document_id)
    return counts
