"""How limits are configured, whom a request is counted for, and what its answer says."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.rate_limits import class_for_address, class_for_caller, fields_of
from perdure.domain.rate_limits import PER_MINUTE, RatePolicy, RouteClass, judge, policies_of
from perdure.errors import ConfigurationError

POLICY = RatePolicy("read", 60)


def test_a_setting_changes_what_it_names_and_zero_takes_a_limit_away() -> None:
    policies = policies_of(" write=5 , search=0,")
    assert policies[RouteClass.WRITE] == RatePolicy("write", 5)
    assert RouteClass.SEARCH not in policies
    assert policies[RouteClass.READ].quota == PER_MINUTE[RouteClass.READ]
    assert {kind: policy.quota for kind, policy in policies_of("").items()} == PER_MINUTE


@pytest.mark.parametrize(
    "setting",
    ["write", "write=", "write=-1", "write=1.5", "write=\u0661", "writes=5", "=5", "write=5;read=5"],
)
def test_a_setting_that_cannot_be_read_is_refused_with_the_classes_that_exist(setting: str) -> None:
    with pytest.raises(ConfigurationError, match="read, write, search, upload, auth, open"):
        policies_of(setting)


@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("GET", "/api/v1/documents", "read"),
        ("POST", "/api/v1/documents", "upload"),
        ("POST", "/api/v1/documents/batch", "upload"),
        ("POST", "/api/v1/documents/doc_1/delete", "write"),
        ("DELETE", "/api/v1/documents/doc_1", "write"),
        ("POST", "/api/v1/search", "search"),
        ("GET", "/search", "search"),
        ("POST", "/codec/decode", "decode"),
        ("GET", "/operations", "read"),
        ("POST", "/api/v1/operations/op_1/pause", "write"),
    ],
)
def test_what_a_caller_asks_for_has_a_class(method: str, path: str, kind: str) -> None:
    assert class_for_caller(method, path) == kind


@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("POST", "/api/v1/auth/login", "auth"),
        ("POST", "/api/v1/auth/refresh", "auth"),
        ("POST", "/login", "auth"),
        ("GET", "/login", "open"),
        ("GET", "/api/v1/content/abc", "open"),
        ("POST", "/api/v1/documents", "open"),
    ],
)
def test_what_an_address_asks_for_has_a_class(method: str, path: str, kind: str) -> None:
    assert class_for_address(method, path) == kind


def test_an_answer_tells_what_is_left_as_structured_fields() -> None:
    verdict = judge(POLICY, 0, 0)
    assert fields_of(verdict) == {"RateLimit-Policy": '"read";q=60;w=60', "RateLimit": '"read";r=59;t=1'}


def test_a_refusal_tells_when_to_come_back_the_same_way_twice() -> None:
    verdict = judge(POLICY, 60_000_000, 400_000)
    assert fields_of(verdict) == {
        "RateLimit-Policy": '"read";q=60;w=60',
        "RateLimit": '"read";r=0;t=1',
        "Retry-After": "1",
    }
    assert verdict.wait == timedelta(milliseconds=600)


@given(st.integers(1, 10**9), st.integers(1, 10**12))
def test_who_comes_back_when_told_to_is_let_in(quota: int, ahead_us: int) -> None:
    policy = RatePolicy("read", quota)
    refused = judge(policy, policy.capacity_us + ahead_us, 0)
    assert not refused.allowed
    later = refused.wait // timedelta(microseconds=1)
    assert judge(policy, refused.booked_until_us, later).allowed
    assert not judge(policy, refused.booked_until_us, later - 1).allowed
