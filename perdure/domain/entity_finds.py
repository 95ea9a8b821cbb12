"""What was found in a text with its normalised value, and which of several overlapping finds is kept."""

from collections.abc import Iterable
from dataclasses import dataclass

from perdure.domain.entities import EntityType


@dataclass(frozen=True, slots=True)
class EntityFound:
    """Characters `[start, end)` of a text, and what they mean in a form that compares.

    `value` by type: an e-mail address with its host in lower case; a URL with a scheme; a phone number in E.164
    (`+4312345678`, with `;ext=` for an extension); an IBAN without blanks; money as `1234.56 EUR` and without a
    known currency never; a date as ISO 8601 (`2026-05-03`, `2026-05-03T14:30`, `2026-05`, `2026-W19`, or from/to
    with a slash, both included); a percentage as a decimal number without its sign; a quantity as `1.5 kg`; ranges
    of these three with a slash, too (`100.00/200.00 EUR`, `5/10`); a number of an invoice or an order in capitals;
    everything else with single blanks.
    """

    type: EntityType
    text: str
    value: str
    start: int
    end: int
    confidence: float


# What is told by a check or a cue before what is told by its form, and that before what is told by a capital.
_RANKS = {
    EntityType.URL: 0,
    EntityType.EMAIL: 0,
    EntityType.IBAN: 1,
    EntityType.INVOICE_NUMBER: 2,
    EntityType.ORDER_NUMBER: 2,
    EntityType.MONEY: 3,
    EntityType.PERCENTAGE: 3,
    EntityType.ADDRESS: 4,
    EntityType.DATE: 5,
    EntityType.QUANTITY: 6,
    EntityType.PHONE: 7,
    EntityType.ORGANISATION: 8,
    EntityType.PERSON: 8,
    EntityType.PLACE: 8,
    EntityType.NAME: 9,
}


def without_overlaps(finds: Iterable[EntityFound], length: int) -> list[EntityFound]:
    """The finds in a text of `length` characters in order, none over another.

    Of two that overlap, the one whose type is told more surely stays (`_RANKS`), else the longer, else the earlier.
    """
    taken = bytearray(length)
    kept = []
    for find in sorted(finds, key=lambda one: (_RANKS[one.type], one.start - one.end, one.start)):
        if find.start < find.end and not any(taken[find.start : find.end]):
            taken[find.start : find.end] = b"\1" * (find.end - find.start)
            kept.append(find)
    return sorted(kept, key=lambda one: one.start)
