"""Passages of documents become memories, as the last part of indexing; it computes no vector anew."""

from collections.abc import Sequence

from perdure.db.document_memories import DocumentMemories
from perdure.db.session import Transaction


async def link_documents(
    transaction: Transaction, organisation_id: str, version_ids: Sequence[str]
) -> dict[str, int]:
    """Write the memories of versions that want some, a page a transaction; how many there are, by version id.

    A second run finds what was written and goes on from there.
    """
    async with transaction(organisation_id) as session:
        wanted = await DocumentMemories(session, organisation_id).wanted(version_ids)
    counts: dict[str, int] = {}
    for linking in wanted:
        more = True
        while more:
            async with transaction(organisation_id) as session:
                more = await DocumentMemories(session, organisation_id).link(linking)
        async with transaction(organisation_id) as session:
            memories = DocumentMemories(session, organisation_id)
            counts[linking.version_id] = await memories.count(linking.document_id)
    return counts
