"""Entities by pattern and check digit, without a model: ours, phonenumbers', python-stdnum's, dateparser's words."""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime

from perdure.domain.entities import EntityType
from perdure.domain.entity_addresses import addresses
from perdure.domain.entity_amounts import amounts
from perdure.domain.entity_dates import dates
from perdure.domain.entity_finds import EntityFound, without_overlaps
from perdure.domain.entity_names import named
from perdure.domain.entity_references import references
from perdure.domain.languages import detect_language
from perdure.providers.date_words import patterns_of

# More of a text is not read, and no more finds are given: a list of a million numbers has no use.
LONGEST = 2_000_000
MOST_FINDS = 10_000
# Of a text that is too short to tell its language.
_OFTEN = ("de", "fr", "es", "it", "pt", "nl")
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}[0-9]{2}(?:[ \u00a0-]?[A-Za-z0-9]){11,30}")
_SHORTEST_IBAN = 15
_PHONE = re.compile(
    r"(?<![\w.,:/$\u20ac\u00a3-])(?:\+|\(\+|00|\()?[0-9](?:[\s()/.\u00a0\u2010-\u2013-]{0,3}[0-9]){5,17}"
    r"(?:\s?(?:ext\.?|x|DW|Durchwahl|poste|-)\s?[0-9]{1,5})?(?![\w])"
)
_DIALLED = re.compile(
    r"(?:tel|phone|fon|call|ring|mobile?|mobil|handy|cell|fax|whatsapp|t\u00e9l|tel\u00e9fono"
    r"|m\u00f3vil|cellulare|telefoon|ruf)\w*[.:]?[\s(]*\Z",
    re.IGNORECASE,
)


class EntityPatterns:
    """Implements `ports.text_analysis.EntityExtractor`. What it loads, it loads with the first text."""

    def extract(
        self,
        text: str,
        *,
        region: str | None = None,
        reference: datetime | None = None,
        languages: Sequence[str] = (),
    ) -> list[EntityFound]:
        """See `EntityExtractor`. Of what is longer than `LONGEST` the rest is not read."""
        text = text[:LONGEST]
        known = [one.split("-")[0].lower() for one in languages if one]
        if not known and (detected := detect_language(text)):
            known = [detected]
        perhaps = () if known else _OFTEN
        known = known or ["en"]
        region = region.upper() if region else None
        spoken = [found for name in dict.fromkeys((*known, "en")) if (found := patterns_of(name))]
        today = reference.date() if reference else None
        finds = (
            *references(text),
            *_ibans(text),
            *amounts(text, known[0], region),
            *addresses(text),
            *dates(text, spoken, region, today, [found for one in perhaps if (found := patterns_of(one))]),
            *_phones(text, region),
            *named(text, known[0]),
        )
        return without_overlaps(finds, len(text))[:MOST_FINDS]


def _ibans(text: str) -> Iterator[EntityFound]:
    from stdnum import iban  # noqa: PLC0415

    for match in _IBAN.finditer(text):
        end = match.end()
        # Words after the number look like parts of it.
        while end - match.start() >= _SHORTEST_IBAN:
            said = text[match.start() : end]
            if not text[end : end + 1].isalnum() and iban.is_valid(said):
                yield EntityFound(
                    EntityType.IBAN, said, iban.compact(said).replace("\u00a0", ""), match.start(), end, 0.99
                )
                break
            end -= 1


def _phones(text: str, region: str | None) -> Iterator[EntityFound]:
    import phonenumbers  # noqa: PLC0415

    home = region if region in phonenumbers.SUPPORTED_REGIONS else None
    for candidate in _PHONE.finditer(text):
        said = candidate.group()
        dialled = _DIALLED.search(text, max(0, candidate.start() - 24), candidate.start()) is not None
        if said.isdigit() and not dialled and not said.startswith("0"):
            continue  # a number, unless somebody says what it is for
        for match in phonenumbers.PhoneNumberMatcher(said, home, leniency=phonenumbers.Leniency.VALID):
            start, end = candidate.start() + match.start, candidate.start() + match.end
            value = phonenumbers.format_number(match.number, phonenumbers.PhoneNumberFormat.E164)
            if match.number.extension:
                value += f";ext={match.number.extension}"
            sure = said.lstrip("(").startswith(("+", "00")) or dialled
            yield EntityFound(EntityType.PHONE, text[start:end], value, start, end, 0.95 if sure else 0.8)
