"""Signatures that the reference library verifies, and when attempts come."""

from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from perdure.domain.ids import new_id
from perdure.domain.standard_webhooks import (
    BACK_OFF,
    LONGEST_WAIT,
    MOST_ATTEMPTS,
    check_secret,
    new_secret,
    retry_in,
    signed_headers,
)
from perdure.errors import InvalidInputError

BODY = '{"type":"test","data":{"name":"Zoë ✓"}}'.encode()


def test_the_reference_library_verifies_our_signature() -> None:
    secret = new_secret()
    headers = signed_headers("msg_1", datetime.now(UTC), BODY, [secret])
    assert Webhook(secret).verify(BODY, headers)["data"] == {"name": "Zoë ✓"}
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(BODY + b" ", headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(BODY, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(BODY, {**headers, "webhook-id": "msg_2"})


def test_while_a_secret_is_changed_either_verifies() -> None:
    new, old = new_secret(), new_secret()
    headers = signed_headers("msg_1", datetime.now(UTC), BODY, [new, old])
    for secret in (new, old):
        assert Webhook(secret).verify(BODY, headers)


@pytest.mark.parametrize("given", ["", "whsec_", "whsec_c2hvcnQ=", "hunter2", "whsec_ä" * 9, None])
def test_a_secret_that_others_cannot_use_is_refused(given: str | None) -> None:
    good = new_secret()
    with pytest.raises(InvalidInputError):
        check_secret(f"x{good}" if given is None else given)
    assert check_secret(good)


def test_attempts_go_on_for_days_and_then_end() -> None:
    waits = [retry_in("msg_1", attempts) for attempts in range(1, MOST_ATTEMPTS)]
    assert None not in waits
    assert sum((wait for wait in waits if wait), timedelta()) >= timedelta(days=3)
    assert retry_in("msg_1", MOST_ATTEMPTS) is None
    for wait, usual in zip(waits, BACK_OFF, strict=True):
        assert wait is not None
        assert 0.89 * usual <= wait <= 1.11 * usual


def test_what_failed_together_comes_back_spread_out_and_the_same_each_time() -> None:
    ids = [new_id("msg") for _ in range(50)]
    waits = [retry_in(each, 3) for each in ids]
    assert waits == [retry_in(each, 3) for each in ids]
    assert len(set(waits)) > 10


def test_who_says_when_to_come_back_is_believed_up_to_a_day() -> None:
    assert retry_in("msg_1", 1, timedelta(minutes=7)) == timedelta(minutes=7)
    assert retry_in("msg_1", 1, timedelta(days=400)) == LONGEST_WAIT
    late = retry_in("msg_1", 5, timedelta(seconds=1))
    assert late is not None
    assert late > timedelta(minutes=20)
