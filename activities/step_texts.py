"""The text that a step of a document workflow is about: one that it is given, else that of the execution's document."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from activities.text_stages import refusal
from perdure.db.classification_results import ClassificationResults, Document, Item
from perdure.db.document_repository import DocumentRepository
from perdure.db.session import Transaction
from perdure.domain.html_words import SeenText
from perdure.domain.languages import detect_language
from perdure.errors import DocumentRejectedError, FieldError, InvalidInputError
from perdure.schemas.workflow_executions import StepJob

Body = TypeVar("Body", bound=BaseModel)

# A language is told by the beginning of a text.
_TOLD_BY = 2_000


@dataclass(frozen=True)
class StepText:
    """A text, and, where it is a document's, its space and title."""

    item: Item
    space: str | None = None
    title: str | None = None

    @property
    def text(self) -> str:
        """What the step reads."""
        return self.item.text or ""

    @property
    def seen(self) -> SeenText:
        """What its reader sees."""
        return self.item.seen

    @property
    def language(self) -> str | None:
        """As the document says, or as the text sounds."""
        document = self.item.document
        return (document.language if document else None) or detect_language(self.seen.text[:_TOLD_BY])


async def step_text(transaction: Transaction, job: StepJob) -> StepText:
    """Read it. DocumentRejectedError where there is nothing that could be read."""
    given = job.settings.get("text", job.input.get("text"))
    if given is not None and not isinstance(given, str):
        detail = f"`text` of step {job.step_id} is filled in with {type(given).__name__}; it must be text"
        raise InvalidInputError(detail, [FieldError("/with/text", detail)])
    if given is None and job.document_id is None:
        detail = f"step {job.step_id} has nothing to read: execute on a document, or give the step a `text`"
        raise InvalidInputError(detail, [FieldError("/with/text", detail)])
    document_id = None if given is not None else job.document_id
    item = Item(0, "", given, document_id, None, None, {})
    found = StepText(item)
    if document_id is not None:
        found = await _of_document(transaction, job.organisation_id, document_id)
    refused = refusal(found.item)
    if refused is not None:
        raise DocumentRejectedError(refused[0].value, refused[1])
    return found


async def _of_document(transaction: Transaction, organisation_id: str, document_id: str) -> StepText:
    async with transaction(organisation_id) as session:
        read = await DocumentRepository(session, organisation_id).get(document_id)
        if read is None:
            return StepText(Item(0, "", None, document_id, None, None, {}))
        texts = await ClassificationResults(session, organisation_id).document_texts({document_id})
    document = Document(
        id=read.id,
        is_indexed=read.version > 0,
        status=read.status,
        created_at=read.created_at,
        language=read.language,
        content=texts.get(document_id, ""),
    )
    return StepText(Item(0, "", None, document_id, document, None, {}), read.space, read.title)


def settled(
    model: type[Body], job: StepJob, given: dict[str, Any], called: Mapping[str, str] | None = None
) -> Body:
    """A step's settings as they are after they were filled in; InvalidInputError names each that cannot be meant."""
    try:
        return model.model_validate(given)
    except ValidationError as error:
        faults = [
            FieldError(
                "/with" + "".join(f"/{(called or {}).get(str(part), part)}" for part in one["loc"]),
                one["msg"].removeprefix("Value error, "),
            )
            for one in error.errors(include_input=False, include_url=False)
        ]
        detail = "; ".join(f"{fault.pointer}: {fault.detail}" for fault in faults[:5])
        raise InvalidInputError(
            f"step {job.step_id} cannot be carried out as it is filled in: {detail}", faults
        ) from None
