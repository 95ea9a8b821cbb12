"""When a provider is not asked any more, and when it is again."""

from datetime import UTC, datetime, timedelta

from perdure.domain.circuit_breaker import (
    CLOSED,
    LONGEST,
    OPEN_FOR,
    PROBE_FOR,
    THRESHOLD,
    Circuit,
    admit,
    after_failure,
)

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def failed(circuit: Circuit, times: int, at: datetime = NOW) -> Circuit:
    for _ in range(times):
        circuit = after_failure(circuit, at)
    return circuit


def test_it_opens_after_some_failures_in_a_row_and_not_before() -> None:
    almost = failed(CLOSED, THRESHOLD - 1)
    assert almost.is_closed
    assert admit(almost, NOW).allowed
    opened = failed(almost, 1)
    refused = admit(opened, NOW)
    assert (refused.allowed, refused.wait, refused.circuit) == (False, OPEN_FOR, opened)


def test_failures_of_calls_that_had_begun_before_do_not_keep_it_open() -> None:
    opened = failed(CLOSED, THRESHOLD)
    assert after_failure(opened, NOW + timedelta(seconds=3)) == opened


def test_after_a_while_one_call_probes_and_the_others_wait() -> None:
    opened = failed(CLOSED, THRESHOLD)
    later = NOW + OPEN_FOR
    probe = admit(opened, later)
    assert (probe.allowed, probe.probes) == (True, True)
    other = admit(probe.circuit, later)
    assert not other.allowed
    assert timedelta(0) < other.wait <= OPEN_FOR
    # A probe that was never heard of again makes way.
    assert admit(probe.circuit, later + PROBE_FOR).probes


def test_a_probe_that_fails_opens_it_for_longer_each_time_and_never_for_ever() -> None:
    circuit, at, lasted = failed(CLOSED, THRESHOLD), NOW, []
    for _ in range(12):
        assert circuit.open_until is not None
        at = circuit.open_until
        circuit = after_failure(admit(circuit, at).circuit, at)
        assert circuit.open_until is not None
        lasted.append(circuit.open_until - at)
    assert lasted[:3] == [OPEN_FOR * 2, OPEN_FOR * 4, OPEN_FOR * 8]
    assert max(lasted) == lasted[-1] == LONGEST
