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
# How long an account number is in each country.
_IBANS = """
AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 ES24
FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32
LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24
RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30
"""
_IBAN_LENGTHS = {one[:2]: int(one[2:]) for one in _IBANS.split()}
_IBAN = re.compile(rf"(?<![A-Za-z0-9])(?i:{'|'.join(_IBAN_LENGTHS)})[0-9]{{2}}(?=[ \u00a0-]?[A-Za-z0-9])")
_GROUPED = re.compile(r"[ \u00a0-]?[A-Za-z0-9]")
# Letters and digits; in the writing of East Asia no blank parts words from numbers.
_LATIN = r"0-9_A-Za-z\u00c0-\u024f\u0370-\u052f"
_PHONE = re.compile(
    rf"(?<![{_LATIN}.,:/$\u20ac\u00a3-])(?:\+|\(\+|00|\()?[0-9](?:[\s()/.\u00a0\u2010-\u2013-]{{0,3}}[0-9]){{5,17}}"
    rf"(?:\s?(?:ext\.?|x|-)\s?[0-9]{{1,5}})?(?![{_LATIN}])"
)
# What a switchboard is asked for; "x" and "ext." phonenumbers reads, too, unless a comma stands before them.
_EXTENSION = re.compile(
    r"(?:\s?,)?\s?(?:\(\s?)?(?:ext(?:ension)?\.?|x|DW|Durchwahl|Nebenstelle|poste|int(?:erno|\.)?|anexo|ramal|toestel"
    rf"|extensi\u00f3n|wew\.?|anknytning)[\s:.]{{0,2}}-?(?P<number>[0-9]{{1,6}})(?![{_LATIN}])(?P<close>\s?\))?",
    re.IGNORECASE,
)
# After so many numbers that no telephone has, parts of further ones are hardly looked at: a table or worse.
_MANY_NUMBERS = 1_000
_ALL_PARTS, _FIRST_PARTS = 65_535, 1
_DIALLED = re.compile(
    r"(?:tel|phone|fon|call|ring|mobile?|mobil|handy|cell|fax|whatsapp|t\u00e9l|tel\u00e9fono"
    r"|m\u00f3vil|cellulare|telefoon|ruf"
    r"|\u96fb\u8a71|\u7535\u8bdd|\uc804\ud654)\w*[.:\uff1a]?[\s(]*\Z",
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
        # As many letters and digits as the country has: words after the number look like parts of it.
        end = match.end()
        for _ in range(_IBAN_LENGTHS[match.group()[:2].upper()] - 4):
            following = _GROUPED.match(text, end)
            if following is None:
                break
            end = following.end()
        said = text[match.start() : end]
        if not text[end : end + 1].isalnum() and iban.is_valid(said):
            value = iban.compact(said).replace("\u00a0", "")
            yield EntityFound(EntityType.IBAN, said, value, match.start(), end, 0.99)


def _phones(text: str, region: str | None) -> Iterator[EntityFound]:
    import phonenumbers  # noqa: PLC0415

    home = region if region in phonenumbers.SUPPORTED_REGIONS else None
    no_phones = 0
    for candidate in _PHONE.finditer(text):
        said = candidate.group()
        dialled = _DIALLED.search(text, max(0, candidate.start() - 24), candidate.start()) is not None
        if said.isdigit() and not dialled and not said.startswith("0"):
            continue  # a number, unless somebody says what it is for
        if home is None and "+" not in said:
            continue  # of no country
        parts = _ALL_PARTS if no_phones < _MANY_NUMBERS else _FIRST_PARTS
        matcher = phonenumbers.PhoneNumberMatcher(said, home, phonenumbers.Leniency.VALID, parts)
        no_phones += not matcher.has_next()
        for match in matcher:
            start, end = candidate.start() + match.start, candidate.start() + match.end
            value = phonenumbers.format_number(match.number, phonenumbers.PhoneNumberFormat.E164)
            extension = match.number.extension
            after = None if extension else _EXTENSION.match(text, end)
            if after is not None and ("(" in after.group()) == (after["close"] is not None):
                extension, end = after["number"], after.end()
            if extension:
                value += f";ext={extension}"
            sure = said.lstrip("(").startswith(("+", "00")) or dialled
            yield EntityFound(EntityType.PHONE, text[start:end], value, start, end, 0.95 if sure else 0.8)
