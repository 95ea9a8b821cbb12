"""Ends, beginnings and middles of months, and ends of quarters and years, as ISO 8601: `Ende Mai`, `fin de mois`."""

import re
from collections.abc import Iterator
from datetime import date, timedelta
from functools import lru_cache

from perdure.domain.date_patterns import DatePatterns
from perdure.domain.entities import EntityType
from perdure.domain.entity_finds import EntityFound

_LIKELY, _UNSURE = 0.85, 0.6
# Words of each language for the end, the beginning and the middle, and what stands between these and the month.
_PARTS = {
    "en": (r"end\sof", r"(?:beginning|start)\sof|early", r"mid|middle\sof", r"the"),
    "de": (r"Ende", r"Anfang|Beginn", r"Mitte", r"des|vom|dieses"),
    "fr": (r"fin", r"début", r"mi|milieu", r"du|de"),
    "es": (r"fin|fines|finales", r"principios|comienzos|inicios", r"mediados", r"de|del"),
    "it": (r"fine", r"inizio", r"metà", r"di|del"),
    "pt": (r"fim|final|finais", r"início|começo", r"meados", r"de|do"),
    "nl": (r"einde?", r"begin", r"medio|half", r"van|de"),
}  # fmt: skip
# This month, quarter and year, and the next month, as they stand after the words for an end.
_SPANS = {
    "en": (r"(?:(?:the|this)\s)?month", r"(?:(?:the|this)\s)?quarter", r"(?:(?:the|this)\s)?year", r"next\smonth"),
    "de": (r"(?:(?:des|dieses)\s)?Monats?", r"(?:(?:des|dieses)\s)?Quartals", r"(?:(?:des|dieses)\s)?Jahres",
           r"(?:des\s)?(?:nächsten|kommenden)\sMonats"),
    "fr": (r"(?:de|du|de\sce)\smois", r"(?:de|du)\strimestre", r"(?:d'|de\sl')année", r"du\smois\sprochain"),
    "es": (r"(?:de|del|de\seste)\smes", r"(?:de|del)\strimestre", r"(?:de|del|de\seste)\saño",
           r"del\s(?:mes\spróximo|próximo\smes|mes\sque\sviene)"),
    "it": (r"(?:(?:del|di|di\squesto)\s)?mese", r"(?:del\s)?trimestre", r"(?:(?:dell'|d'))?anno",
           r"del\s(?:mese\sprossimo|prossimo\smese)"),
    "pt": (r"(?:de|do|deste)\smês", r"(?:de|do)\strimestre", r"(?:de|do|deste)\sano",
           r"do\s(?:próximo\smês|mês\sque\svem)"),
    "nl": (r"(?:van\s)?(?:de(?:ze)?\s)?maand", r"(?:van\shet\s)?kwartaal", r"(?:(?:van\s)?(?:het|dit)\s)?jaar",
           r"(?:van\s)?volgende\smaand"),
}  # fmt: skip
_COMPOUNDS = {
    "en": (r"month[-\s]end|EOM", r"quarter[-\s]end|EOQ", r"year[-\s]end|EOY"),
    "de": (r"Monatsende|Ultimo", r"Quartalsende", r"Jahresende"),
    "nl": (r"maandeinde", r"kwartaaleinde", r"jaareinde"),
}
# Without one of these nothing of this is said: that is quicker to see than where it stands.
_CUES = {
    "en": ("end", "beginning", "start", "early", "mid", "eom", "eoq", "eoy"),
    "de": ("ende", "anfang", "beginn", "mitte", "ultimo"),
    "fr": ("fin", "début", "mi"),
    "es": ("fin", "principios", "comienzos", "inicios", "mediados"),
    "it": ("fine", "inizio", "metà"),
    "pt": ("fim", "fina", "início", "começo", "meados"),
    "nl": ("eind", "begin", "medio", "half"),
}
# Terms, not days: "45 jours fin de mois", "drei Monate zum Monatsende".
_TERM = re.compile(
    r"\b(?:days?|tagen?|jours|días|dias|giorni|dagen|weeks?|wochen?|months?|monaten?|jeweils)"
    r"(?:,|\s(?:net|netto|zum|zu|ab|from|after|the|à|a|al|no))*\s\Z",
    re.IGNORECASE,
)
# Other words, too, unless they have a capital.
_WORDS_TOO = frozenset(("may", "march", "mar"))


@lru_cache(maxsize=16)
def _pattern(language: str, words: tuple[str, ...]) -> re.Pattern[str] | None:
    if language not in _PARTS:
        return None
    end, early, mid, of = _PARTS[language]
    spans = _SPANS[language]
    compounds = _COMPOUNDS.get(language, ("(?!)", "(?!)", "(?!)"))
    months = "|".join(
        sorted((re.escape(word) for word in words if len(word) > 3 or word in {"mai", "mei", "may"}),
               key=len, reverse=True)
    )  # fmt: skip
    year = r"(?:1[89]|2[01])[0-9]{2}"
    return re.compile(
        rf"(?<![\w-])(?:(?:(?P<end>{end})|(?P<early>{early})|(?P<mid>{mid}))[\s-](?:(?:{of})\s)?(?P<named>{months})"
        rf"(?:\s(?:(?:{of})\s)?(?P<year>{year}))?"
        rf"|(?:{end})\s(?:(?:{of})\s)?(?P<bare>{year})"
        rf"|(?:{end})\s(?:(?P<next>{spans[3]})|(?P<month>{spans[0]})|(?P<quarter>{spans[1]})|(?P<whole>{spans[2]}))"
        rf"|(?P<month2>{compounds[0]})|(?P<quarter2>{compounds[1]})|(?P<whole2>{compounds[2]}))(?![\w-]|\s?[0-9])",
        re.IGNORECASE,
    )


def periods(text: str, patterns: DatePatterns, today: date | None) -> Iterator[EntityFound]:
    """The last day of what ends, ten days of a month's beginning or middle; without a year seen from `today`."""
    pattern = _pattern(patterns.words.language, tuple(patterns.words.months))
    lower = text.lower()
    if not any(cue in lower for cue in _CUES.get(patterns.words.language, ())):
        return
    for match in pattern.finditer(text) if pattern else ():
        if match["named"]:
            found = _of_month(match, patterns.words.months.get(match["named"].lower(), 0), today)
            confidence = _LIKELY if match["year"] else _UNSURE
        elif match["bare"]:
            found, confidence = f"{match['bare']}-12-31", _UNSURE
        else:
            found, confidence = _of_now(match, today), _LIKELY
        if found:
            yield EntityFound(EntityType.DATE, match.group(), found, *match.span(), confidence)


def _of_month(match: re.Match[str], month: int, today: date | None) -> str | None:
    word = match["named"]
    if not month or (word.lower() in _WORDS_TOO and not word[0].isupper()):
        return None
    if match["year"]:
        year = int(match["year"])
    elif today is None:
        return None
    else:
        year = min(
            (today.year, today.year + 1, today.year - 1),
            key=lambda one: abs((one - today.year) * 12 + month - today.month),
        )
    if match["end"]:
        return _last_day(year, month).isoformat()
    first = 1 if match["early"] else 11
    return f"{date(year, month, first)}/{date(year, month, first + 9)}"


def _of_now(match: re.Match[str], today: date | None) -> str | None:
    if today is None or _TERM.search(match.string, max(0, match.start() - 24), match.start()):
        return None
    month = today.month
    if match["whole"] or match["whole2"]:
        month = 12
    elif match["quarter"] or match["quarter2"]:
        month = (month + 2) // 3 * 3
    elif match["next"]:
        month += 1
    return _last_day(today.year + (month > 12), (month - 1) % 12 + 1).isoformat()


def _last_day(year: int, month: int) -> date:
    return (date(year, month, 28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
