"""How long those who guess have to wait."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from perdure.domain.login_limits import LoginLimits, account_subject, address_subject

ACCOUNT = LoginLimits().account


def test_the_wait_doubles_up_to_its_limit() -> None:
    waits = [ACCOUNT.lock_after(failures) for failures in range(4, 12)]
    assert waits == [None, *(timedelta(seconds=each) for each in (30, 60, 120, 240, 480, 900, 900))]


@given(st.integers(0, 10**9))
def test_one_failure_more_never_shortens_the_wait(failures: int) -> None:
    zero = timedelta()
    assert (
        (ACCOUNT.lock_after(failures) or zero)
        <= (ACCOUNT.lock_after(failures + 1) or zero)
        <= ACCOUNT.longest_lock
    )


def test_the_neighbours_in_an_ipv6_network_count_as_one() -> None:
    assert address_subject("2001:db8:1:2::1") == address_subject("2001:db8:1:2:ffff::9")
    assert address_subject("2001:db8:1:2::1") != address_subject("2001:db8:1:3::1")
    assert address_subject("::ffff:192.0.2.1") == address_subject("192.0.2.1") != address_subject("192.0.2.2")


@given(st.text())
def test_any_address_and_email_makes_a_short_subject(text: str) -> None:
    assert len(address_subject(text)) <= 150
    assert len(account_subject(text)) == len("account:") + 64
