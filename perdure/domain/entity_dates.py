"""Dates in texts of many languages as ISO 8601; relative ones seen from the document's date.

The words come from outside (`DateWords`), the forms and the reckoning are here: a bare number is never a date, and
neither is a day that no calendar has.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta

from perdure.domain.date_patterns import COUNTS, DatePatterns, DateWords
from perdure.domain.entities import EntityType
from perdure.domain.entity_finds import EntityFound
from perdure.domain.entity_periods import periods

# Where the month stands before the day in numbers.
_MONTH_FIRST = frozenset(("US", "PH", "PR", "GU", "AS", "VI", "FM", "MH", "PW"))
_EVERY = r"every|each|jede[nrs]?|chaque|tous\sles|todos\slos|cada|ogni|elke|iedere|varje|hver|każd\w+|každ\w+|кажд\w+"
_EVERY_BEFORE = re.compile(rf"\b(?:{_EVERY})\s\Z", re.IGNORECASE)
# Before a weekday: what happened is past, else it is ahead.
_HAPPENED = re.compile(
    r"\b(?:was|were|had|did|met|sent|came|went|said|told|paid|bought|got|made|held|took|received|arrived|[a-z]{2,}ed"
    r"|kam|kamen|ging|gingen|traf|trafen|bekam|bekamen|erhielt|erhielten|sprach|sprachen|war|waren|wurden?|hatten?|habe|haben|hat|a\sété|ont|avons|était|fue|fueron|ha|è\sstato)\b"
)
_NO_DAY_BEFORE = re.compile(
    r"\b(?:guten|am|jeden|den|der|heute|gestern|por\sla|la|esta|de\sla|una|cada|goede)\s\Z", re.IGNORECASE
)
_NO_DATE_BEFORE = re.compile(
    r"(?:\bv|\bver\.|version|release|section|chapter|kapitel|abschnitt|absatz|\u00a7|\bart\.?)\s?\Z",
    re.IGNORECASE,
)
# Words for tomorrow that are words for the morning, too.
_MORNINGS = frozenset(("morgen", "mañana"))
# Month words that are other words, too: with a capital only, unless a year follows.
_WORDS_TOO = frozenset(("may", "march", "mar"))
_ISO = re.compile(
    r"(?<![\w.,/+-])(?P<year>(?:1[89]|2[01])[0-9]{2})(?P<mark>[-/.])(?P<month>0?[1-9]|1[0-2])(?P=mark)"
    r"(?P<day>3[01]|[12][0-9]|0?[1-9])(?![0-9])(?!(?P=mark)[0-9])(?:T(?P<clock>[0-2][0-9]:[0-5][0-9])(?::[0-5][0-9](?:\.[0-9]{1,9})?)?"
    r"(?P<zone>Z|[+-][0-2][0-9]:?[0-5][0-9])?)?(?!\w)"
)
_NUMERIC = re.compile(
    r"(?<![\w.,/+-])(?P<one>[0-3]?[0-9])(?P<mark>[./-])\s?(?P<two>[0-3]?[0-9])(?P=mark)\s?(?P<year>(?:1[89]|2[01])[0-9]{2}|[0-9]{2})"
    r"(?![0-9\w%])(?![./,-][0-9])"
)
_DAY_MONTH_DOTS = re.compile(
    r"\b(?:am|bis|bis zum|vom|zum|ab|den|seit|nach dem|vor dem|Montag|Dienstag|Mittwoch|Donnerstag|Freitag"
    r"|Samstag|Sonntag|und|-|\u2013),?\s(?P<day>3[01]|[12][0-9]|0?[1-9])\.\s?(?P<month>1[0-2]|0?[1-9])\.(?!\s?[0-9])"
)
_EAST_ASIAN = re.compile(
    r"(?:(?<![0-9])(?P<year>(?:1[89]|2[01])[0-9]{2})\s?[年년]\s?)?(?<![0-9])(?P<month>1[0-2]|0?[1-9])\s?[月월]\s?"
    r"(?P<day>3[01]|[12][0-9]|0?[1-9])\s?[日日일号]"
)
_QUARTER = re.compile(
    r"(?<!\w)(?:Q(?P<one>[1-4])[\s/-]?(?P<year>(?:19|20)[0-9]{2})|(?P<before>(?:19|20)[0-9]{2})[\s/-]?Q(?P<two>[1-4])"
    r"|(?P<three>[1-4])\.\sQuartal\s(?P<after>(?:19|20)[0-9]{2}))(?![\w-])"
)
_YEAR_BY_CUE = re.compile(
    r"\b(?:the\syear|im\sJahre?|des\sJahres|l'année|l'an|el\saño|nell'anno|o\sano|het\sjaar|året|roku|в)\s"
    r"(?P<year>(?:1[89]|20)[0-9]{2})(?![\w%]|[.,][0-9])(?:\s\u0433\u043e\u0434\u0443)?|\b(?:in|since|until|im)\s(?P<bare>(?:19|20)[0-9]{2})(?=[.,;:!?)]?(?:\s*\Z|\s*\n|[.;!?)]\s|,\s[a-z]))",
    re.IGNORECASE,
)
_CLOCK = re.compile(
    r"(?:,?\s(?:at|um|à|a\slas?|alle(?:\sore)?|ore|om|kl\.?|às|klo|o|в)?\s?|,\s?)"
    r"(?:(?P<hour>[01]?[0-9]|2[0-3])(?::|\s?h\s?)(?P<minute>[0-5][0-9])(?::[0-5][0-9])?(?:\s?(?P<half>[ap])(?:m\b|\.m\.))?(?:\s(?:Uhr|uur)\b)?"
    r"|(?P<hour2>1[0-2]|0?[1-9])\s?(?P<half2>[ap])(?:m\b|\.m\.)|(?P<hour4>[01]?[0-9]|2[0-3])\s?h(?!\w)"
    r"|(?P<hour3>[01]?[0-9]|2[0-3])(?:\.(?P<minute3>[0-5][0-9]))?\s(?:Uhr|uur)\b)(?![\w:])",
    re.IGNORECASE,
)
_SURE, _LIKELY, _UNSURE = 0.97, 0.85, 0.6
# More days of the same month: "May 3, 5 and 7", and "3 and" before "7 May".
_ONE_DAY = r"(?:3[01]|[12][0-9]|0?[1-9])(?:st|nd|rd|th|er|[\u00ba\u00aa\u00b0.](?=[\s,]))?"
_AND = r"(?:and|&|und|et|y|e|en|och|og)"
_BETWEEN_DAYS = r"(?:between|zwischen|entre|tra|tussen|mellan)\s(?:(?:the|dem|le|el|il|o|de)\s)?"
_DAYS_AFTER = re.compile(
    rf"(?P<days>(?:,\s{_ONE_DAY}){{0,6}}),?\s(?:{_AND}|(?P<to>to|through))\s(?:the\s)?(?P<last>{_ONE_DAY})(?:,?\s(?P<year>(?:19|20)[0-9]{{2}}))?"
    r"(?=[.;:!?)\n]|,\s[a-z]|\s*\Z|\s(?:at|in|for|from|with|we|are|is|were|each|respectively)\b)(?![.,:][0-9])",
    re.IGNORECASE,
)
_DAYS_BEFORE = re.compile(
    rf"(?<![\w.,:/+-])(?P<between>{_BETWEEN_DAYS})?(?P<days>{_ONE_DAY}(?:,\s{_ONE_DAY}){{0,6}}),?\s{_AND}\s(?:(?:the|den|dem|le|el|il|o)\s)?\Z",
    re.IGNORECASE,
)
_BETWEEN_BEFORE = re.compile(rf"{_BETWEEN_DAYS}\Z", re.IGNORECASE)
_LONGEST_DAYS = 48
_DIGITS = re.compile("[0-9]+")
_BETWEEN = re.compile(r"[ \u00a0]{1,2}")


def dates(
    text: str,
    languages: Sequence[DatePatterns],
    region: str | None,
    reference: date | None,
    perhaps: Sequence[DatePatterns] = (),
) -> Iterator[EntityFound]:
    """All dates, overlapping ones too. Without a `reference` relative ones are left out, and `May 3` is `--05-03`.

    The text may be in one of the languages `perhaps`: of these, what has a year or no other meaning.
    """
    first = languages[0].words.language if languages else "en"
    month_first = region in _MONTH_FIRST if region else first == "en"
    german = any(one.words.language == "de" for one in languages)
    yield from _numeric(text, month_first=month_first, german=german, reference=reference)
    lower = text.lower()
    for patterns in languages:
        if _says(lower, patterns.words.months):
            yield from _written(text, patterns, reference)
        yield from periods(text, patterns, reference)
        if reference is not None and patterns is languages[0]:
            yield from _relative(text, lower, patterns, reference)
    for patterns in perhaps:
        if _says(lower, patterns.words.months):
            yield from (found for found in _written(text, patterns, None) if not found.value.startswith("-"))
        if reference is not None:
            yield from _relative(text, lower, patterns, reference)


def _says(lower: str, phrases: Iterable[str]) -> bool:
    """Whether all words of a phrase are in a text: a hundred times quicker than to look for where they stand."""
    return any(all(word in lower for word in phrase.split()) for phrase in phrases)


def _numeric(text: str, *, month_first: bool, german: bool, reference: date | None) -> Iterator[EntityFound]:
    for match in _ISO.finditer(text):
        if day := _day(int(match["year"]), int(match["month"]), int(match["day"])):
            clock = f"T{match['clock']}{match['zone'] or ''}" if match["clock"] else None
            yield _found(text, match.start(), match.end(), day.isoformat(), _SURE, clock)
    for match in _NUMERIC.finditer(text):
        yield from _day_of_numbers(text, match, month_first=month_first)
    for match in _EAST_ASIAN.finditer(text):
        year = int(match["year"]) if match["year"] else None
        yield from _in_year(text, match.span(), year, int(match["month"]), int(match["day"]), reference)
    for match in _DAY_MONTH_DOTS.finditer(text) if german else ():
        span = (match.start("day"), match.end())
        yield from _in_year(text, span, None, int(match["month"]), int(match["day"]), reference)
    for match in _QUARTER.finditer(text):
        year = int(match["year"] or match["before"] or match["after"])
        last = 3 * int(match["one"] or match["two"] or match["three"])
        end = (date(year, last, 28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
        yield _found(text, *match.span(), f"{date(year, last - 2, 1)}/{end}", _SURE)
    for match in _YEAR_BY_CUE.finditer(text):
        group = "year" if match["year"] else "bare"
        yield _found(text, *match.span(group), match[group], _LIKELY if match["year"] else _UNSURE)


def _day_of_numbers(text: str, match: re.Match[str], *, month_first: bool) -> Iterator[EntityFound]:
    if _NO_DATE_BEFORE.search(text, max(0, match.start() - 12), match.start()):
        return
    one, two, mark = int(match["one"]), int(match["two"]), match["mark"]
    short = len(match["year"]) == 2
    if short and (mark == "-" or len(match["one"]) + len(match["two"]) < 4 - 2 * (mark == "/")):
        return  # 1.2.24 is a version sooner than a date
    year = 2000 + int(match["year"]) if short else int(match["year"])
    if mark != "." and (two > 12 or (month_first and one <= 12)):
        one, two = two, one
    if day := _day(year, two, one):
        doubtful = mark != "." and one <= 12 and one != two
        confidence = _UNSURE if doubtful else (_LIKELY if short else _SURE)
        yield _found(text, match.start(), match.end(), day.isoformat(), confidence)


def _written(text: str, patterns: DatePatterns, reference: date | None) -> Iterator[EntityFound]:
    months = patterns.words.months
    for pattern in (patterns.day_month, patterns.month_day):
        for match in pattern.finditer(text) if pattern else ():
            parts = match.groupdict()
            word = parts["month"]
            if parts["year"] is None and word.lower() in _WORDS_TOO and not word[0].isupper():
                continue
            month = months.get(word.lower())  # none for a letter that only looks alike, as a long s
            if month is None:
                continue
            if more := _of_several(text, match, parts, month, reference):
                yield from more
                continue
            span = (match.start(), match.end("year") if parts["year"] else _end(match))
            first, last = int(parts["day"]), int(parts.get("last") or parts["day"])
            if parts.get("first"):
                first = int(parts["first"])
            if first <= last:
                yield from _in_year(text, span, _year(parts["year"]), month, first, reference, last)
    for match in patterns.month_year.finditer(text) if patterns.month_year else ():
        if month := months.get(match["month"].lower()):
            yield _found(text, *match.span(), f"{match['year']}-{month:02}", _SURE)


def _of_several(
    text: str, match: re.Match[str], parts: dict[str, str | None], month: int, reference: date | None
) -> list[EntityFound]:
    """Each of several days of a month, or the days from the first to the last; none where only one is named."""
    day, year = match.span("day"), _year(parts["year"])
    if parts.get("first") or parts.get("last"):
        return []
    if match.start("month") < match.start("day"):
        after = None if year else _DAYS_AFTER.match(text, match.end("day"))
        if after is None:
            return []
        year = int(after["year"]) if after["year"] else None
        spans = [day, *(one.span() for one in _DIGITS.finditer(text, after.start("days"), after.end("last")))]
        whole = (match.start(), after.end())
        joined = after["to"] or _BETWEEN_BEFORE.search(text, max(0, whole[0] - 16), whole[0])
    else:
        before = _DAYS_BEFORE.search(text, max(0, match.start() - _LONGEST_DAYS), match.start())
        if before is None:
            return []
        spans = [*(one.span() for one in _DIGITS.finditer(text, *before.span("days"))), day]
        whole = (before.start("days"), match.end("year") if parts["year"] else _end(match))
        joined = before["between"]
    days = [int(text[start:end]) for start, end in spans]
    if days != sorted(set(days)):
        return []
    if joined:
        return (
            list(_in_year(text, whole, year, month, days[0], reference, days[-1])) if len(days) == 2 else []
        )
    # The one beside the month has its name, too.
    beside = 0 if spans[0] == day else -1
    spans[beside] = (match.start(), match.end("day")) if beside == 0 else (match.start(), whole[1])
    return [
        found
        for span, one in zip(spans, days, strict=True)
        for found in _in_year(text, span, year, month, one, reference)
    ]


def _end(match: re.Match[str]) -> int:
    """Without a year, the full stop after the month is the sentence's more often than the month's."""
    last = match.groupdict().get("last")
    end = match.end("last") if last else match.end()
    return end - 1 if match.string[end - 1] in ".," else end


def _in_year(
    text: str, span: tuple[int, int], year: int | None, month: int, day: int, reference: date | None,
    last: int | None = None,
) -> Iterator[EntityFound]:  # fmt: skip
    """A day, or the days until `last`, of the given year, or else of the one that is nearest to the reference."""
    if year is None:
        if reference is None:
            if _day(2024, month, day):
                yield _found(text, *span, f"--{month:02}-{day:02}", _UNSURE)
            return
        near = (_day(one, month, day) for one in (reference.year, reference.year + 1, reference.year - 1))
        found = min((one for one in near if one), key=lambda one: abs(one - reference), default=None)
        confidence = _LIKELY
    else:
        found, confidence = _day(year, month, day), _SURE
    if found is None:
        return
    until = _day(found.year, month, last) if last not in (None, day) else found
    if until is not None:
        value = found.isoformat() if until == found else f"{found}/{until}"
        yield _found(text, *span, value, confidence)


def _relative(text: str, lower: str, patterns: DatePatterns, today: date) -> Iterator[EntityFound]:
    words = patterns.words
    weeks: dict[int, tuple[int, int]] = {}
    seen_from_today = patterns.relative if _says(lower, words.relatives) else None
    for match in seen_from_today.finditer(text) if seen_from_today else ():
        phrase = " ".join(match.group().lower().split())
        if phrase in _MORNINGS and _is_morning(text, match.start()):
            continue
        if phrase in words.relatives:
            unit, count = words.relatives[phrase]
            yield from _moved(text, match.span(), today, unit, count, by_count=False)
    counted = (
        patterns.counted if _says(lower, (f"{left} {right}" for left, right, _, _ in words.counted)) else ()
    )
    for pattern, unit, sign in counted:
        for match in pattern.finditer(text):
            said = next(group for group in match.groups() if group).lower()
            count = int(said) if said.isdigit() else COUNTS.get(words.language, {}).get(said, 0)
            if count:
                yield from _moved(text, match.span(), today, unit, sign * count, by_count=True)
            if count and unit == "week" and sign > 0:
                weeks[match.start()] = (match.end(), count)
    weekday = patterns.weekday if _says(lower, words.weekdays) else None
    for match in weekday.finditer(text) if weekday else ():
        yield from _weekday(text, match, words, today)
        blank = _BETWEEN.match(text, match.end())
        if blank is not None and blank.end() in weeks:
            yield from _weekday_in_weeks(text, match, words, today, *weeks[blank.end()])


def _is_morning(text: str, at: int) -> bool:
    return (at > 0 and text[at].isupper()) or _NO_DAY_BEFORE.search(text, max(0, at - 12), at) is not None


def _weekday(text: str, match: re.Match[str], words: DateWords, today: date) -> Iterator[EntityFound]:
    name = match["weekday"]
    at = words.weekdays.get(name.lower())
    if at is None or _EVERY_BEFORE.search(text, max(0, match.start() - 12), match.start()):
        return
    ahead = (at - today.weekday()) % 7
    if match["last"] or match["last_after"]:
        days, confidence = (ahead - 7), _LIKELY
    elif match["next"] or match["next_after"]:
        days, confidence = (ahead or 7), _LIKELY
    else:
        sentence = re.split(r"[.!?\n]", text[max(0, match.start() - 80) : match.start()])[-1]
        days = ahead - 7 if _HAPPENED.search(sentence) else ahead or 7
        confidence = _UNSURE
    if day := _later(today, days):
        yield _found(text, match.start(), match.end(), day.isoformat(), confidence)


def _weekday_in_weeks(
    text: str, match: re.Match[str], words: DateWords, today: date, end: int, count: int
) -> Iterator[EntityFound]:
    """`Friday in two weeks`: the Friday of that week."""
    at = words.weekdays.get(match["weekday"].lower())
    if at is not None and (day := _later(today, 7 * count + at - today.weekday())):
        yield _found(text, match.start(), end, day.isoformat(), _LIKELY)


def _moved(
    text: str, span: tuple[int, int], today: date, unit: str, count: int, *, by_count: bool
) -> Iterator[EntityFound]:
    """So many units from today: a day for days and counted weeks, else the whole week, month or year."""
    value = None
    if unit in {"month", "year"}:
        months = today.year * 12 + today.month - 1 + count * (12 if unit == "year" else 1)
        if 12 <= months < 12 * 9999:
            value = f"{months // 12:04}" if unit == "year" else f"{months // 12:04}-{months % 12 + 1:02}"
    elif day := _later(today, count * {"day": 1, "week": 7, "fortnight": 14}[unit]):
        week = day.isocalendar()
        value = day.isoformat() if by_count or unit == "day" else f"{week.year:04}-W{week.week:02}"
    if value:
        yield _found(text, *span, value, _LIKELY)


def _found(
    text: str, start: int, end: int, value: str, confidence: float, clock: str | None = None
) -> EntityFound:
    """With the time of day that stands right after it, where it is a day."""
    if (
        clock is None
        and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value)
        and (after := _CLOCK.match(text, end))
    ):
        hour = int(after["hour"] or after["hour2"] or after["hour3"] or after["hour4"])
        half = (after["half"] or after["half2"] or "").lower()
        if half and hour <= 12:
            hour = hour % 12 + (12 if half == "p" else 0)
        end, clock = after.end(), f"T{hour:02}:{after['minute'] or after['minute3'] or '00'}"
    return EntityFound(EntityType.DATE, text[start:end], value + (clock or ""), start, end, confidence)


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _later(day: date, days: int) -> date | None:
    try:
        return day + timedelta(days=days)
    except OverflowError:
        return None


def _year(said: str | None) -> int | None:
    if said is None:
        return None
    return 2000 + int(said[1:]) if len(said) == 3 else int(said)
