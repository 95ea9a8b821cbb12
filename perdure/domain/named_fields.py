"""Fields of a schema whose names say what they are, filled from what a text names: no model, and no guessing."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from perdure.domain.entities import EntityType
from perdure.domain.entity_finds import EntityFound
from perdure.domain.extraction_schemas import types_of
from perdure.domain.sentences import unwrapped

_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")
# So far before a find stands what it is called.
_CUE_REACH = 48
_LINE_REACH = 400
_BLANKS = re.compile(r"[^\S\n]+")
_NUMBERED = frozenset({"number", "no", "nr", "id", "reference", "ref"})
_BY_WORD: Mapping[str, EntityType] = {
    **dict.fromkeys(("iban",), EntityType.IBAN),
    **dict.fromkeys(("email", "mail", "emails"), EntityType.EMAIL),
    **dict.fromkeys(("phone", "telephone", "mobile", "fax", "phones"), EntityType.PHONE),
    **dict.fromkeys(("url", "website", "link", "homepage", "urls", "links"), EntityType.URL),
    **dict.fromkeys(("date", "dates", "deadline", "day"), EntityType.DATE),
    **dict.fromkeys(
        (
            *("total", "amount", "price", "sum", "cost", "net", "gross", "fee", "balance", "tax", "vat"),
            *("amounts", "prices", "costs", "fees"),
        ),
        EntityType.MONEY,
    ),
    **dict.fromkeys(("percentage", "percent", "rate", "percentages", "rates"), EntityType.PERCENTAGE),
    **dict.fromkeys(("address", "addresses"), EntityType.ADDRESS),
    **dict.fromkeys(
        (
            *("organisation", "organization", "company", "supplier", "vendor", "employer"),
            *("organisations", "organizations", "companies", "suppliers", "vendors"),
        ),
        EntityType.ORGANISATION,
    ),
    **dict.fromkeys(("person", "persons", "people"), EntityType.PERSON),
    **dict.fromkeys(("place", "city", "country", "places", "cities", "countries"), EntityType.PLACE),
}
_BEGINNING = (
    *(
        "begins",
        "begin on",
        "beginning",
        "starts",
        "start:",
        "start date",
        "starting",
        "commences",
        "commencing",
    ),
    *("commencement date", "effective", "as of", "with effect from"),
    *("beginnt", "beginn", "ab dem", "ab:", "in kraft"),
    *("commence", "prend effet", "\u00e0 compter", "d\u00e9but"),
    *("comienza", "inicio", "a partir", "inizio", "decorre", "in\u00edcio"),
)
_ENDING = (
    *("ends", "end on", "ending", "end:", "end date", "end of the term", "until", "through", "terminates on"),
    *("expires", "expire on", "expiring", "expiry", "expiration date"),
    *("endet", "ende:", "enddatum", "l\u00e4uft bis", "bis zum"),
    *("expire", "prend fin", "jusqu", "\u00e9ch\u00e9ance"),
    *("termina", "hasta", "vence", "scade", "fino al", "at\u00e9"),
)
# What a text may call it besides the words of the field's name.
_CUES: Mapping[str, tuple[str, ...]] = {
    "total": ("total", "amount due", "balance due", "gesamt", "summe", "betrag", "montant", "totale"),
    "due": ("due", "payable", "by", "until", "f\u00e4llig", "zahlbar", "bis"),
    "invoice": ("invoice", "rechnung", "facture", "factura", "fattura"),
    "net": ("net", "netto", "subtotal"),
    "gross": ("gross", "brutto"),
    "tax": ("tax", "vat", "mwst", "ust", "tva", "iva"),
    "vat": ("tax", "vat", "mwst", "ust", "tva", "iva"),
    "start": _BEGINNING,
    "begin": _BEGINNING,
    "effective": _BEGINNING,
    "commencement": _BEGINNING,
    "end": _ENDING,
    "expiry": _ENDING,
    "expiration": _ENDING,
    "termination": _ENDING,
}
# Of these there is more than one in most papers, so that one by itself is not yet what is asked for.
_TOLD_APART = frozenset(
    (
        "due",
        "start",
        "begin",
        "effective",
        "commencement",
        "end",
        "expiry",
        "expiration",
        "termination",
        "delivery",
    )
)
_OF_ANY_DATE = frozenset({"date", "dates", "day"})


@dataclass(frozen=True, slots=True)
class Field:
    """What a field asks for: entities of a type, told from others by words that stand before them.

    With `told_apart` also where there is only one.
    """

    type: EntityType
    cues: tuple[str, ...]
    in_figures: bool = False
    whole: bool = False
    many: bool = False
    told_apart: bool = False


@dataclass(frozen=True, slots=True)
class Filled:
    """Values by field, the finds that they are of, and the fields that nothing was found for."""

    values: Mapping[str, Any]
    finds: Mapping[str, Sequence[EntityFound]]
    missing: tuple[str, ...]


def field_of(name: str, schema: Mapping[str, Any]) -> Field | None:
    """What a field asks for; None when its name does not say it, or it cannot be said of an entity."""
    words = [word.lower() for word in _WORD.findall(name)]
    found = _type_of(words)
    if found is None or "enum" in schema:
        return None
    types = types_of(schema)
    many = "array" in types and "string" not in types
    if many:
        inner = schema.get("items")
        types = types_of(inner) if isinstance(inner, Mapping) else ()
    in_figures = "string" not in types
    if in_figures and not (
        {"number", "integer"} & set(types) and found in (EntityType.MONEY, EntityType.PERCENTAGE)
    ):
        return None
    told_apart = found is EntityType.DATE and not _TOLD_APART.isdisjoint(words)
    # "Date: …" says nothing of when something is due.
    telling = [word for word in words if not (told_apart and word in _OF_ANY_DATE)]
    cues = tuple(dict.fromkeys(cue for word in telling for cue in _CUES.get(word, (word,))))
    return Field(found, cues, in_figures, in_figures and "number" not in types, many, told_apart)


def _type_of(words: Sequence[str]) -> EntityType | None:
    if words[-1:] and words[-1] in _NUMBERED and len(words) > 1:
        if words[-2] == "invoice":
            return EntityType.INVOICE_NUMBER
        return EntityType.ORDER_NUMBER if words[-2] in {"order", "po"} else None
    # `total_amount`, `email_address`, `due_date`: what it is stands last, unless that word needs the one before.
    if words[-2:] == ["email", "address"]:
        return EntityType.EMAIL
    return _BY_WORD.get(words[-1]) if words else None


def fill(text: str, finds: Sequence[EntityFound], fields: Mapping[str, Field]) -> Filled:
    """The values of fields. Where several could be meant and no word before them tells which, none is taken."""
    values: dict[str, Any] = {}
    chosen: dict[str, Sequence[EntityFound]] = {}
    missing: list[str] = []
    text = unwrapped(text)
    for name, wanted in fields.items():
        fitting = [one for one in finds if one.type is wanted.type]
        picked = _distinct(fitting) if wanted.many else _picked(text, fitting, wanted)
        said = [value for one in picked if (value := _value(one, wanted)) is not None]
        if not said:
            missing.append(name)
            continue
        values[name] = said if wanted.many else said[0]
        chosen[name] = picked
    return Filled(values, chosen, tuple(missing))


def _picked(text: str, finds: Sequence[EntityFound], wanted: Field) -> Sequence[EntityFound]:
    different = _distinct(finds)
    if len(different) <= 1 and not wanted.told_apart:
        return different
    nearest = [(_distance(text, one, wanted.cues), one) for one in finds]
    cued = sorted(
        ((distance, one) for distance, one in nearest if distance is not None),
        key=lambda pair: (pair[0], pair[1].start),
    )
    return [cued[0][1]] if cued else []


def _distance(text: str, find: EntityFound, cues: Sequence[str]) -> int | None:
    """How far before a find, on its line, it is called so; the blanks between columns count as one."""
    before = text[max(0, find.start - _LINE_REACH) : find.start].casefold()
    before = _BLANKS.sub(" ", before[before.rfind("\n") + 1 :])[-_CUE_REACH:]
    places = [
        len(before) - match.end()
        for cue in cues
        for match in re.finditer(rf"(?<!\w){re.escape(cue)}", before)
    ]
    return min(places, default=None)


def _distinct(finds: Sequence[EntityFound]) -> list[EntityFound]:
    by_value: dict[str, EntityFound] = {}
    for one in finds:
        by_value.setdefault(one.value, one)
    return list(by_value.values())


def _value(find: EntityFound, wanted: Field) -> str | float | int | None:
    if not wanted.in_figures:
        return find.value
    try:
        figure = float(find.value.split()[0])
    except (ValueError, IndexError):
        return None
    if wanted.whole:
        return int(figure) if figure == int(figure) else None
    return figure
