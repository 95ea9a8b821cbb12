"""Working hours: when people can be expected to answer, and how a deadline is counted in that time.

An instant is business time when the clock on the wall of the calendar's zone shows one of that weekday's hours and the
day is no holiday. So an hour that a clock change skips is not worked, and one that it repeats is worked twice.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo

from perdure.domain.json_objects import Faults, ObjectReader

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MAX_HOLIDAYS = 1_000
MAX_PERIODS_A_DAY = 12
# So that counting a year of work in the shortest weeks takes no time that anybody notices.
LEAST_MINUTES_A_WEEK = 60
_LONGEST = timedelta(days=3660)
_LONGEST_DAYS = timedelta(days=366)
_LONGEST_HOURS = timedelta(hours=2_000)
_DAY = timedelta(days=1)
_MINUTE = timedelta(minutes=1)
# No zone is further from UTC.
_FAR = timedelta(hours=16)
_HOURS = re.compile(r"(\d\d):(\d\d)-(\d\d):(\d\d)")
_SPAN = re.compile(r"([1-9][0-9]{0,4}) (business )?(minute|hour|day|week)s?")
_UNITS = {"minute": _MINUTE, "hour": timedelta(hours=1), "day": _DAY, "week": timedelta(weeks=1)}

Period = tuple[datetime, datetime]
Hours = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Span:
    """How long: `90 minutes`, `3 days`, `16 business hours`, `2 business days`."""

    amount: int
    unit: str
    business: bool = False

    @property
    def length(self) -> timedelta:
        """As elapsed time; of business days only their number means something."""
        return self.amount * _UNITS[self.unit]

    def __str__(self) -> str:
        business = "business " if self.business else ""
        return f"{self.amount} {business}{self.unit}{'s'[: self.amount > 1]}"


def parse_span(text: object) -> Span | None:
    """Read how long something takes; None for anything else."""
    match = _SPAN.fullmatch(text) if isinstance(text, str) else None
    if match is None or (match[2] and match[3] == "week"):
        return None
    span = Span(int(match[1]), match[3], match[2] is not None)
    longest = _LONGEST
    if span.business:
        longest = _LONGEST_DAYS if span.unit == "day" else _LONGEST_HOURS
    return span if span.length <= longest else None


@dataclass(frozen=True, slots=True)
class BusinessCalendar:
    """Hours of each weekday, Monday first, as minutes since midnight, in order and apart; days that are off."""

    time_zone: str
    hours: tuple[Hours, ...]
    holidays: tuple[date, ...] = ()

    def is_open(self, instant: datetime) -> bool:
        """Whether the instant is business time."""
        return any(start <= instant < end for start, end in self._periods(self._day(instant)))

    def next_open(self, instant: datetime) -> datetime:
        """The first instant of business time that is not before this one."""
        start, _ = next(self._from(instant))
        return start

    def add(self, instant: datetime, work: timedelta) -> datetime:
        """The first instant with so much business time between; the end of a day rather than the next morning."""
        if not work:
            return instant
        for start, end in self._from(instant):
            if end - start >= work:
                return start + work
            work -= end - start
        raise AssertionError  # a calendar never ends

    def subtract(self, instant: datetime, work: timedelta) -> datetime:
        """The last instant with so much business time between it and this one."""
        if not work:
            return instant
        for start, end in self._back_from(instant):
            if end - start >= work:
                return end - work
            work -= end - start
        raise AssertionError  # a calendar has no beginning

    def between(self, start: datetime, end: datetime) -> timedelta:
        """How much business time lies between two instants."""
        work = timedelta()
        if start >= end:
            return work
        for opens, closes in self._from(start):
            if opens >= end:
                break
            work += min(closes, end) - opens
        return work

    def add_days(self, instant: datetime, count: int) -> datetime:
        """The same time of day, so many business days later, or when that day opens or has closed by then.

        Out of hours, counting starts when the next business day opens.
        """
        begin = self.next_open(instant)
        return self._same_time(begin, count, 1)

    def subtract_days(self, instant: datetime, count: int) -> datetime:
        """The same time of day, so many business days earlier."""
        periods = self._back_from(instant)
        _, begin = next(periods)
        return self._same_time(begin, count, -1)

    def _same_time(self, begin: datetime, count: int, step: int) -> datetime:
        wall = (begin.astimezone(ZoneInfo(self.time_zone))).replace(tzinfo=None)
        day = wall.date()
        while count:
            day += step * _DAY
            count -= bool(self._periods(day))
        zone = ZoneInfo(self.time_zone)
        wanted = datetime.combine(day, wall.time(), tzinfo=zone).astimezone(UTC)
        periods = self._periods(day)
        closed = [end for start, end in periods if start <= wanted]
        return min(wanted, closed[-1]) if closed else periods[0][0]

    def _day(self, instant: datetime) -> date:
        return instant.astimezone(ZoneInfo(self.time_zone)).date()

    def _periods(self, day: date) -> tuple[Period, ...]:
        hours = self.hours[day.weekday()]
        return _worked(self.time_zone, day, hours) if hours and day not in self.holidays else ()

    def _from(self, instant: datetime) -> Iterator[Period]:
        """Periods from here on, the first cut at the instant."""
        day = self._day(instant)
        while True:
            for start, end in self._periods(day):
                if end > instant:
                    yield max(start, instant), end
            day += _DAY

    def _back_from(self, instant: datetime) -> Iterator[Period]:
        """Periods before here, the latest first and cut at the instant."""
        day = self._day(instant)
        while True:
            for start, end in reversed(self._periods(day)):
                if start < instant:
                    yield start, min(end, instant)
            day -= _DAY


def after(calendar: BusinessCalendar | None, instant: datetime, span: Span) -> datetime:
    """When a span is over that begins now. Business time needs a calendar."""
    if not span.business:
        return instant + span.length
    if calendar is None:
        msg = f"{span} cannot be counted without a calendar"
        raise ValueError(msg)
    if span.unit == "day":
        return calendar.add_days(instant, span.amount)
    return calendar.add(instant, span.length)


def before(calendar: BusinessCalendar | None, instant: datetime, span: Span) -> datetime:
    """When a span must begin that is over now."""
    if not span.business:
        return instant - span.length
    if calendar is None:
        msg = f"{span} cannot be counted without a calendar"
        raise ValueError(msg)
    if span.unit == "day":
        return calendar.subtract_days(instant, span.amount)
    return calendar.subtract(instant, span.length)


def read_calendar(value: object, pointer: str, faults: Faults) -> BusinessCalendar | None:
    """Read `{"time_zone", "hours": {"mon": ["09:00-17:00"]}, "holidays": ["2026-12-25"]}`."""
    before_reading = len(faults)
    given = ObjectReader(value, pointer, faults, ("time_zone", "hours", "holidays"))
    zone = given.text("time_zone", required=True, most=64)
    if zone and not known_zone(zone):
        given.fault("time_zone", f"{zone!r} is no time zone; name one such as Europe/Berlin")
    if not given.has("hours"):
        given.fault("hours", 'is missing; give hours such as {"mon": ["09:00-17:00"]}')
    hours = ObjectReader(given.get("hours") or {}, given.at("hours"), faults, WEEKDAYS)
    week = tuple(_read_hours(hours, weekday) for weekday in WEEKDAYS)
    worked = sum(end - start for hours_of_day in week for start, end in hours_of_day)
    if given.has("hours") and worked < LEAST_MINUTES_A_WEEK and len(faults) == before_reading:
        given.fault("hours", f"must be at least {LEAST_MINUTES_A_WEEK} minutes a week")
    holidays = tuple(
        sorted(
            {
                day
                for one, place in given.items("holidays", MAX_HOLIDAYS)
                for day in _read_day(one, place, faults)
            }
        )
    )
    return None if len(faults) > before_reading else BusinessCalendar(zone, week, holidays)


@lru_cache(maxsize=64)
def known_zone(name: str) -> bool:
    """Whether there is a time zone of this name."""
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # its own error is a KeyError
        return False
    return True


def _read_hours(hours: ObjectReader, weekday: str) -> Hours:
    found: list[tuple[int, int]] = []
    for text, place in hours.items(weekday, MAX_PERIODS_A_DAY):
        match = _HOURS.fullmatch(text) if isinstance(text, str) else None
        numbers = [int(part) for part in match.groups()] if match else [0, 0, 0, 0]
        start, end = numbers[0] * 60 + numbers[1], numbers[2] * 60 + numbers[3]
        if not match or max(numbers[1], numbers[3]) > 59 or not start < end <= 24 * 60:
            hours.faults.add(place, "must be hours of one day such as 09:00-17:00 (the day ends at 24:00)")
        else:
            found.append((start, end))
    found.sort()
    for (_, earlier_end), (start, _) in pairwise(found):
        if start < earlier_end:
            hours.fault(weekday, "has hours that overlap")
    return tuple(found)


def _read_day(value: object, pointer: str, faults: Faults) -> list[date]:
    try:
        if isinstance(value, str) and len(value) == 10:
            return [date.fromisoformat(value)]
    except ValueError:
        pass
    faults.add(pointer, "must be a day such as 2026-12-25")
    return []


@lru_cache(maxsize=4096)
def _worked(time_zone: str, day: date, hours: Hours) -> tuple[Period, ...]:
    """The instants of one day at which the wall shows these hours, as periods in UTC, joined where they touch."""
    zone = ZoneInfo(time_zone)
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    found: list[Period] = []
    for begins, ends, offset in _stretches(zone, midnight - _FAR, midnight + _DAY + _FAR):
        for opens, closes in hours:
            start = max(begins, midnight + opens * _MINUTE - offset)
            end = min(ends, midnight + closes * _MINUTE - offset)
            if start < end:
                found.append((start, end))
    joined: list[Period] = []
    for start, end in sorted(found):
        if joined and joined[-1][1] == start:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return tuple(joined)


def _stretches(zone: ZoneInfo, start: datetime, end: datetime) -> list[tuple[datetime, datetime, timedelta]]:
    """Stretches of time with the same distance from UTC; a zone changes it at most once in two days."""
    before_it, after_it = _offset(zone, start), _offset(zone, end)
    if before_it == after_it:
        return [(start, end, before_it)]
    low, high = start, end
    while high - low > timedelta(seconds=1):
        middle = (low + (high - low) / 2).replace(microsecond=0)
        if middle in {low, high}:
            break
        low, high = (middle, high) if _offset(zone, middle) == before_it else (low, middle)
    return [(start, high, before_it), (high, end, after_it)]


def _offset(zone: ZoneInfo, instant: datetime) -> timedelta:
    return instant.astimezone(zone).utcoffset() or timedelta()
