"""The words that a language has for dates, as patterns."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial


@dataclass(frozen=True)
class DateWords:
    """What a language calls its months (1 to 12), its weekdays (Monday is 0) and times seen from today.

    `relatives` has a unit and a count by phrase ("last week": week, -1); `counted` are phrases with a number in them:
    what stands before and after it, the unit, and whether it lies ahead (1) or behind (-1).
    """

    language: str
    months: Mapping[str, int]
    weekdays: Mapping[str, int]
    relatives: Mapping[str, tuple[str, int]]
    counted: Sequence[tuple[str, str, str, int]]


@dataclass(frozen=True)
class DatePatterns:
    """The words of a language as patterns; what it has no words for is None."""

    words: DateWords
    day_month: re.Pattern[str] | None
    month_day: re.Pattern[str] | None
    month_year: re.Pattern[str] | None
    weekday: re.Pattern[str] | None
    relative: re.Pattern[str] | None
    counted: Sequence[tuple[re.Pattern[str], str, int]]


_UNSPACED = frozenset(("ja", "zh", "ko", "th"))
_NUMBER_WORDS = {
    "en": "a an|one|two couple|three few|four|five|six|seven|eight|nine|ten|eleven|twelve",
    "de": "einem einer einen|einem|zwei|drei|vier|fünf|sechs|sieben|acht|neun|zehn|elf|zwölf",
    "fr": "un une|un|deux|trois|quatre|cinq|six|sept|huit|neuf|dix|onze|douze",
    "es": "un una|uno|dos|tres|cuatro|cinco|seis|siete|ocho|nueve|diez|once|doce",
    "it": "un una|uno|due|tre|quattro|cinque|sei|sette|otto|nove|dieci|undici|dodici",
    "pt": "um uma|um|dois duas|três|quatro|cinco|seis|sete|oito|nove|dez|onze|doze",
    "nl": "een|één|twee|drie|vier|vijf|zes|zeven|acht|negen|tien|elf|twaalf",
    "sv": "en ett|en|två|tre|fyra|fem|sex|sju|åtta|nio|tio|elva|tolv",
    "da": "en et|en|to|tre|fire|fem|seks|syv|otte|ni|ti|elleve|tolv",
    "nb": "en et|én|to|tre|fire|fem|seks|sju|åtte|ni|ti|elleve|tolv",
}
COUNTS = {
    language: {
        word: max(1, at) for at, words in enumerate(table.split("|")) for word in words.split()
    }
    for language, table in _NUMBER_WORDS.items()
}  # fmt: skip
_DAY = r"(?P<day>3[01]|[12][0-9]|0?[1-9])(?:st|nd|rd|th|er|re|[ºª°.]|:?e|-?\u0433\u043e)?"
_YEAR = r"(?P<year>(?:1[89]|2[01])[0-9]{2}|['\u2019][0-9]{2})(?![0-9\w])"
_FIRST = (
    r"(?:(?P<first>3[01]|[12][0-9]|0?[1-9])(?:st|nd|rd|th|er|[º°.])?"
    r"(?:\s?[-\u2013\u2014]\s?|\s?(?:to|bis|au|al|tot)\s?|\s(?:bis\szum|a|at\u00e9)\s))?"
)
_LAST = r"(?:\s?[-\u2013\u2014]\s?(?P<last>3[01]|[12][0-9]|0?[1-9])(?![0-9.,:/-]*[0-9]))?"
_OF = r"(?:of|de|del|di|do|da|af|von)"
_NEXT = (
    r"next|coming|following|nächste[nrs]?|kommende[nr]?|prochaine?|próxim[oa]|que\sviene|prossim[oa]|volgende"
    r"|komende|aanstaande|nästa|næste|neste|przyszł\w+|następn\w+|příští|следующ\w+|наступн\w+"
)
_LAST_WEEK = (
    r"last|past|previous|letzte[nrs]?|vergangene[nr]?|vorige[nr]?|derni[eè]re?|pasado|passad[oa]|scors[oa]"
    r"|afgelopen|förra|sidste|forrige|zeszł\w+|ostatni\w*|minul\w+|прошл\w+|минул\w+"
)


def date_patterns(words: DateWords) -> DatePatterns:
    """Compile the words of a language."""
    if words.language in _UNSPACED:
        return DatePatterns(words, None, None, None, None, _phrases(words, "", ""), _counted(words, "", ""))
    compiled = partial(re.compile, flags=re.IGNORECASE)
    month, weekday = _any(words.months), _any(words.weekdays)
    day_month = month_day = month_year = of_weekday = None
    if month:
        named = rf"(?:(?:{weekday})\.?,?\s(?:(?:den|the|de|le|el|il|o)\s)?)?" if weekday else ""
        after = rf"(?:(?:\s{{1,3}}|,\s?|[-/]|\.\s?|\s{_OF}\s){_YEAR})?"
        day_month = compiled(
            rf"(?<![\w.,:/+-]){named}{_FIRST}(?<![0-9]){_DAY}(?:\s{{1,3}}|[-/]|(?<=\.))(?:{_OF}\s)?(?P<month>{month})(?!\w)\.?(?:(?<=\.)(?=\s?\Z))?{after}"
        )
        month_day = compiled(
            rf"(?<![\w]){named}(?P<month>{month})\b\.?(?:\s{{1,3}}|-)(?:the\s)?{_DAY}(?![0-9:%]|[.,][0-9]|\s?[$€£]){_LAST}(?:(?:,\s?|\s{{1,3}})(?:of\s)?{_YEAR})?"
        )
        month_year = compiled(
            rf"(?<!\w)(?<![0-9]\s)(?<![0-9]\.\s)(?P<month>{month})\b\.?(?:\s{{1,3}}|,\s|[-/]|\s{_OF}\s)(?P<year>(?:1[89]|2[01])[0-9]{{2}})(?!\w|[.,][0-9])"
        )
    if weekday:
        of_weekday = compiled(
            rf"(?<!\w)(?:(?:(?P<next>{_NEXT})|(?P<last>{_LAST_WEEK})|this|diese[nrs]?)\s)?(?P<weekday>{weekday})(?!\w)"
            rf"(?:\s(?:(?P<next_after>{_NEXT})|(?P<last_after>{_LAST_WEEK}))(?!\w))?"
        )
    return DatePatterns(
        words, day_month, month_day, month_year, of_weekday, _phrases(words, r"(?<!\w)", r"(?!\w)"),
        _counted(words, r"(?<![\w,.])", r"(?!\w)"),
    )  # fmt: skip


def _any(words: Mapping[str, object]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=lambda word: (-len(word), word)))


def _phrases(words: DateWords, before: str, after: str) -> re.Pattern[str] | None:
    if not words.relatives:
        return None
    phrases = _any(words.relatives).replace(r"\ ", r"\s{1,3}")
    return re.compile(f"{before}(?:{phrases}){after}", re.IGNORECASE)


def _counted(words: DateWords, before: str, after: str) -> Sequence[tuple[re.Pattern[str], str, int]]:
    count = "|".join(("[0-9]{1,3}", *map(re.escape, COUNTS.get(words.language, {}))))
    forms: dict[tuple[str, int], list[str]] = {}
    for left, right, unit, sign in words.counted:
        forms.setdefault((unit, sign), []).append(
            f"{re.escape(left)}({count}){re.escape(right)}".replace(r"\ ", r"\s{1,3}")
        )
    compiled = []
    for (unit, sign), found in forms.items():
        longest_first = "|".join(sorted(found, key=lambda one: (-len(one), one)))
        compiled.append((re.compile(f"{before}(?:{longest_first}){after}", re.IGNORECASE), unit, sign))
    return compiled
