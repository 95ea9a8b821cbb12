"""What every workflow of ours is started with, whoever starts it."""

from datetime import timedelta

from temporalio.common import SearchAttributeKey

ORGANISATION = SearchAttributeKey.for_keyword("PerdureOrg")
KIND = SearchAttributeKey.for_keyword("PerdureKind")
STATUS = SearchAttributeKey.for_keyword("PerdureStatus")
SUBJECT = SearchAttributeKey.for_keyword("PerdureSubject")
# So long nothing happens after a worker was killed in a workflow task.
TASK_TIMEOUT = timedelta(seconds=2)
