"""Business time against a walk from minute to minute, also where clocks change."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perdure.domain.business_calendar import BusinessCalendar, Hours

MINUTE = timedelta(minutes=1)
# Days around which the zone's clocks change; Lord Howe's by half an hour, Casablanca's for Ramadan.
ZONES = {
    "Europe/Berlin": [date(2026, 3, 29), date(2026, 10, 25)],
    "America/New_York": [date(2026, 3, 8), date(2026, 11, 1)],
    "Australia/Lord_Howe": [date(2026, 4, 5), date(2026, 10, 4)],
    "Africa/Casablanca": [date(2026, 2, 15), date(2026, 3, 22)],
    "America/Havana": [date(2026, 3, 8), date(2026, 11, 1)],
    "Asia/Kathmandu": [date(2026, 5, 1)],
    "Pacific/Apia": [date(2011, 12, 30)],
    "UTC": [date(2026, 12, 31)],
}
BOUNDS = st.lists(st.sampled_from([0, 30, 60, 90, 120, 150, 180, 540, 720, 1020, 1439, 1440]), unique=True)


def periods(bounds: list[int]) -> Hours:
    ordered = sorted(bounds)
    return tuple(zip(ordered[::2], ordered[1::2], strict=False))


@st.composite
def settings_of_a_calendar(draw: st.DrawFn) -> tuple[BusinessCalendar, datetime]:
    zone = draw(st.sampled_from(sorted(ZONES)))
    change = draw(st.sampled_from(ZONES[zone]))
    week = tuple(periods(draw(BOUNDS)) for _ in range(7))
    # Some hours on two days, so that a walk ends soon.
    week = (*week[:2], ((0, 150),), *week[3:6], week[6] or ((60, 240),))
    off = draw(st.lists(st.integers(-3, 3).map(lambda days: change + timedelta(days=days)), max_size=3))
    start = datetime(change.year, change.month, change.day, tzinfo=UTC)
    begin = start + draw(st.integers(-3 * 1440, 2 * 1440)) * MINUTE
    return BusinessCalendar(zone, week, tuple(sorted(off))), begin


def is_worked(calendar: BusinessCalendar, instant: datetime) -> bool:
    """What a clock on the wall says."""
    wall = instant.astimezone(ZoneInfo(calendar.time_zone))
    minutes = wall.hour * 60 + wall.minute
    hours = calendar.hours[wall.weekday()]
    return wall.date() not in calendar.holidays and any(start <= minutes < end for start, end in hours)


@settings(max_examples=150)
@given(settings_of_a_calendar(), st.integers(1, 400))
def test_adding_work_is_walking_until_so_many_minutes_were_worked(
    given: tuple[BusinessCalendar, datetime], minutes: int
) -> None:
    calendar, begin = given
    end, left = begin, minutes
    while left:
        left -= is_worked(calendar, end)
        end += MINUTE
    assert calendar.add(begin, minutes * MINUTE) == end
    assert calendar.between(begin, end) == minutes * MINUTE
    assert calendar.between(end, begin) == timedelta()


@settings(max_examples=150)
@given(settings_of_a_calendar(), st.integers(1, 400))
def test_taking_work_away_is_walking_back(given: tuple[BusinessCalendar, datetime], minutes: int) -> None:
    calendar, end = given
    begin, left = end, minutes
    while left:
        begin -= MINUTE
        left -= is_worked(calendar, begin)
    assert calendar.subtract(end, minutes * MINUTE) == begin


@settings(max_examples=150)
@given(settings_of_a_calendar())
def test_the_next_open_minute_is_the_next_that_is_worked(given: tuple[BusinessCalendar, datetime]) -> None:
    calendar, begin = given
    expected = begin
    while not is_worked(calendar, expected):
        expected += MINUTE
    assert calendar.next_open(begin) == expected
    assert calendar.is_open(begin) == is_worked(calendar, begin)


def day_by_day(calendar: BusinessCalendar, begin: datetime, count: int, step: int) -> tuple[date, int]:
    """The local day so many business days away, and the minute of the day that is wanted on it."""
    zone = ZoneInfo(calendar.time_zone)
    wall = begin.astimezone(zone)
    day = wall.date()
    while count:
        day += timedelta(days=step)
        count -= bool(worked_minutes(calendar, day))
    return day, wall.hour * 60 + wall.minute


def worked_minutes(calendar: BusinessCalendar, day: date) -> list[datetime]:
    zone = ZoneInfo(calendar.time_zone)
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    around = [noon + number * MINUTE for number in range(-40 * 60, 40 * 60)]
    return [one for one in around if one.astimezone(zone).date() == day and is_worked(calendar, one)]


@settings(max_examples=25)
@given(settings_of_a_calendar(), st.integers(1, 3))
def test_business_days_keep_the_time_of_day_within_hours(
    given: tuple[BusinessCalendar, datetime], count: int
) -> None:
    calendar, begin = given
    day, minute = day_by_day(calendar, calendar.next_open(begin), count, 1)
    found = calendar.add_days(begin, count)
    worked = worked_minutes(calendar, day)
    wall = found.astimezone(ZoneInfo(calendar.time_zone))
    if found in worked and wall.hour * 60 + wall.minute == minute:
        return  # that very time
    # Otherwise the day's opening, or a time at which it has just closed, and nothing nearer before what is wanted.
    assert found == worked[0] or found - MINUTE in worked
    wanted = datetime.combine(day, datetime.min.time(), tzinfo=ZoneInfo(calendar.time_zone)).replace(
        hour=minute // 60, minute=minute % 60
    )
    assert not [one for one in worked if found < one + MINUTE <= wanted.astimezone(UTC)]


@pytest.mark.parametrize("count", [1, 2, 5])
def test_two_business_days_over_a_clock_change_end_at_the_same_time_on_the_wall(count: int) -> None:
    hours: tuple[Hours, ...] = (*([((540, 1020),)] * 5), (), ())
    calendar = BusinessCalendar("Europe/Berlin", hours)
    friday = datetime(2026, 3, 27, 14, tzinfo=ZoneInfo("Europe/Berlin"))
    ends = calendar.add_days(friday, count).astimezone(ZoneInfo("Europe/Berlin"))
    assert (ends.hour, ends.minute) == (14, 0)
    assert calendar.subtract_days(ends, count) == friday
