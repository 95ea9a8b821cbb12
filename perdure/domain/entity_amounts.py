"""Money, percentages and quantities in texts, with their decimal value as the text's language writes numbers."""

import re
from collections.abc import Iterator
from decimal import Decimal

from perdure.domain.entities import EntityType
from perdure.domain.entity_finds import EntityFound
from perdure.domain.entity_units import MULTIPLES, SYMBOLS, UNITS

_GROUPED = (
    r"[0-9]{1,3}(?P<%s>[.,'\u2019\u00a0\u202f\u2009])[0-9]{3}(?:(?P=%s)[0-9]{3}){0,6}"
    r"(?:[.,][0-9]{1,2}(?![0-9]))?"
)
_BLANKS = r"[0-9]{1,3}(?: [0-9]{3}){1,6}(?![0-9])(?:[.,][0-9]{1,2}(?![0-9]))?"
# With two decimals after a comma, blanks part thousands in any language.
_BLANKS_AND_CENTS = r"[0-9]{1,3}(?: [0-9]{3}){1,6},[0-9]{2}(?![0-9])"
_INDIAN = r"[0-9]{1,2}(?:,[0-9]{2}){1,5},[0-9]{3}(?:\.[0-9]{1,2})?"
_PLAIN = r"[0-9]{1,15}(?:[.,][0-9]{1,6})?"
# A comma is what parts the decimals here, and blanks may part thousands.
_COMMAS = """
de fr es it pt nl sv da no nb fi pl cs ru uk tr hu ro el bg hr sl sk ca
"""
_COMMA = frozenset(_COMMAS.split())
_CODES = (
    "EUR|USD|GBP|CHF|JPY|CNY|RMB|INR|SEK|NOK|DKK|PLN|CZK|HUF|RON|BGN|ISK|TRY|RUB|UAH|CAD|AUD|NZD|SGD|HKD|ZAR|BRL|MXN|ARS"
    "|CLP|COP|ILS|AED|SAR|KRW|THB|IDR|MYR|PHP|VND|TWD|EGP|NGN|KES|PKR|BDT"
)
# Signs that several currencies share, by region; else what they mean most often.
_DOLLARS = {
    "AR": "ARS",
    "CL": "CLP",
    "CO": "COP",
    "CA": "CAD",
    "AU": "AUD",
    "NZ": "NZD",
    "SG": "SGD",
    "HK": "HKD",
    "MX": "MXN",
    "TW": "TWD",
}
_CROWNS = {
    "SE": "SEK",
    "NO": "NOK",
    "DK": "DKK",
    "IS": "ISK",
    "sv": "SEK",
    "no": "NOK",
    "nb": "NOK",
    "da": "DKK",
}
_SIGNS = {
    "US$": "USD", "C$": "CAD", "CA$": "CAD", "A$": "AUD", "AU$": "AUD", "NZ$": "NZD", "S$": "SGD", "HK$": "HKD",
    "R$": "BRL", "NT$": "TWD", "MX$": "MXN", "\u20ac": "EUR", "\u00a3": "GBP", "\u20b9": "INR", "\u20a9": "KRW",
    "\u20aa": "ILS", "\u20ba": "TRY", "\u20bd": "RUB", "\u20b4": "UAH", "\u20ab": "VND", "\u20b1": "PHP",
    "\u20a6": "NGN", "\u0e3f": "THB", "z\u0142": "PLN", "k\u010d": "CZK", "ft": "HUF", "fr.": "CHF", "sfr.": "CHF",
    "rs.": "INR", "rs": "INR", "\u5143": "CNY", "\u5186": "JPY", "\uc6d0": "KRW",
}  # fmt: skip
_NAMES = (
    (r"euros?|eur", "EUR"),
    (r"us[ -]dollars?|u\.s\. dollars?|usd", "USD"),
    (r"canadian dollars?", "CAD"),
    (r"australian dollars?", "AUD"),
    (r"dollars?|d[oó]lares|dollari|dollar|bucks", "$"),
    (r"pounds sterling|british pounds|quid|gbp", "GBP"),
    (r"swiss francs?|schweizer franken|franken|francs suisses|franchi svizzeri|chf", "CHF"),
    (r"yen", "JPY"),
    (r"yuan|renminbi", "CNY"),
    (r"rupees?", "INR"),
    (r"zlotys?|z\u0142otych|z\u0142ote", "PLN"),
    (r"kronor|kroner|kronen|kr\.?", "kr"),
    (r"\u0440\u0443\u0431(?:\u043b\u0435\u0439|\u043b\u044f|\u043b\u044c|\.)?", "RUB"),
)
_SCALES = (
    (r"k|tsd\.?|tausend|thousand|mille|mil|mila|duizend|tusen|\u0442\u044b\u0441\.?", 3),
    (r"lakh", 5),
    (
        r"m|mn|mm|mio\.?|million(?:s|en)?|millones|mill\u00f3n|milioni|milione|milh\u00f5es|milh\u00e3o|miljoen"
        r"|miljoner|mln\.?|\u043c\u043b\u043d\.?",
        6,
    ),
    (r"crore", 7),
    (
        r"bn|b|billions?|mrd\.?|milliarden?|milliards?|miliardi|miliardo|miljard(?:er)?|mld\.?|mil millones"
        r"|\u043c\u043b\u0440\u0434\.?",
        9,
    ),
    (r"tn|trillions?|billionen", 12),
)  # fmt: skip
_WIDE = {"\uff04": "$", "\uffe5": "\u00a5"}
# Written without decimals.
_WHOLE = frozenset(("JPY", "KRW", "VND", "CLP", "ISK"))
# After these, and as the end of opening hours, 17h is a time of day.
_OCLOCK_AFTER = re.compile(
    r"\b(?:\u00e0s?|vers|d\u00e8s|das|at\u00e9|las|jusqu['\u2019]\u00e0|um|at|ab)\s\Z", re.IGNORECASE
)
_UNTIL = re.compile(r"\s(?:\u00e0|a|\u00e0s|bis|at\u00e9|\u2013|-)\s(?:las\s)?[0-9]{1,2}\s?h", re.IGNORECASE)
_OPEN_FROM = re.compile(r"(?<![\w.,])[0-9]{1,2}\s?h?\s?[-\u2013]\s?\Z", re.IGNORECASE)
_PERCENT = (
    r"%|\uff05|\u066a|percent|per\scent|pct\.?|prozent|pour\scent|por\sciento|per\scento|procent|prosent|por\scento"
    r"|prosenttia"
)


def _number(blanks: bool, at: str) -> str:
    grouped = _GROUPED % (f"mark{at}", f"mark{at}")
    forms = [_INDIAN, grouped, _BLANKS if blanks else _BLANKS_AND_CENTS, _PLAIN]
    return rf"(?P<number{at}>{'|'.join(forms)})"


def _minus(at: str) -> str:
    """A hyphen before a number is a sign where nothing stands before it."""
    return rf"(?P<minus{at}>(?<![\w.,)])[-\u2212]\s?)?"


_BLANK = r"[\s\u00a0\u202f]"
# 1.200,-- ends in dashes.
_DASHES = r"(?:[.,](?:-{1,2}|[\u2013\u2014])(?![0-9]))?"
# After a letter and a hyphen, and inside of a longer number, none begins; after a digit and a hyphen a range ends.
_BEGINS = r"(?<![\w.,/:#])(?<![^\W0-9][-\u2212])(?<![.,][-\u2212])"


_SCALE = "(?i:" + "|".join(f"(?:{words})" for words, _ in reversed(_SCALES)) + ")"
# "and" joins the ends of a range only after "between", and "from 5 to 10" may tell of a change.
_TO = r"[-\u2212]|\s?[\u2013\u2014]\s?|\s(?:to|bis|\u00e0|al?|at\u00e9|tot|till)\s"
_BETWEEN = r"(?:between|zwischen|entre|tra|tussen|mellan)\s"
_LONGEST_START = 40


def _starts(blanks: bool) -> re.Pattern[str]:
    """What stands before the last number of a range."""
    return re.compile(
        rf"(?<!\bfrom\s)(?<![\w.,/:#\u20ac\u00a3$-])(?:(?P<between>{_BETWEEN})?){_number(blanks, '')}"
        rf"(?:{_TO}|(?(between)\s(?:and|und|et|y|e|en|och)\s|(?!)))\Z",
        re.IGNORECASE,
    )


def _ends(blanks: bool) -> re.Pattern[str]:
    """What stands after the first number of a range of money whose sign is ahead."""
    return re.compile(
        rf"(?:[-\u2212]|\s?\u2013\s?){_number(blanks, '')}(?:{_BLANK}?(?P<scale>{_SCALE})(?!\w))?"
        r"(?![\w%])(?![.,/:-][0-9])"
    )


_STARTS = {blanks: _starts(blanks) for blanks in (False, True)}
_ENDS = {blanks: _ends(blanks) for blanks in (False, True)}


def _compiled(blanks: bool) -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    scale = _SCALE
    by_length = sorted(_SIGNS, key=len, reverse=True)
    lettered = "|".join(re.escape(sign) for sign in by_length if sign[0].isalpha() and "$" not in sign)
    signs = "|".join(re.escape(sign) for sign in by_length if not sign[0].isalpha() or "$" in sign)
    names = "|".join(words for words, _ in _NAMES)
    # "TRY 2" asks for a second try.
    coded = rf"(?:(?!TRY)(?:{_CODES})|(?i:sfr\.|fr\.|rs\.?|kr\.?))(?=[\s\u00a0\u202f0-9-])"
    before = rf"{signs}|[$\u00a5\uff04\uffe5]|{coded}"
    after = rf"(?:{signs}|[$\u00a5])(?![0-9])|(?:{_CODES})\b|(?i:{lettered}|{names})(?!\w)"
    money = re.compile(
        rf"{_minus('1')}(?<![^\W\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af])(?<![$\u20ac\u00a3])(?P<before>{before}){_BLANK}?(?P<minus3>[-\u2212])?"
        rf"{_number(blanks, '1')}{_DASHES}(?:{_BLANK}?(?P<scale1>{scale})(?!\w))?(?![0-9])(?:\s(?P<code>{_CODES})\b)?"
        rf"|{_minus('2')}{_BEGINS}{_number(blanks, '2')}{_DASHES}(?:{_BLANK}?(?P<scale2>{scale})(?!\w))?"
        rf"{_BLANK}?(?:(?:de|d['\u2019]|di)\s?)?(?P<after>{after})"
    )
    percent = re.compile(
        rf"{_minus('1')}{_BEGINS}{_number(blanks, '1')}{_BLANK}?(?:{_PERCENT})(?![\w%])", re.IGNORECASE
    )
    folded = "|".join(words for _, words in UNITS)
    exact = "|".join(words for _, words in SYMBOLS)
    quantity = re.compile(
        rf"{_minus('1')}{_BEGINS}(?<![$\u20ac\u00a3]){_number(blanks, '1')}(?:{_BLANK}|-)?"
        rf"(?:(?P<exact>{exact})|(?P<folded>(?i:{folded})))(?![\w\u00b2\u00b3/])"
    )
    return money, percent, quantity


_BY_LANGUAGE = {blanks: _compiled(blanks) for blanks in (False, True)}
_SCALE_WORDS = [(re.compile(words, re.IGNORECASE), power) for words, power in _SCALES]
_CURRENCY_NAMES = [(re.compile(words, re.IGNORECASE), currency) for words, currency in _NAMES]
_UNIT_WORDS = [(re.compile(words, re.IGNORECASE), unit) for unit, words in UNITS]
_EXACT_WORDS = [(re.compile(words), unit) for unit, words in SYMBOLS]


def amounts(text: str, language: str | None, region: str | None) -> Iterator[EntityFound]:
    """All money, percentages and quantities. What a comma means, the number's form tells, else the language."""
    comma = language in _COMMA
    money, percent, quantity = _BY_LANGUAGE[comma]
    for match in money.finditer(text):
        if found := _money(match, comma, language, region):
            yield found
    for match in percent.finditer(text):
        value = _signed(match["minus1"], decimal_value(match["number1"], comma=comma))
        start, least = _range_start(match, value, comma)
        yield EntityFound(
            EntityType.PERCENTAGE, text[start : match.end()], least + _plain(value), start, match.end(), 0.97
        )
    for match in quantity.finditer(text):
        said, table = (match["exact"], _EXACT_WORDS) if match["exact"] else (match["folded"], _UNIT_WORDS)
        unit = next(unit for words, unit in table if words.fullmatch(said))
        times, unit = MULTIPLES.get(unit, (1, unit))
        value = _signed(match["minus1"], decimal_value(match["number1"], comma=comma))
        if unit == "h" and _is_oclock(text, match, value):
            continue
        start, least = _range_start(match, value, comma, times)
        confidence = 0.75 if len(said) == 1 else 0.9
        yield EntityFound(
            EntityType.QUANTITY, text[start : match.end()], f"{least}{_plain(times * value)} {unit}", start,
            match.end(), confidence,
        )  # fmt: skip


def _is_oclock(text: str, match: re.Match[str], value: Decimal) -> bool:
    at, before = match.start(), max(0, match.start() - 12)
    return value <= 24 and bool(
        _OCLOCK_AFTER.search(text, before, at)
        or _UNTIL.match(text, match.end())
        or (value >= 12 and _OPEN_FROM.search(text, before, at))
    )


def _range_start(match: re.Match[str], value: Decimal, comma: bool, times: int = 1) -> tuple[int, str]:
    """Where the range begins that ends with a number, and its least value with a slash; else what it is alone."""
    start = match.start()
    if before := _STARTS[comma].search(match.string, max(0, start - _LONGEST_START), start):
        least = decimal_value(before["number"], comma=comma)
        if least < value:
            return before.start("number"), f"{_plain(times * least)}/"
    return start, ""


def decimal_value(number: str, *, comma: bool, money: bool = False) -> Decimal:
    """What a number says. `comma`: one comma or full stop alone with three digits after it parts no thousands.

    Of money it always does: amounts have two decimals, or none.
    """
    bare = re.sub(r"[\s\u00a0\u202f\u2009'\u2019]", "", number)
    marks = [one for one in bare if one in ".,"]
    if not marks:
        return Decimal(bare)
    last = marks[-1]
    whole, _, after = bare.rpartition(last)
    grouped = len(set(marks)) == 1 and (
        len(marks) > 1
        or (len(after) == 3 and len(whole) <= 3 and whole != "0" and (money or (last == ".") == comma))
    )
    if grouped:
        return Decimal(bare.replace(last, ""))
    return Decimal(f"{re.sub('[.,]', '', whole)}.{after}")


def _money(match: re.Match[str], comma: bool, language: str | None, region: str | None) -> EntityFound | None:
    ahead = match["before"] is not None
    sign = match["before"] if ahead else match["after"]
    number, scale = (match["number1"], match["scale1"]) if ahead else (match["number2"], match["scale2"])
    currency, sure = _currency(sign, match["code"], language, region)
    feet = sign in {"ft", "FT"} and "hu" not in {language, (region or "").lower()}
    if currency is None or feet:
        return None
    minus = match["minus1"] or match["minus2"] or match["minus3"]
    start, end, numbers = match.start(), match.end(), [number]
    if ahead and not (scale or match["code"]) and (after := _ENDS[comma].match(match.string, end)):
        numbers, scale, end = [number, after["number"]], after["scale"], after.end()
    elif not ahead and (before := _STARTS[comma].search(match.string, max(0, start - _LONGEST_START), start)):
        numbers, start = [before["number"], number], before.start("number")
    values = [_scaled(each, scale, comma) for each in numbers]
    if len(values) == 2 and (minus or values[0] >= values[1]):
        start, end = match.span()
        scale = None if ahead else scale
        values = [_scaled(number, scale, comma)]
    said = "/".join(_in_currency(_signed(minus, value), currency) for value in values)
    confidence = 0.97 if sure else 0.85
    return EntityFound(
        EntityType.MONEY, match.string[start:end], f"{said} {currency}", start, end, confidence
    )


def _scaled(number: str, scale: str | None, comma: bool) -> Decimal:
    value = decimal_value(number, comma=comma, money=scale is None)
    if scale:
        power = next(power for words, power in _SCALE_WORDS if words.fullmatch(scale))
        value = value * Decimal(10) ** power
    return value


def _in_currency(value: Decimal, currency: str) -> str:
    if currency not in _WHOLE and -value.as_tuple().exponent < 2:  # type: ignore[operator]  # finite: of digits only
        value = value.quantize(Decimal("0.01")) if abs(value) < Decimal(10) ** 24 else value
    plain = f"{value:f}"
    return plain.rstrip("0").rstrip(".") if currency in _WHOLE and "." in plain else plain


def _currency(
    sign: str, code: str | None, language: str | None, region: str | None
) -> tuple[str | None, bool]:
    """The currency, and whether the sign means no other."""
    if code:
        return _china(code), True
    sign = _WIDE.get(sign, sign)
    lower = sign.lower()
    name = next((currency for words, currency in _CURRENCY_NAMES if words.fullmatch(sign)), None)
    if sign == "$" or name == "$":
        return _DOLLARS.get(region or "", "USD"), region is not None
    if sign == "\u00a5":
        return ("CNY", True) if region == "CN" or language == "zh" else ("JPY", region is not None)
    if name == "kr" or lower.rstrip(".") == "kr":
        return _CROWNS.get(region or "") or _CROWNS.get(language or ""), region is not None
    if name:
        return name, True
    return _SIGNS.get(sign) or _SIGNS.get(lower) or _china(sign.upper()), True


def _china(code: str) -> str:
    return "CNY" if code == "RMB" else code


def _signed(minus: str | None, value: Decimal) -> Decimal:
    return -value if minus else value


def _plain(value: Decimal) -> str:
    said = f"{value:f}"
    return (said.rstrip("0").rstrip(".") or "0") if "." in said else said
