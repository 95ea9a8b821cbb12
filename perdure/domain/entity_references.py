"""Addresses of the Internet, and numbers of invoices and orders by the words before them."""

import re
from collections.abc import Iterator

from perdure.domain.entities import EMAIL, URL, EntityType
from perdure.domain.entity_finds import EntityFound

_INVOICE = (
    r"tax\sinvoice|invoice|inv|bill|rechnungs?|rg|rng|facture|fact|factura|fattura|fatt|fatura|factuur"
    r"|faktura|faktur[ay]"
    r"|fakturaens|lasku(?:n)?|\u0441\u0447[\u0435\u0451]\u0442"
    r"(?:-\u0444\u0430\u043a\u0442\u0443\u0440\u0430)?|fatura|sz\u00e1mla"
    r"|\u03c4\u03b9\u03bc\u03bf\u03bb\u03cc\u03b3\u03b9\u03bf"
    r"|credit\snote|gutschrifts?|avoir|nota\sde\scr\u00e9dito"
    r"|nota\sfiscal(?:\s(?:eletr\u00f4nica|de\sservi\u00e7os?))?|nfs?-?e|nfc-e|nfs?"
)
_ORDER = (
    r"purchase\sorder|sales\sorder|work\sorder|order|po|p\.o\.|bestell(?:ung|ungs)?|auftrags?|commande"
    r"|cde|bon\sde\scommande"
    r"|pedido|orden(?:\sde\scompra)?|ordine|encomenda|bestelling|bestel|order|best\u00e4llning(?:s)?"
    r"|ordre|ordine"
    r"|zam\u00f3wieni[ae]|objedn\u00e1vk[ay]|tilaus|\u0437\u0430\u043a\u0430\u0437(?:\u0430)?"
)
_MARKER = (
    r"(?:[\s-]?(?:nummer|number|numero|num[ée]ro|n[úu]mero|numer|num|no|nr|n|id|ref(?:erence)?"
    r"|\u043d\u043e\u043c\u0435\u0440)\b\.?"
    r"|\s?(?:n[\u00b0\u00ba]|n\.[\u00b0\u00ba]|\u2116|#))"
)
_NUMBER = r"(?P<number>(?=[A-Z0-9/_.-]*[0-9])[A-Z0-9](?:[A-Z0-9]|[/_.-](?=[A-Z0-9])){1,29})(?![\w/])"
_BETWEEN = r"\s{0,2}(?:is|ist|est|es|\u00e8|lautet)?\s{0,2}[:#]?\s{0,2}"


def _cued(cue: str) -> re.Pattern[str]:
    return re.compile(
        rf"(?<!\w)(?:{cue})(?:(?P<marker>{_MARKER}){{1,2}}{_BETWEEN}|(?P<colon>\s?[:#])\s{{0,2}}"
        rf"|\s(?=[A-Z0-9])|-(?=[A-Z0-9]))"
        rf"{_NUMBER}",
        re.IGNORECASE,
    )


_CUES = ((EntityType.INVOICE_NUMBER, _cued(_INVOICE)), (EntityType.ORDER_NUMBER, _cued(_ORDER)))
# Without "no." before it, four digits may be a year.
_YEAR = re.compile(r"(?:19|20)[0-9]{2}")
_COUNTED = re.compile(
    r"\s?(?:%|[$\u20ac\u00a3\u00a5]|(?:EUR|USD|GBP|CHF)\b|(?:units?|pieces?|items?|pcs|boxes|kg|euros?"
    r"|dollars?|st\u00fcck|pallets?|people|times|days?)\b)",
    re.IGNORECASE,
)
_LETTERED = re.compile(r"[A-Z]+[/_-]?[0-9]", re.IGNORECASE)
_SHORTEST = 4
_CASED = re.compile(r"https?://", re.IGNORECASE)


def references(text: str) -> Iterator[EntityFound]:
    """E-mail addresses, URLs, and numbers of invoices and orders in any of a dozen languages."""
    for match in URL.finditer(text):
        end = _url_end(text, match.start(), match.end())
        said = text[match.start() : end]
        yield EntityFound(EntityType.URL, said, _url(said), match.start(), end, 0.99)
    for match in EMAIL.finditer(text):
        said = match.group().rstrip(".")
        name, _, host = said.rpartition("@")
        value, end = f"{name}@{host.lower()}", match.start() + len(said)
        yield EntityFound(EntityType.EMAIL, said, value, match.start(), end, 0.99)
    for kind, pattern in _CUES:
        for match in pattern.finditer(text):
            marked = bool(match["marker"] or match["colon"])
            number = match["number"]
            if marked or _tells_itself(text, number, match.end("number")):
                yield EntityFound(
                    kind, number, number.upper(), *match.span("number"), 0.95 if marked else 0.8
                )


def _tells_itself(text: str, number: str, end: int) -> bool:
    """Whether it is a number that is no year and counts nothing."""
    if _LETTERED.match(number):
        return True
    digits = sum(map(str.isdigit, number))
    return digits >= _SHORTEST and not _YEAR.fullmatch(number) and not _COUNTED.match(text, end)


def _url_end(text: str, start: int, end: int) -> int:
    """Without the sentence's own marks, and without a bracket that opens before it."""
    while end > start and text[end - 1] in ".,;:!?)]'\u2019*_":
        if text[end - 1] == ")" and text.count("(", start, end) >= text.count(")", start, end):
            break
        end -= 1
    return end


def _url(said: str) -> str:
    with_scheme = said if _CASED.match(said) else f"https://{said}"
    scheme, _, rest = with_scheme.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme.lower()}://{host.lower()}{slash}{path}"
