"""Decision tokens: what is read is what was issued, and nothing else is read."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from perdure.domain.approval_events import Decision
from perdure.domain.approval_proofs import ToldSigner
from perdure.domain.decision_tokens import LINK, SIGNAL, DecisionClaims, DecisionTokens, TokenRefusal
from perdure.errors import InvalidInputError

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SECRET = b"a secret of the tests, long enough"
CLAIMS = DecisionClaims(
    id="dtk_1",
    organisation_id="org_1",
    approval_id="apr_1",
    person="user:usr_1",
    purpose=SIGNAL,
    revision="a" * 64,
    expires_at=NOW + timedelta(minutes=10),
    decision=Decision.REJECT,
    comment="Too dear — 1,000 €.",
)


def test_what_is_read_is_what_was_issued() -> None:
    tokens = DecisionTokens(SECRET)
    assert tokens.read(tokens.issue(CLAIMS), SIGNAL, NOW) == CLAIMS
    link = replace(CLAIMS, purpose=LINK, decision=None)
    assert tokens.read(tokens.issue(link), LINK, NOW) == link
    filled_in = replace(CLAIMS, form={"cost_centre": "north", "amount": 1_200.5, "paid": True})
    assert tokens.read(tokens.issue(filled_in), SIGNAL, NOW) == filled_in


def test_more_than_fits_in_a_token_is_refused_when_it_is_issued() -> None:
    with pytest.raises(InvalidInputError, match="too long"):
        DecisionTokens(SECRET).issue(replace(CLAIMS, form={"reason": "x" * 8_000}))


def test_nothing_of_it_can_be_read_without_the_secret() -> None:
    token = DecisionTokens(SECRET).issue(CLAIMS)
    assert "usr_1" not in token
    with pytest.raises(TokenRefusal, match="token_unreadable"):
        DecisionTokens(b"another secret that is long enough").read(token, SIGNAL, NOW)


def test_a_token_for_one_purpose_is_none_for_another() -> None:
    tokens = DecisionTokens(SECRET)
    with pytest.raises(TokenRefusal, match="token_unreadable"):
        tokens.read(tokens.issue(CLAIMS), LINK, NOW)


def test_a_token_expires() -> None:
    tokens = DecisionTokens(SECRET)
    token = tokens.issue(CLAIMS)
    assert tokens.read(token, SIGNAL, CLAIMS.expires_at - timedelta(seconds=1)) == CLAIMS
    with pytest.raises(TokenRefusal, match="token_expired"):
        tokens.read(token, SIGNAL, CLAIMS.expires_at)


def test_no_changed_character_passes() -> None:
    tokens = DecisionTokens(SECRET)
    token = tokens.issue(CLAIMS)
    for place in range(len(token) - 1):
        other = "A" if token[place] != "A" else "B"
        with pytest.raises(TokenRefusal):
            tokens.read(token[:place] + other + token[place + 1 :], SIGNAL, NOW)


@pytest.mark.parametrize(
    "garbage",
    [
        None,
        7,
        "",
        "pdt_",
        "pdt_AAAA",
        "pdt_ä",
        "pdt_\ud800",
        "x" * 10_000,
        "pdt_" + "A" * 9_000,
        ["pdt_"],
        {},
    ],
    ids=repr,
)
def test_garbage_is_refused(garbage: object) -> None:
    with pytest.raises(TokenRefusal, match="token_unreadable"):
        DecisionTokens(SECRET).read(garbage, SIGNAL, NOW)


def test_what_an_approval_is_told_is_proven_for_that_approval_only() -> None:
    signer, said = ToldSigner(SECRET), {"event": {"kind": "decided", "by": "user:usr_1"}, "origin": None}
    proof = signer.sign("apr_1", said)
    assert signer.is_ours("apr_1", said, proof)
    assert not signer.is_ours("apr_2", said, proof)
    assert not signer.is_ours("apr_1", {**said, "event": {"kind": "decided", "by": "user:usr_2"}}, proof)
    assert not signer.is_ours("apr_1", said, "")
    assert not ToldSigner(b"another secret that is long enough").is_ours("apr_1", said, proof)
