"""What is remembered of failures from attempt to attempt, and what is told of them."""

import json
from datetime import timedelta

import pytest

from perdure.domain.failure_policy import Ledger, Patience
from perdure.domain.provider_words import told
from perdure.domain.routing import Candidate, ProviderName
from perdure.errors import ProviderReason

ONE = Candidate(ProviderName.OPENAI, "gpt-4o", "pky_1")
OTHER = Candidate(ProviderName.ANTHROPIC, "claude-haiku-4-5")
LIMITED, WRONG_KEY = ProviderReason.RATE_LIMITED, ProviderReason.UNAUTHORISED
TRIES = 3


def carried(ledger: Ledger) -> Ledger:
    """As the next attempt gets it."""
    return Ledger.load(json.loads(json.dumps(ledger.dump())))


def test_what_may_pass_is_counted_once_an_attempt_and_given_up_after_some() -> None:
    ledger = Ledger()
    for attempt in range(1, TRIES + 1):
        assert ledger.given_up(ONE, "a", TRIES) is None
        for digest in "abc":
            count = ledger.note(ONE, digest, LIMITED, "too many", attempt, passes=True)
            assert count == attempt
        ledger = carried(ledger)
    failure = ledger.given_up(ONE, "anything", TRIES)
    assert failure is not None
    assert failure.text == "openai (gpt-4o): too many [rate_limited, 3 times]"
    assert ledger.given_up(OTHER, "a", TRIES) is None


def test_an_answer_settles_what_was_before() -> None:
    ledger = Ledger()
    ledger.note(ONE, "a", LIMITED, "too many", 1, passes=True)
    assert ledger.failed_before(ONE) is not None
    assert ledger.answered(ONE, "a")
    assert ledger.failed_before(ONE) is None
    assert not ledger.answered(ONE, "a")


def test_a_wrong_key_holds_for_every_text_and_a_refusal_for_one() -> None:
    ledger = Ledger()
    ledger.note(ONE, "a", WRONG_KEY, "the key is not accepted (401)", 1, passes=False)
    ledger.note(OTHER, "a", ProviderReason.REFUSED, "refused", 1, passes=False)
    ledger = carried(ledger)
    assert ledger.given_up(ONE, "b", TRIES) is not None
    assert ledger.given_up(OTHER, "a", TRIES) is not None
    assert ledger.given_up(OTHER, "b", TRIES) is None


def test_waits_grow_up_to_a_limit() -> None:
    patience = Patience(first_wait=timedelta(seconds=1), longest_wait=timedelta(seconds=5))
    assert [patience.wait(count).total_seconds() for count in (1, 2, 3, 4, 60)] == [1, 2, 4, 5, 5]


@pytest.mark.parametrize(
    ("reason", "detail", "is_kept"),
    [
        (ProviderReason.INVALID_REQUEST, "The model `gpt-9` does not exist", True),
        (ProviderReason.INVALID_REQUEST, "bad input near 'Jane Doe owes us 700 euros'", False),
        (ProviderReason.REFUSED, "refused: I will not speak of Jane", False),
        (ProviderReason.MALFORMED, "does not follow the schema: at /label: 'Jane' is not one of", False),
        (ProviderReason.UNAVAILABLE, "failed with 500", True),
    ],
)
def test_details_never_repeat_what_was_asked(reason: ProviderReason, detail: str, *, is_kept: bool) -> None:
    said = told(reason, detail, ["Dear Sirs, Jane Doe owes us 700 euros since May.", ""])
    assert said
    assert "Jane" not in said
    assert (said == detail) is is_kept
