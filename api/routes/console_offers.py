"""Console: documents that a form offers to choose from."""

from collections.abc import Sequence

from api.dependencies import Principal
from api.routes.console_pages import Pages
from perdure.db.document_repository import DocumentRepository
from perdure.schemas.documents import DocumentRead, DocumentStatus


async def offered_documents(
    pages: Pages, caller: Principal, most: int, chosen: Sequence[str] = ()
) -> Sequence[DocumentRead]:
    """The newest that can be read, and before them those that were chosen already."""
    async with pages.database.transaction(caller.organisation_id) as session:
        repository = DocumentRepository(session, caller.organisation_id)
        newest = await repository.list(status=DocumentStatus.INDEXED, limit=most)
        known = {document.id for document in newest}
        more = [await repository.get(id_) for id_ in chosen[:most] if id_ not in known]
    return [*(document for document in more if document), *newest]
