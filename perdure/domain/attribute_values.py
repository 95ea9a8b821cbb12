"""Reads the value of a property out of a sentence, and tells whether two values are the same."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import snowballstemmer

from perdure.domain.attribute_words import (
    COUNTRIES,
    DETERMINERS,
    EMPLOYERS,
    ENDS,
    NO_EMPLOYERS,
    NO_NAMES,
    NO_PLACES,
)

_WORD = re.compile(r"[^\W_](?:[\w\u2019'&+.-]*\w)?")
_QUOTED = re.compile(r"\s*[\"\u201c\u2018']([^\"\u201c\u201d\u2018\n]{1,40}?)[\"\u201d\u2019'](?!\w)")
_ABBREVIATIONS = frozenset(("st", "dr", "mr", "mrs", "ms", "mt", "prof"))
_NUMBERS = {
    "no": "0", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8",
    "nine": "9", "ten": "10", "eleven": "11", "twelve": "12", "thirteen": "13", "fourteen": "14", "fifteen": "15",
    "sixteen": "16", "seventeen": "17", "eighteen": "18", "nineteen": "19", "twenty": "20", "thirty": "30",
    "forty": "40", "fifty": "50", "sixty": "60", "seventy": "70", "eighty": "80", "ninety": "90", "a hundred": "100",
}  # fmt: skip
_TENS = "|".join(word for word in _NUMBERS if word.endswith("ty"))
_NUMBER = re.compile(
    rf"\s*(?:about|almost|nearly|around|roughly|exactly)?\s*[$\u20ac\u00a3]?"
    rf"(?P<number>\d[\d.,]*\d|\d|(?:(?:{_TENS})-(?:one|two|three|four|five|six|seven|eight|nine))"
    rf"|{'|'.join(sorted(_NUMBERS, key=len, reverse=True))})(?![\w%])",
    re.IGNORECASE,
)
_PHONE = re.compile(r"\s*(?P<value>\+?\(?\d[\d\s()./-]{5,22}\d)(?!\w)")
_EMAIL = re.compile(r"\s*(?P<value>[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,5})")
_CODE = re.compile(r"\s*(?P<value>(?=[\w.#*-]*\d)[\w#*][\w.#*-]{1,30}[\w#*])(?!\w)")
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
_MONTH = r"(?P<{0}>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"  # noqa: E501  # one pattern
_TIME = re.compile(
    r"\s*(?:(?:on|at|to|for|by|until|in|next|this|the|coming|early|late|around|morning|afternoon|evening|of)\s+){0,3}"
    rf"(?:(?P<weekday>{'|'.join(_WEEKDAYS)})s?"
    rf"|{_MONTH.format('month')}\.?(?:\s+(?:the\s+)?(?P<after>3[01]|[12]\d|0?[1-9])(?:st|nd|rd|th)?)?(?!\w)"
    rf"|(?P<before>3[01]|[12]\d|0?[1-9])(?:st|nd|rd|th)?\s+(?:of\s+)?{_MONTH.format('month_after')}"
    r"|(?P<iso>(?:19|20)\d\d-\d\d-\d\d)"
    r"|(?P<date>3[01]|[12]\d|0?[1-9])(?:st|nd|rd|th)"
    r"|(?P<hour>2[0-3]|1\d|0?\d)(?:[:.h](?P<minute>[0-5]\d))?\s*(?P<half>[ap]m\b|[ap]\.m\.?|o['\u2019]clock)?"
    r"|(?P<noon>noon|midday|midnight))(?!\w)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Value:
    """A value for comparing, and where it stands. `kind` says what can be compared with what."""

    key: str
    start: int
    end: int
    kind: str = ""


Reader = Callable[[str, int], "list[Value]"]


def _words(text: str, at: int, most: int, passing: frozenset[str] = frozenset()) -> Iterator[re.Match[str]]:
    """Words of the phrase that begins here: until a sign, or a word that begins another phrase."""
    end = at
    for count, match in enumerate(_WORD.finditer(text, at, at + 120)):
        gap = text[end : match.start()]
        lower = match.group().casefold()
        if count == most or (gap.strip() and not (gap.strip() == "." and _last(text, end) in _ABBREVIATIONS)):
            return
        if lower in ENDS and lower not in passing and not _is_name(match.group()):
            return
        yield match
        end = match.end()


def _last(text: str, end: int) -> str:
    return re.split(r"\W", text[max(0, end - 6) : end])[-1].casefold()


def _is_name(word: str) -> bool:
    return (
        (word[0].isupper() or word[0] > "\u02ff")
        and word.casefold() not in NO_NAMES
        and word.casefold() != "i"
    )


def is_casual(text: str) -> bool:
    """Whether a text is written without capitals, so that names have none either."""
    return not any(
        match.group()[0].isupper()
        and not match.group().casefold().startswith(("i'", "i\u2019"))
        and match.group() != "I"
        for match in _WORD.finditer(text[:400])
    )


def _names(words: list[re.Match[str]]) -> list[re.Match[str]]:
    """The first name in a phrase, with the small words inside of it."""
    first = next((n for n, word in enumerate(words) if _is_name(word.group())), None)
    if first is None:
        return []
    last = first
    for n in range(first + 1, len(words)):
        if _is_name(words[n].group()):
            last = n
        elif words[n].group().casefold() not in {
            "of",
            "de",
            "da",
            "del",
            "la",
            "le",
            "am",
            "upon",
            "the",
            "di",
            "van",
        }:
            break
    return words[first : last + 1]


def _joined(words: list[re.Match[str]]) -> str:
    """In small letters; `'s` stays, for it belongs to names of houses."""
    return " ".join(word.group().casefold().replace("\u2019", "'") for word in words)


def _value(words: list[re.Match[str]], kind: str = "") -> list[Value]:
    return [Value(_joined(words), words[0].start(), words[-1].end(), kind)] if words else []


def place(text: str, at: int) -> list[Value]:
    """A place: what has a name; "a village near Ghent" is Ghent."""
    words = list(_words(text, at, 7, frozenset(("in", "near"))))
    named = _names(words)
    if named:
        kind = "country" if _joined(named).removeprefix("the ") in COUNTRIES else "town"
        return _value(named, kind)
    if (
        words
        and is_casual(text)
        and words[0].group().casefold() not in NO_PLACES
        and words[0].group().isalpha()
    ):
        words = words[
            : 2 if words[0].group().casefold() in {"new", "san", "los", "saint", "st", "cape", "tel"} else 1
        ]
        return _value(words, "country" if _joined(words) in COUNTRIES else "town")
    return []


def employer(text: str, at: int) -> list[Value]:
    """A company or house: by name, or as the kind of house that one works for."""
    words = list(_words(text, at, 7))
    if not words:
        return []
    lower = [word.group().casefold().replace("\u2019", "'") for word in words]
    if any(mine.endswith("'s") and other not in EMPLOYERS for mine, other in pairwise(lower)):
        return []  # something of theirs
    if any(_is_name(word.group()) for word in words):
        while words and (words[0].group().casefold() in DETERMINERS or words[0].group().casefold() == "new"):
            words = words[1:]
        return _value(words)
    kinds = [n for n, word in enumerate(lower) if word in EMPLOYERS]
    if kinds and lower[0] in DETERMINERS:
        return _value(
            [word for word in words[1:] if word.group().casefold() not in {"new", "big", "local", "small"}]
        )
    if len(words) == 1 and lower[0] not in NO_EMPLOYERS and lower[0] not in DETERMINERS and is_casual(text):
        return _value(words)
    return []


def person(text: str, at: int) -> list[Value]:
    """Somebody by name; "a doctor called Sven" is Sven."""
    words = list(_words(text, at, 6))
    called = [n for n, word in enumerate(words) if word.group().casefold() in {"called", "named"}]
    if called:
        words = words[called[0] + 1 :]
    elif words and words[0].group().casefold() in {"a", "an", "the", "my", "our"}:
        return []
    return _value(_names(words)[:3]) if words and _is_name(words[0].group()) else []


def name(text: str, at: int) -> list[Value]:
    """What something is called."""
    if quoted := _QUOTED.match(text, at):
        return [Value(quoted.group(1).casefold(), quoted.start(1), quoted.end(1))]
    words = list(_words(text, at, 3))
    if words and _is_name(words[0].group()):
        return _value(_names(words))
    if len(words) == 1 and is_casual(text) and words[0].group().isalpha() and len(words[0].group()) > 1:
        lower = words[0].group().casefold()
        return _value(words) if lower not in DETERMINERS and lower not in NO_PLACES else []
    return []


def term(text: str, at: int) -> list[Value]:
    """A few words, without articles."""
    words = [word for word in _words(text, at, 5) if word.group().casefold() not in DETERMINERS]
    return _value(words[:4])


def number(text: str, at: int) -> list[Value]:
    """A number, in digits or words."""
    match = _NUMBER.match(text, at)
    if match is None:
        return []
    word = match["number"].casefold()
    tens, _, ones = word.partition("-")
    if ones and tens in _NUMBERS:
        key = str(int(_NUMBERS[tens]) + int(_NUMBERS[ones]))
    else:
        key = _NUMBERS.get(word, word.replace(",", ""))
    return [Value(key, match.start("number"), match.end("number"))]


def phone(text: str, at: int) -> list[Value]:
    """A phone number, as its digits."""
    match = _PHONE.match(text, at)
    digits = re.sub(r"\D", "", match["value"]) if match else ""
    return [Value(digits, match.start("value"), match.end("value"))] if match and len(digits) >= 6 else []


def email(text: str, at: int) -> list[Value]:
    """An e-mail address."""
    match = _EMAIL.match(text, at)
    if match is None:
        return []
    found = match["value"].rstrip(".")
    return [Value(found.casefold(), match.start("value"), match.start("value") + len(found))]


def code(text: str, at: int) -> list[Value]:
    """A code or number that names something."""
    match = _CODE.match(text, at)
    return [Value(match["value"].casefold(), match.start("value"), match.end("value"))] if match else []


def moment(text: str, at: int) -> list[Value]:
    """A weekday or date, a time of day, or both, each as a value of its own kind."""
    found: list[Value] = []
    for _ in range(3):
        match = _TIME.match(text, at)
        if match is None:
            break
        parts = match.groupdict()
        kind, key = _moment(parts)
        if (
            kind == "hour"
            and not (parts["half"] or parts["minute"] or parts["noon"])
            and not re.search(
                r"\bat\s+$", text[max(0, match.start("hour") - 5) : match.start("hour")], re.IGNORECASE
            )
        ):
            break  # a bare number is a time after "at" only
        if all(kind != value.kind for value in found):
            start = match.end() - len(match.group().lstrip())
            found.append(Value(key, start, match.end(), kind))
        at = match.end()
        comma = re.compile(r"\s*,?(?=\s)").match(text, at)
        at = comma.end() if comma else at
    return found


def _moment(parts: dict[str, str | None]) -> tuple[str, str]:
    if parts["weekday"]:
        return "weekday", parts["weekday"].casefold()
    month = parts["month"] or parts["month_after"]
    if month:
        number = next(n for n, full in enumerate(_MONTHS, start=1) if full.startswith(month.casefold()[:3]))
        day = parts["after"] or parts["before"]
        return "date", f"{number:02}-{int(day):02}" if day else f"{number:02}"
    if parts["iso"]:
        return "date", parts["iso"][5:]
    if parts["date"]:
        return "day of the month", str(int(parts["date"]))
    if parts["noon"]:
        return "hour", "00:00" if parts["noon"].casefold() == "midnight" else "12:00"
    hour, half = int(parts["hour"] or 0), (parts["half"] or "").casefold()
    if half.startswith("p") and hour < 12:
        hour += 12
    if half.startswith("a") and hour == 12:
        hour = 0
    return "hour", f"{hour:02}:{parts['minute'] or '00'}"


def same(first: str, other: str) -> bool:
    """Whether two values are one, or one says it in more words."""
    if first == other:
        return True
    if first.isdigit() and other.isdigit() and min(len(first), len(other)) >= 7:
        return first[-7:] == other[-7:]
    stem = snowballstemmer.stemmer("english").stemWord
    one, two = (
        {str(stem(word)) for word in value.split() if word not in DETERMINERS} for value in (first, other)
    )
    return one <= two or two <= one
