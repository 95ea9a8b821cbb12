"""Time words of a text ("in May 2023", "last week", "two days ago") as periods, seen from a given instant."""

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
    "november", "december",
)  # fmt: skip
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
# First month of each; winter begins in December of the year before. Of the northern half of the world.
_SEASONS = {"spring": 3, "summer": 6, "autumn": 9, "fall": 9, "winter": 12}
_NUMBERS = {
    "a": 1, "an": 1, "one": 1, "two": 2, "couple": 2, "three": 3, "few": 3, "four": 4, "five": 5, "six": 6,
    "seven": 7, "eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12,
}  # fmt: skip
# A month without a year may be that of any of so many years.
_YEARS_BACK = 5

_MONTH = (
    "(?P<month>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
)
_MONTH += r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
_DAY = r"(?P<day>3[01]|[12]\d|0?[1-9])(?:st|nd|rd|th)?"
_YEAR = r"(?P<year>(?:19|20)\d\d)"
_COUNT = rf"(?P<count>\d{{1,3}}|{'|'.join(_NUMBERS)})(?:\s+of)?"
_UNIT = r"(?P<unit>day|week|weekend|month|year)s?"
_FLAGS = re.IGNORECASE
_ISO_DATE = re.compile(
    r"\b(?P<year>(?:19|20)\d\d)-(?P<number>0[1-9]|1[0-2])(?:-(?P<day>3[01]|[12]\d|0[1-9]))?\b"
)
_DAY_MONTH = re.compile(rf"\b{_DAY}\s+(?:of\s+)?{_MONTH}(?:\s*,?\s*{_YEAR})?\b", _FLAGS)
_MONTH_DAY = re.compile(rf"\b{_MONTH}\s+(?:the\s+)?{_DAY}\b(?:\s*,?\s*{_YEAR})?", _FLAGS)
_MONTH_YEAR = re.compile(rf"\b{_MONTH}(?:\s*,?\s*|\s+of\s+|\s+in\s+){_YEAR}\b", _FLAGS)
# "may", "march" and "mar" are words too: without a day or a year, a month needs one of these before it.
_MONTH_ALONE = re.compile(
    rf"\b(?P<before>in|during|since|until|by|of|last|this|next|early|late|mid|before|after)[\s-]+{_MONTH}\b(?!\s+\d)",
    _FLAGS,
)
_SEASON = re.compile(
    rf"\b(?:(?P<which>last|this|next)\s+)?(?P<season>{'|'.join(_SEASONS)})(?:\s+(?:of\s+)?{_YEAR})?\b", _FLAGS
)
_YEAR_ALONE = re.compile(rf"(?<![\d$€£.,-]){_YEAR}(?![\d%]|[.,]\d)")
_NAMED_DAY = re.compile(
    r"\b(?P<name>yesterday|today|tonight|tomorrow|last night|this (?:morning|evening))\b", _FLAGS
)
_WHICH_UNIT = re.compile(
    r"\b(?P<which>last|past|previous|this|next|coming)\s+(?P<unit>week|weekend|month|year)\b", _FLAGS
)
_WHICH_WEEKDAY = re.compile(
    rf"\b(?:(?P<which>last|this|next|past)\s+|on\s+)(?P<weekday>{'|'.join(_WEEKDAYS)})\b", _FLAGS
)
_AGO = re.compile(rf"\b{_COUNT}\s+{_UNIT}\s+(?:ago|back|earlier|before)\b", _FLAGS)
_PAST_COUNT = re.compile(rf"\b(?:last|past|previous)\s+{_COUNT}\s+{_UNIT}\b", _FLAGS)
# Words that tell a time by themselves, or next to one of those below; every time word holds one of either.
_TELLING = frozenset((*_MONTHS, *_WEEKDAYS, "yesterday", "today", "tonight", "tomorrow", "ago")) - {
    "march",
    "may",
}
_POINTING = frozenset(
    ("last", "past", "previous", "this", "next", "coming", "in", "since", "until", "during")
)
_UNITS = frozenset(
    (
        *_SEASONS,
        "night",
        "morning",
        "evening",
        "week",
        "weekend",
        "month",
        "year",
        "weeks",
        "months",
        "years",
        "days",
    )
)
_TELLTALES = frozenset(
    (
        *_TELLING,
        *_UNITS,
        *(month[:3] for month in _MONTHS),
        "march",
        "sept",
        "weekends",
        "day",
        "back",
        "before",
    )
)
_APART = str.maketrans(dict.fromkeys(".,;:!?()[]\"'\u2019\u201c\u201d-/", " "))
_DIGITS = re.compile(r"(?:19|20)\d\d")


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """From `start` until just before `end`, both aware."""

    start: datetime
    end: datetime

    def overlaps(self, other: "Period") -> bool:
        """Whether an instant lies in both."""
        return self.start < other.end and other.start < self.end


@dataclass(frozen=True, slots=True)
class TimeWord:
    """Words at `[start, end)` of a text, and the periods that they may mean."""

    start: int
    end: int
    periods: tuple[Period, ...]


def says_when(text: str) -> bool:
    """Whether there may be a time word in a text: quick, and never wrong when it says no."""
    words = text.lower().translate(_APART).split()
    return not _TELLTALES.isdisjoint(words) or _DIGITS.search(text) is not None


def is_dated(text: str) -> bool:
    """Whether a text seems to say when something was or will be; quick, and only nearly right."""
    words = set(text.lower().translate(_APART).split())
    return (
        not _TELLING.isdisjoint(words)
        or not (_POINTING.isdisjoint(words) or _UNITS.isdisjoint(words))
        or _DIGITS.search(text) is not None
    )


def time_words(text: str, now: datetime) -> list[TimeWord]:
    """The time words of a text that was said at `now`, in order; what cannot be a date is passed over."""
    if not says_when(text):
        return []
    found: list[TimeWord] = []
    for pattern, meaning in _MEANINGS:
        for match in pattern.finditer(text):
            if any(match.start() < word.end and word.start < match.end() for word in found):
                continue  # a longer form took these words
            periods = meaning(match, now)
            if periods:
                found.append(TimeWord(match.start(), match.end(), tuple(periods)))
    return sorted(found, key=lambda word: word.start)


def periods(text: str, now: datetime) -> tuple[Period, ...]:
    """All periods that a text speaks of."""
    return tuple(dict.fromkeys(period for word in time_words(text, now) for period in word.periods))


def _date(match: re.Match[str], now: datetime) -> list[Period]:
    parts = match.groupdict()
    month = int(parts["number"]) if parts.get("number") else _month(parts["month"])
    years = [int(parts["year"])] if parts.get("year") else _years(now)
    days = []
    for year in years:
        if not parts.get("day"):
            days.append(_of_month(year, month, now))
        elif int(parts["day"]) <= monthrange(year, month)[1]:
            start = datetime(year, month, int(parts["day"]), tzinfo=now.tzinfo)
            days.append(Period(start, start + timedelta(days=1)))
    return days


def _month_alone(match: re.Match[str], now: datetime) -> list[Period]:
    before, month = match["before"].lower(), _month(match["month"])
    if before in {"last", "this", "next"}:
        passed = month <= now.month if before == "this" else month < now.month
        year = (
            now.year if before == "this" or passed == (before == "last") else now.year + (1 if passed else -1)
        )
        return [_of_month(year, month, now)]
    return [_of_month(year, month, now) for year in _years(now)]


def _season(match: re.Match[str], now: datetime) -> list[Period]:
    first, which = _SEASONS[match["season"].lower()], (match["which"] or "").lower()
    if (
        not which
        and not match["year"]
        and not re.search(r"\b(?:in|during|over|the|that)\s+(?:the\s+)?$", _before(match))
    ):
        return []  # "we fall", "a spring": no time
    if match["year"]:
        return [_months(int(match["year"]) - (first == 12), first, 3, now)]
    seasons = [_months(year, first, 3, now) for year in range(now.year - _YEARS_BACK, now.year + 2)]
    if which == "last":
        return [season for season in seasons if season.end <= now][-1:]
    if which == "next":
        return [season for season in seasons if season.start > now][:1]
    if which == "this":
        return [season for season in seasons if season.end > now][:1]
    return [season for season in seasons if season.start <= now]


def _before(match: re.Match[str]) -> str:
    return match.string[max(0, match.start() - 16) : match.start()].lower()


def _year_alone(match: re.Match[str], now: datetime) -> list[Period]:
    return [_months(int(match["year"]), 1, 12, now)]


def _named_day(match: re.Match[str], now: datetime) -> list[Period]:
    offset = {"yesterday": -1, "last night": -1, "tomorrow": 1}.get(match["name"].lower(), 0)
    return [_days(now, offset, 1)]


def _which_unit(match: re.Match[str], now: datetime) -> list[Period]:
    step = {"this": 0, "next": 1, "coming": 1}.get(match["which"].lower(), -1)
    return [_unit(match["unit"].lower(), step, now)]


def _which_weekday(match: re.Match[str], now: datetime) -> list[Period]:
    ahead = (_WEEKDAYS.index(match["weekday"].lower()) - now.weekday()) % 7
    if (match["which"] or "").lower() in {"next", "this"}:
        return [_days(now, ahead or 7, 1)]
    return [_days(now, ahead - 7, 1)]  # "on Friday" is more often told than planned


def _ago(match: re.Match[str], now: datetime) -> list[Period]:
    return [_unit(match["unit"].lower(), -_count(match), now)]


def _past_count(match: re.Match[str], now: datetime) -> list[Period]:
    start = _unit(match["unit"].lower(), -_count(match), now).start
    return [Period(start, now + timedelta(seconds=1))]


def _count(match: re.Match[str]) -> int:
    count = match["count"].lower()
    return _NUMBERS.get(count) or int(count)


def _unit(unit: str, step: int, now: datetime) -> Period:
    if unit == "day":
        return _days(now, step, 1)
    if unit == "week":
        return _days(now, 7 * step - now.weekday(), 7)
    if unit == "weekend":
        return _days(now, 7 * step - now.weekday() + 5, 2)
    if unit == "month":
        months = now.year * 12 + now.month - 1 + step
        return _months(months // 12, months % 12 + 1, 1, now)
    return _months(now.year + step, 1, 12, now)


def _days(now: datetime, offset: int, count: int) -> Period:
    start = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=offset)
    return Period(start, start + timedelta(days=count))


def _of_month(year: int, month: int, now: datetime) -> Period:
    return _months(year, month, 1, now)


def _months(year: int, month: int, count: int, now: datetime) -> Period:
    """Years outside of the calendar are brought into it."""
    year = max(1, min(9990, year))
    after = year * 12 + month - 1 + count
    return Period(
        datetime(year, month, 1, tzinfo=now.tzinfo or UTC),
        datetime(after // 12, after % 12 + 1, 1, tzinfo=now.tzinfo or UTC),
    )


def _years(now: datetime) -> range:
    return range(now.year - _YEARS_BACK + 1, now.year + 1)


def _month(name: str) -> int:
    return next(n for n, month in enumerate(_MONTHS, start=1) if month.startswith(name.lower()[:3]))


# Longer forms first: they take the words of the shorter.
_MEANINGS = (
    (_ISO_DATE, _date),
    (_DAY_MONTH, _date),
    (_MONTH_DAY, _date),
    (_MONTH_YEAR, _date),
    (_SEASON, _season),
    (_MONTH_ALONE, _month_alone),
    (_PAST_COUNT, _past_count),
    (_AGO, _ago),
    (_NAMED_DAY, _named_day),
    (_WHICH_UNIT, _which_unit),
    (_WHICH_WEEKDAY, _which_weekday),
    (_YEAR_ALONE, _year_alone),
)
