"""What a step asks people for, and what their answer looks like to the steps after it."""

from collections.abc import Iterator, Mapping
from typing import Any

from perdure.domain.clean_text import is_blank, one_line
from perdure.domain.workflow_values import as_text
from perdure.errors import InvalidInputError
from perdure.schemas.approval_requests import MAX_EVIDENCE, ApprovalResult, Evidence, OpenApproval
from perdure.schemas.workflow_executions import StepJob

_TITLE = 200
_PASSAGE = 4_000
_NAME = 300
_MOST_AUTHORS = 100


def approval_request(job: StepJob, name: str) -> OpenApproval:
    """The request of a step; its `input` is what speaks for it, name by name."""
    policy = job.settings["policy"]
    if not isinstance(policy, Mapping):
        msg = f"policy is {str(policy)[:60]!r}: no policy is stored under a name; write it into the step"
        raise InvalidInputError(msg)
    title = one_line(as_text(job.settings.get("title")))
    return OpenApproval(
        organisation_id=job.organisation_id,
        actor_id=job.actor_id,
        title=(name if is_blank(title) else title)[:_TITLE],
        summary=as_text(job.settings.get("summary"))[:20_000],
        document_id=job.document_id,
        evidence=list(_evidence(job.input))[:MAX_EVIDENCE],
        policy=dict(policy),
        authors=_authors(job.input.get("authors")),
        operation_id=job.operation_id,
        operation_kind=job.operation_kind,
        execution_id=job.execution_id,
        step_id=job.step_id,
        visit=job.visit,
    )


def _authors(said: Any) -> list[str]:
    """One or several, as they are said: who asks looks whether they are people."""
    listed = said if isinstance(said, list) else [said]
    return [as_text(one)[:_NAME] for one in listed if one is not None][:_MOST_AUTHORS]


def _evidence(given: Mapping[str, Any]) -> Iterator[Evidence]:
    for label, value in given.items():
        if label == "authors":
            continue
        for one in value if isinstance(value, list) else [value]:
            passage = one.get("text") if isinstance(one, Mapping) else None
            text = as_text(passage if isinstance(passage, str) else one)[:_PASSAGE].strip()
            if text:
                yield Evidence(text=text, label=label[:_TITLE])


def approval_output(result: ApprovalResult) -> dict[str, Any]:
    """How an approval ended."""
    return {
        "approval_id": result.approval_id,
        "outcome": result.outcome.value,
        "approved": result.approved,
        "decided_by": list(result.decided_by),
        "comment": result.comment,
        "form": result.form,
        "closed_by": result.closed_by.value,
    }
