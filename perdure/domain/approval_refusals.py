"""Why an approval does not do what it is told: stable codes, their HTTP status, and what to do."""

from collections.abc import Mapping
from enum import StrEnum


class Refusal(StrEnum):
    """The codes never change their meaning."""

    NOT_AN_APPROVER = "not_an_approver"
    OWN_REQUEST = "own_request"
    NOT_PERMITTED = "not_permitted"
    ALREADY_DECIDED = "already_decided"
    BOTH_SIDES = "both_sides_of_a_delegation"
    STAGE_CLOSED = "stage_closed"
    STAGE_NOT_OPEN = "stage_not_open"
    PAST_DUE = "past_due"
    STALE_REVISION = "stale_revision"
    SAME_REVISION = "same_revision"
    WAITING_FOR_REVISION = "waiting_for_revision"
    ALREADY_OPEN = "already_open"
    KEY_REUSED = "key_reused"
    COMMENT_REQUIRED = "comment_required"
    FORM_INVALID = "form_invalid"
    MAY_NOT_ABSTAIN = "may_not_abstain"
    MAY_NOT_REQUEST_CHANGES = "may_not_request_changes"
    HOLDER_AMBIGUOUS = "holder_ambiguous"
    NOTHING_TO_REVOKE = "nothing_to_revoke"
    DELEGATION_NOT_ALLOWED = "delegation_not_allowed"
    DELEGATION_LOOP = "delegation_loop"
    DELEGATION_TOO_DEEP = "delegation_too_deep"
    DELEGATION_DATES = "delegation_dates"
    UNKNOWN_DELEGATION = "unknown_delegation"
    UNKNOWN_SEAT = "unknown_seat"
    ALREADY_AN_APPROVER = "already_an_approver"
    QUORUM_UNREACHABLE = "quorum_unreachable"
    REMINDED_RECENTLY = "reminded_recently"


_WORDS: Mapping[Refusal, str] = {
    Refusal.NOT_AN_APPROVER: "You are not asked in the stage that is open.",
    Refusal.OWN_REQUEST: "Who asked for this, wrote it or decided on it before does not decide on it here.",
    Refusal.NOT_PERMITTED: "Only an administrator, or whose it is, may do this.",
    Refusal.ALREADY_DECIDED: "This was decided already. Revoke the decision first while the stage is open.",
    Refusal.BOTH_SIDES: "You have decided in this stage. One person counts once, whoever they decide for.",
    Refusal.STAGE_CLOSED: "The stage is closed; nothing changes its outcome.",
    Refusal.STAGE_NOT_OPEN: "The stage is not open yet.",
    Refusal.PAST_DUE: "The deadline has passed, and the policy has decided.",
    Refusal.STALE_REVISION: "The document was changed since it was shown. Read the new revision, then decide.",
    Refusal.SAME_REVISION: "This revision is the one that is being decided on.",
    Refusal.WAITING_FOR_REVISION: "Changes were asked for: decisions are taken when there is a new revision.",
    Refusal.ALREADY_OPEN: "The request is open already.",
    Refusal.KEY_REUSED: "The key was used before with other content. Use a new key.",
    Refusal.COMMENT_REQUIRED: "Say why: this decision needs a comment.",
    Refusal.FORM_INVALID: "The form is not filled in as the policy wants.",
    Refusal.MAY_NOT_ABSTAIN: "Nobody may abstain here: approve, reject or ask for changes.",
    Refusal.MAY_NOT_REQUEST_CHANGES: "Changes cannot be asked for in this stage: approve or reject.",
    Refusal.HOLDER_AMBIGUOUS: "Several people delegated to you. Say on whose behalf you decide.",
    Refusal.NOTHING_TO_REVOKE: "There is no decision of yours in the stage that is open.",
    Refusal.DELEGATION_NOT_ALLOWED: "The policy does not let you delegate to this person.",
    Refusal.DELEGATION_LOOP: "This would lead back to you.",
    Refusal.DELEGATION_TOO_DEEP: "What was delegated to you may not be passed on so often.",
    Refusal.DELEGATION_DATES: "A delegation ends after it starts, in the future, and within the policy's days.",
    Refusal.UNKNOWN_DELEGATION: "You have not delegated to this person.",
    Refusal.UNKNOWN_SEAT: "There is no such seat in the stage that is open.",
    Refusal.ALREADY_AN_APPROVER: "This person is asked already.",
    Refusal.QUORUM_UNREACHABLE: "Without this approver the stage could never pass. Give the seat to somebody else.",
    Refusal.REMINDED_RECENTLY: "People were reminded within the last hour.",
}
_FORBIDDEN = frozenset(
    {
        Refusal.NOT_AN_APPROVER,
        Refusal.OWN_REQUEST,
        Refusal.NOT_PERMITTED,
        Refusal.BOTH_SIDES,
        Refusal.DELEGATION_NOT_ALLOWED,
    }
)
_UNKNOWN = frozenset({Refusal.UNKNOWN_SEAT, Refusal.UNKNOWN_DELEGATION})
_INVALID = frozenset(
    {
        Refusal.COMMENT_REQUIRED,
        Refusal.FORM_INVALID,
        Refusal.MAY_NOT_ABSTAIN,
        Refusal.MAY_NOT_REQUEST_CHANGES,
        Refusal.HOLDER_AMBIGUOUS,
        Refusal.DELEGATION_DATES,
    }
)


def words_of(refusal: Refusal) -> str:
    """What happened and what to do, for people."""
    return _WORDS[refusal]


def status_of(refusal: Refusal) -> int:
    """The HTTP status: 403 who, 404 what, 422 how, 409 when."""
    if refusal in _FORBIDDEN:
        return 403
    if refusal in _UNKNOWN:
        return 404
    return 422 if refusal in _INVALID else 409
