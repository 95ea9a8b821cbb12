"""The words that languages have for dates, out of dateparser's language data."""

import re
from collections.abc import Mapping
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from perdure.domain.date_patterns import DatePatterns, DateWords, date_patterns

_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
    "november", "december",
)  # fmt: skip
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MOVED = re.compile(
    r"(?:in (?P<ahead>\d+|\\1)|(?P<behind>\d+|\\1)) (?P<unit>day|week|fortnight|month|year)(?: ago)?"
)
_COUNT = re.compile(r"\(\\d\+\+\[\.,\]\?\\d\*\+\)")
# Names that other tables give to the same language.
_ALIASES = {"no": "nb"}
# Phrases that its data lacks: unit, count, phrases.
_MORE: Mapping[str, tuple[tuple[str, int, tuple[str, ...]], ...]] = {
    "en": (
        ("day", 2, ("the day after tomorrow",)),
        ("day", -2, ("the day before yesterday",)),
        ("day", 0, ("tonight",)),
    ),
    "de": (
        ("week", 1, ("kommende woche", "nächster woche")),
        ("week", -1, ("letzter woche", "vergangene woche")),
        ("month", 1, ("kommenden monat",)),
    ),
    "fr": (("day", 2, ("après-demain",)), ("day", -2, ("avant-hier",))),
    "es": (
        ("day", 2, ("pasado mañana",)),
        ("day", -2, ("anteayer",)),
        ("week", 1, ("la semana que viene",)),
        ("month", 1, ("el mes que viene",)),
    ),
    "it": (
        ("day", 2, ("dopodomani",)),
        ("week", 1, ("la prossima settimana",)),
        ("week", -1, ("la settimana scorsa",)),
        ("month", 1, ("il mese prossimo",)),
    ),
    "pt": (
        ("day", 2, ("depois de amanhã",)),
        ("day", -2, ("anteontem",)),
        ("week", 1, ("na próxima semana",)),
    ),
    "nl": (("day", -2, ("eergisteren",)),),
    "sv": (("day", 2, ("i övermorgon",)), ("day", -2, ("i förrgår",))),
}
# The same with a number: what stands before it, what after, the unit, and which way.
_MORE_COUNTED: Mapping[str, tuple[tuple[str, str, str, int], ...]] = {
    "fr": (("dans ", " jours", "day", 1), ("d'ici ", " jours", "day", 1), ("dans ", " semaines", "week", 1)),
    "it": tuple(
        (before, after, unit, 1)
        for before in ("tra ", "fra ")
        for after, unit in ((" giorni", "day"), (" settimane", "week"), (" mesi", "month"))
    ),
    "es": (
        ("dentro de ", " días", "day", 1),
        ("dentro de ", " semanas", "week", 1),
        ("en ", " días", "day", 1),
    ),
    "pt": (("daqui a ", " dias", "day", 1), ("em ", " dias", "day", 1)),
    "nl": (("over ", " dagen", "day", 1), ("over ", " weken", "week", 1)),
    "pl": (("", " dni temu", "day", -1), ("za ", " dni", "day", 1)),
}


@lru_cache(maxsize=64)
def patterns_of(language: str) -> DatePatterns | None:
    """The patterns of a language (BCP 47, its first part); None for one that has no data."""
    name = language.split("-", maxsplit=1)[0].lower()
    name = _ALIASES.get(name, name)
    module = f"dateparser.data.date_translation_data.{name}"
    if not re.fullmatch(r"[a-z]{2,3}", name) or find_spec(module) is None:
        return None
    info: Mapping[str, Any] = import_module(module).info
    return date_patterns(
        DateWords(
            name,
            {word: at for at, month in enumerate(_MONTHS, start=1) for word in _words(info, month, 3)},
            {word: at for at, day in enumerate(_WEEKDAYS) for word in _words(info, day, 4)},
            _relatives(name, info),
            _counted(name, info),
        )
    )


def _words(info: Mapping[str, Any], key: str, shortest: int) -> list[str]:
    """Shorter words, and numbers of months as East Asian languages have them, would find what is none."""
    words = {word.lower().strip(" .") for word in info.get(key, ())}
    return sorted(word for word in words if len(word) >= shortest and not any(map(str.isdigit, word)))


def _relatives(name: str, info: Mapping[str, Any]) -> dict[str, tuple[str, int]]:
    found = {}
    for key, phrases in info.get("relative-type", {}).items():
        moved = _MOVED.fullmatch(key)
        for phrase in phrases if moved else ():
            folded = " ".join(phrase.lower().split())
            if (
                moved
                and (len(folded) >= 4 or not folded.isascii())
                and not re.search(r"\b(?:mo|wk|yr|qtr)\b", folded)
            ):
                ahead = moved["ahead"]
                found[folded] = (moved["unit"], int(ahead) if ahead else -int(moved["behind"]))
    more = {phrase: (unit, count) for unit, count, phrases in _MORE.get(name, ()) for phrase in phrases}
    return found | more


def _counted(name: str, info: Mapping[str, Any]) -> tuple[tuple[str, str, str, int], ...]:
    found = list(_MORE_COUNTED.get(name, ()))
    for key, forms in info.get("relative-type-regex", {}).items():
        moved = _MOVED.fullmatch(key)
        for form in forms if moved else ():
            parts = _COUNT.split(form)
            if moved and len(parts) == 2 and not re.search(r"[\\\[\](){}*+?|^$\u2212]", "".join(parts)):
                left, right = parts
                if (unit := (right.split() or left.split() or [""])[-1]) and (
                    len(unit) > 2 or not unit.isascii()
                ):
                    found.append((left, right, moved["unit"], 1 if moved["ahead"] else -1))
    return tuple(dict.fromkeys(found))
