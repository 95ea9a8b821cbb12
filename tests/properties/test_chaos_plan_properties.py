from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from perdure.chaos.findings import percentile
from perdure.chaos.plan import JUMPS_S, NOMINAL, PARTS, WITH_CLOCKS, Kind, plan

seeds = st.integers(min_value=0, max_value=2**31)
durations = st.timedeltas(min_value=timedelta(seconds=1), max_value=timedelta(minutes=40))


@given(seeds, durations)
def test_the_same_seed_gives_the_same_faults(seed: int, duration: timedelta) -> None:
    assert plan(seed, duration) == plan(seed, duration)


@given(seeds, durations, durations)
def test_a_longer_run_begins_with_those_of_a_shorter_one(
    seed: int, shorter: timedelta, longer: timedelta
) -> None:
    shorter, longer = sorted((shorter, longer))
    assert plan(seed, longer)[: len(plan(seed, shorter))] == plan(seed, shorter)


@given(seeds, durations)
def test_every_fault_can_be_carried_out(seed: int, duration: timedelta) -> None:
    faults = plan(seed, duration)
    assert [fault.number for fault in faults] == list(range(max(1, duration // NOMINAL)))
    for fault in faults:
        assert set(fault.parts) <= set(PARTS)
        assert bool(fault.parts) == (fault.kind not in {Kind.STORE_ERRORS, Kind.DISK_FULL})
        assert (fault.seconds > 0) == (fault.kind not in {Kind.KILL, Kind.KILL_AGAIN})
        assert bool(fault.jump_s) == (fault.kind is Kind.CLOCK_JUMP)
        assert 0 < fault.delay_s < 2
        assert fault.seconds <= 12


def test_an_hour_has_every_kind_against_every_part_alone_and_together() -> None:
    faults = plan(1, timedelta(hours=1))
    assert {fault.kind for fault in faults} == set(Kind)
    killed = {fault.parts for fault in faults if fault.kind is Kind.KILL}
    assert {(part,) for part in PARTS} <= killed
    assert PARTS in killed
    assert any(len(parts) == 2 for parts in killed)
    jumps = [fault for fault in faults if fault.kind is Kind.CLOCK_JUMP]
    assert {fault.parts for fault in jumps} == {(part,) for part in WITH_CLOCKS}
    assert {fault.jump_s for fault in jumps} == set(JUMPS_S)
    assert len({fault.salt for fault in faults}) == len(faults)


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0.01, 1))
def test_a_percentile_is_a_measured_value_that_so_many_do_not_exceed(
    values: list[float], share: float
) -> None:
    found = percentile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-9
