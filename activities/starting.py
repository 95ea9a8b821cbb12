"""What every workflow of ours is started with, whoever starts it."""

from datetime import timedelta

from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes

ORGANISATION = SearchAttributeKey.for_keyword("PerdureOrg")
KIND = SearchAttributeKey.for_keyword("PerdureKind")
STATUS = SearchAttributeKey.for_keyword("PerdureStatus")
SUBJECT = SearchAttributeKey.for_keyword("PerdureSubject")
# So long nothing happens after a worker was killed in a workflow task.
TASK_TIMEOUT = timedelta(seconds=2)


def found_by(organisation_id: str, kind: str, subject_id: str | None) -> TypedSearchAttributes:
    """The search attributes of an operation that begins."""
    attributes = [
        SearchAttributePair(ORGANISATION, organisation_id),
        SearchAttributePair(KIND, kind),
        SearchAttributePair(STATUS, "running"),
    ]
    if subject_id:
        attributes.append(SearchAttributePair(SUBJECT, subject_id))
    return TypedSearchAttributes(attributes)
