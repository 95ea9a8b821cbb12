"""Postal addresses as their countries write them: a street with a number, and mostly a postcode and a town."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from perdure.domain.entities import EntityType
from perdure.domain.entity_finds import EntityFound


@dataclass(frozen=True, slots=True)
class _Form:
    """How addresses look somewhere. `town` follows the street; without it the street alone is told less surely."""

    street: str
    town: str


_UP = r"[A-Z\u00c0-\u00d6\u00d8-\u00de\u0141\u015a\u017b\u010c\u0160\u017d]"
_NAME = rf"{_UP}[\w'\u2019.-]{{1,30}}"
_NAMES = (
    rf"{_NAME}(?:[ -](?:(?:de|la|le|les|du|des|di|del|della|da|do|dos|das|van|der|den|am|an|im|of|the|sur"
    rf"|en|upon)[ -]){{0,2}}{_NAME}){{0,3}}"
)
# Between the lines of an address.
_BREAK = r"(?:[ \t]?,[ \t]?|[ \t]?\n[ \t]{0,8}|[ \t]?[|\u00b7][ \t]?|, ?\n ?)"
_HOUSE = r"[0-9]{1,4}(?:[ -]?[a-zA-Z](?![\w]))?(?:[-/\u2013][0-9]{1,4}[a-zA-Z]?){0,3}"
_LEVEL = (
    rf"(?:{_BREAK}(?:(?:Top|Stg\.?|Stiege|T\u00fcr|Apt\.?|Apartment|Suite|Ste\.?|Unit|Flat|Floor|App\.?"
    rf"|Piso|Planta|\u00c9tage|Int\.?|#)[ ]?[\w-]{{1,6}}|[0-9]{{1,2}}(?:st|nd|rd|th) [Ff]loor))?"
)
_AMERICAN_STREET = (
    r"Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Place|Pl|Square|Sq|Way"
    r"|Parkway|Pkwy|Circle"
    r"|Cir|Terrace|Ter|Highway|Hwy|Close|Crescent|Gardens|Grove|Mews|Row|Hill|Walk|Quay|Plaza|Broadway"
)
_STATES = (
    "AL|AK|AZ|AR|CA|CO|CT|DE|FL|GA|HI|ID|IL|IN|IA|KS|KY|LA|ME|MD|MA|MI|MN|MS|MO|MT|NE|NV|NH|NJ|NM|NY|NC|ND|OH|OK|OR|PA|RI"
    "|SC|SD|TN|TX|UT|VT|VA|WA|WV|WI|WY|DC|PR"
)
_PROVINCES = "AB|BC|MB|NB|NL|NS|NT|NU|ON|PE|QC|SK|YT"
_BRITISH_CODE = r"[A-Z]{1,2}[0-9][0-9A-Z]? ?[0-9][A-Z]{2}"
_GERMAN_STREET = (
    rf"(?:{_UP}[\w\u00df'.-]{{0,25}}(?:stra\u00dfe|strasse|str\.|gasse|weg|platz|allee|ring|damm|ufer"
    rf"|markt|steig|zeile|hof|graben|kai|berg)"
    rf"|(?:{_NAME}[ -]){{1,3}}(?:Stra\u00dfe|Strasse|Str\.|Gasse|Weg|Platz|Allee|Ring|Damm|Ufer|Markt"
    rf"|Graben|Kai)"
    rf"|(?:Am|An der|Auf der|Im|In der|Zum|Zur|Unter den) {_UP}[\w\u00df-]{{2,25}})"
)
_FORMS = (
    # 350 Fifth Avenue, Suite 3300, New York, NY 10118
    _Form(
        rf"[0-9]{{1,6}}[A-Z]?(?: [NSEW]\.?| North| South| East| West)? (?:(?:{_NAME}|[0-9]{{1,3}}(?:st"
        rf"|nd|rd|th)) ){{1,4}}?(?:{_AMERICAN_STREET})\b\.?(?: [NSEW]{{1,2}}\b)?{_LEVEL}",
        rf"{_NAMES}(?:,? (?:{_STATES}),? [0-9]{{5}}(?:-[0-9]{{4}})?|,? (?:"
        rf"{_PROVINCES}),? [A-Z][0-9][A-Z] ?[0-9][A-Z][0-9]|(?:{_BREAK}|,? )(?:{_NAMES}{_BREAK})?"
        rf"{_BRITISH_CODE}|,? (?:NSW|VIC|QLD|WA|SA|TAS|ACT|NT),? [0-9]{{4}})\b",
    ),
    # Mariahilfer Straße 12/3/4, 1060 Wien
    _Form(
        rf"{_GERMAN_STREET} {_HOUSE}{_LEVEL}",
        rf"(?:(?:D|A|CH|DE|AT|LI)[ -])?[0-9]{{4,5}} {_NAMES}",
    ),
    # 12 bis, rue de la Paix, 75002 Paris
    _Form(
        rf"[0-9]{{1,4}}(?: ?(?:bis|ter|quater|[A-D])\b)?,? (?:[Rr]ue|[Aa]venue|[Aa]v\.|[Bb]oulevard"
        rf"|[Bb]d|[Pp]lace|[Cc]hemin|[Qq]uai|[Aa]ll\u00e9e|[Ii]mpasse|[Rr]oute|[Cc]ours|[Ss]quare"
        rf"|[Pp]assage)"
        rf"(?: (?:de|du|des|la|le|les|l['\u2019]|d['\u2019]))*[ '\u2019]?{_NAMES}{_LEVEL}",
        rf"(?:(?:F|B|L|CH)-)?[0-9]{{4,5}} {_NAMES}(?: [Cc]edex(?: [0-9]{{1,2}})?)?",
    ),
    # Rue de la Loi 16, 1000 Bruxelles
    _Form(
        rf"(?:[Rr]ue|[Aa]venue|[Aa]v\.|[Bb]oulevard|[Bb]d|[Cc]hauss\u00e9e|[Cc]hemin|[Qq]uai)"
        rf"(?: (?:de|du|des|la|le|les|l['\u2019]|d['\u2019]))*[ '\u2019]?{_NAMES},? {_HOUSE}"
        rf"(?: ?(?:bte|bo\u00eete|b) ?[0-9]{{1,4}})?",
        rf"(?:(?:B|BE|L|LU|CH)-)?[0-9]{{4}} {_NAMES}",
    ),
    # Calle de Alcalá, 45, 28014 Madrid
    _Form(
        rf"(?:Calle|C/|Avda\.?|Avenida|Av\.|Plaza|Pza\.?|Paseo|Ronda|Carrer|Camino)(?: (?:de|del|la|las"
        rf"|los|el))* ?{_NAMES},? ?(?:n[\u00ba\u00b0]\.? ?)?{_HOUSE}"
        rf"(?:, ?[0-9]{{1,2}}[\u00ba\u00aa\u00b0](?: ?[A-Z])?)?",
        rf"[0-9]{{5}} {_NAMES}",
    ),
    # Via Garibaldi 12, 20121 Milano (MI)
    _Form(
        rf"(?:Via|Viale|Piazza|Piazzale|Corso|Largo|Vicolo|Strada)(?: (?:di|del|della|delle|dei|degli"
        rf"|d['\u2019]))* ?{_NAMES},? ?{_HOUSE}",
        rf"(?:I-)?[0-9]{{5}} {_NAMES}(?: \(?[A-Z]{{2}}\)?)?",
    ),
    # Keizersgracht 123, 1015 CJ Amsterdam
    _Form(
        rf"{_UP}[\w'.-]{{1,25}}(?:straat|laan|weg|plein|gracht|kade|singel|dijk|steeg|hof|park|dreef) "
        rf"{_HOUSE}",
        rf"[0-9]{{4}} ?[A-Z]{{2}} {_NAMES}",
    ),
    # Rua Augusta, 274, 1100-053 Lisboa
    _Form(
        rf"(?:Rua|Avenida|Av\.|Pra\u00e7a|Largo|Travessa|Estrada|Alameda)(?: (?:de|do|da|dos|das))* ?"
        rf"{_NAMES},? ?(?:n\.?[\u00ba\u00b0]\.? ?)?{_HOUSE}",
        rf"[0-9]{{4}}-[0-9]{{3}} {_NAMES}|{_NAMES} ?[-,] ?[A-Z]{{2}},? [0-9]{{5}}-[0-9]{{3}}",
    ),
    # Drottninggatan 5, 111 51 Stockholm
    _Form(
        rf"{_UP}[\w'-]{{1,25}}(?:gatan|gata|v\u00e4gen|gaten|veien|gade|vej|all\u00e9|torget|plads"
        rf"|plats|katu|tie) {_HOUSE}",
        rf"(?:(?:S|N|DK|FI|SE)-)?(?:[0-9]{{3}} [0-9]{{2}}|[0-9]{{4,5}}) {_NAMES}",
    ),
    # ul. Marszałkowska 12/5, 00-590 Warszawa
    _Form(
        rf"(?:ul\.|al\.|pl\.|os\.) {_NAMES} {_HOUSE}(?: ?m\. ?[0-9]{{1,4}})?",
        rf"[0-9]{{2}}-[0-9]{{3}} {_NAMES}",
    ),
    # PO Box 1234, Postfach 12 34 56
    _Form(
        r"(?:P\.? ?O\.? Box|Postfach|Bo\u00eete postale|BP|Apartado(?: de Correos)?|Casella Postale"
        r"|Postbus) [0-9]{1,6}(?: [0-9]{2,3}){0,2}",
        rf"(?:(?:D|A|CH)-)?[0-9]{{4,5}}(?: [A-Z]{{2}})? {_NAMES}|{_NAMES},? (?:{_STATES}) [0-9]{{5}}",
    ),
)
# "1060 Wien. Tel": no town is cut short after so many letters.
_NEXT_SENTENCE = re.compile(r"(?<=\w{4})\. ")
_PATTERNS = tuple(
    re.compile(
        rf"(?<![\w.-]){form.street}(?:(?:{_BREAK}| (?=[0-9]{{4,5}} [A-Z]))(?P<town>{form.town}))?(?!\w|/[0-9])"
    )
    for form in _FORMS
)


def addresses(text: str) -> Iterator[EntityFound]:
    """Postal addresses of the United States, Canada, Great Britain, Australia and a dozen countries of Europe."""
    for pattern in _PATTERNS:
        for match in pattern.finditer(text):
            # The full stop of the sentence belongs to no name, unless it is cut short: "Hauptstr."
            said = match.group().removesuffix(".") if match["town"] else match.group()
            if match["town"] and (over := _NEXT_SENTENCE.search(said, match.start("town") - match.start())):
                said = said[: over.start()]
            value = re.sub(r"\s*(?:\n|[|\u00b7])\s*", ", ", said)
            value = re.sub(r"\s+", " ", value.replace(",,", ","))
            end = match.start() + len(said)
            confidence = 0.92 if match["town"] else 0.6
            yield EntityFound(EntityType.ADDRESS, said, value, match.start(), end, confidence)
