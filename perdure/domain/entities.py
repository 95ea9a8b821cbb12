"""Who and what a text names: addresses, numbers, dates and money by their form, names as far as their form tells."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from perdure.domain.attribute_words import COUNTRIES, EMPLOYERS, NO_NAMES
from perdure.domain.highlighting import COMMON_WORDS
from perdure.domain.time_words import time_words


class EntityType(StrEnum):
    """What is named. `name` where the form does not tell whether it is a person, a place or something else."""

    PERSON = "person"
    ORGANISATION = "organisation"
    PLACE = "place"
    NAME = "name"
    EMAIL = "email"
    URL = "url"
    PHONE = "phone"
    MONEY = "money"
    DATE = "date"
    IBAN = "iban"
    PERCENTAGE = "percentage"
    QUANTITY = "quantity"
    INVOICE_NUMBER = "invoice_number"
    ORDER_NUMBER = "order_number"
    ADDRESS = "address"


@dataclass(frozen=True, slots=True)
class Entity:
    """Characters `[start, end)` of a text."""

    type: EntityType
    text: str
    start: int
    end: int


# More of a text is not read.
_LONGEST = 100_000
# More blanks than these begin a sentence, too.
_LONGEST_GAP = 64
# Dates are looked for, not dated: any instant will do.
_ANY_TIME = datetime(2026, 1, 1, tzinfo=UTC)
EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,5}(?![\w@])")
URL = re.compile(r"\b(?:https?://|www\.)[^\s<>\"'\u201c\u201d]{2,500}", re.IGNORECASE)
_AMOUNT = r"\d{1,3}(?:[,.\u00a0]\d{3})+(?:[.,]\d{1,2})?|\d+(?:[.,]\d{1,2})?"
_UNIT = r"(?:\s?(?:k|m|bn|thousand|million|billion))?"
_MONEY = re.compile(
    rf"[$\u20ac\u00a3\u00a5\u20b9]\s?(?:{_AMOUNT}){_UNIT}\b"
    rf"|(?<![\w.,])(?:{_AMOUNT}){_UNIT}\s?(?:[$\u20ac\u00a3\u00a5\u20b9]|(?:euros?|dollars?|bucks"
    r"|pounds sterling|quid|yen|francs?|rupees?|EUR|USD|GBP|CHF|JPY|INR|SEK|NOK|DKK|PLN|CZK)\b)",
    re.IGNORECASE,
)
_PHONE = re.compile(r"(?<![\w.,:/-])(?:\+|00)?\(?\d[\d\s()/.-]{6,20}\d(?![\w/-])")
_SHORTEST_PHONE, _LONGEST_PHONE = 7, 15
_CAPITAL = r"[^\W\d_a-z\u00df-\u00f6\u00f8-\u00ff]"
_WORD = rf"{_CAPITAL}[\w\u2019'&-]*\w|{_CAPITAL}\.?"
_NAME = re.compile(
    rf"(?<![\w@./])(?:(?:St|Dr|Mr|Mrs|Ms|Mt|Prof)\.\s)?(?:{_WORD})"
    rf"(?:\s(?:(?:of|de|da|del|la|le|van|von|der|the|&|am|upon)\s)?(?:{_WORD})){{0,4}}"
)
_TITLE = re.compile(
    r"\b(?:Dr|Mr|Mrs|Ms|Prof|Professor|Doctor|Aunt|Uncle|Sir|Madam|Coach|Father|Sister)\.?\s", re.UNICODE
)
_KIN = re.compile(
    r"\b(?:mum|mom|mother|dad|father|husband|wife|partner|boyfriend|girlfriend|boss|manager|friend"
    r"|sister|brother|son|daughter|cousin|uncle|aunt|niece|nephew|colleague|neighbou?r|roommate|flatmate|teacher|doctor|therapist|coach|called|named|with"
    r"|met|dating|married)(?:,|\sis)?\s\Z"
)
_DOES = re.compile(
    r"(?:['\u2019]s\s(?:birthday|wife|husband|mother|father|sister|brother|house|flat|mum|mom|dad|kids|idea|party|wedding)"
    r"|\s(?:said|says|told|asked|thinks|thought|loves|likes|hates|lives|lived|works|worked|wants|wanted|called|texted|called"
    r"|came|went|visited|married|is\smarried|feels|felt|laughed|cried|helped|gave|brought|invited))\b"
)
_AT_PLACE = re.compile(
    r"\b(?:in|to|from|near|outside|around|across|through|of|towards|visited|visiting|leaving|leave|left|reach|reached)\s\Z"
)
_STREET = re.compile(
    r"\b(?:Street|St|Road|Rd|Avenue|Ave|Lane|Square|Park|Beach|Lake|River|Island|Mountain|Valley|Bay|Bridge)\Z"
)
_HOUSE = re.compile(
    r"\b(?:Inc|Ltd|LLC|GmbH|AG|SA|SE|PLC|Corp|Corporation|Company|Co|Group|Foundation|Institute|University|College|School"
    r"|Academy|Hospital|Clinic|Bank|Museum|Library|Church|Agency|Association|Society|Committee|Ministry|Council|Party|Union"
    r"|Airlines|Airways|Orchestra|Theatre|Theater|Labs?|Systems|Technologies|Software|Partners|Bros|United|FC)\.?\Z"
)
_HOUSE_OF = re.compile(
    r"(?:University|Bank|Museum|Ministry|Church|College|Institute|Department|Society) of\s"
)
_AT_HOUSE = re.compile(
    r"\b(?:work(?:s|ed|ing)?|job|intern(?:ed|ing|ship)?|employed|stud(?:y|ies|ied|ying))\s(?:at|for|with|by)\s\Z"
)


def entities(text: str, known: Collection[str] = ()) -> list[Entity]:
    """What a text names, in order and without overlaps. `known` are names of people, as speakers and subjects are."""
    text = text[:_LONGEST]
    found: list[Entity] = []
    taken = bytearray(len(text))
    people = {name.casefold() for name in known} | {
        part.casefold() for name in known for part in name.split() if len(part) > 2
    }
    for kind, start, end in (*_by_form(text), *names(text, people)):
        if end > start and not any(taken[start:end]):
            taken[start:end] = b"\1" * (end - start)
            found.append(Entity(kind, text[start:end], start, end))
    return sorted(found, key=lambda entity: entity.start)


def _by_form(text: str) -> Iterator[tuple[EntityType, int, int]]:
    for match in URL.finditer(text):
        yield EntityType.URL, match.start(), match.start() + len(match.group().rstrip(".,;:!?)]'\u2019"))
    for match in EMAIL.finditer(text):
        yield EntityType.EMAIL, match.start(), match.start() + len(match.group().rstrip("."))
    for match in _MONEY.finditer(text):
        yield EntityType.MONEY, match.start(), match.end()
    for word in time_words(text, _ANY_TIME):
        yield EntityType.DATE, word.start, word.end
    for match in _PHONE.finditer(text):
        digits = sum(one.isdigit() for one in match.group())
        if _SHORTEST_PHONE <= digits <= _LONGEST_PHONE:
            yield EntityType.PHONE, match.start(), match.end()


def names(text: str, people: Collection[str] = ()) -> Iterator[tuple[EntityType, int, int]]:
    """The names in a text and where they stand; `people` in lower case are persons wherever they are named."""
    for match in _NAME.finditer(text):
        start, end = match.span()
        begins = _begins(text, start)
        words = match.group().split()
        while words and (_is_pale(words[0]) or (begins and words[0].casefold() in _OPENERS)):
            start += len(words[0]) + 1  # one blank between words: the pattern allows no more
            words, begins = words[1:], False
        if not words or start >= end:
            continue
        name = text[start:end]
        possessive = re.search(r"['\u2019]s?\Z", name)
        if possessive:
            end = start + possessive.start()
            name = text[start:end]
        kind = _kind(text, start, end, name, people)
        if kind is not EntityType.NAME or not begins or len(words) > 1:
            yield kind, start, end


def _kind(text: str, start: int, end: int, name: str, people: Collection[str]) -> EntityType:
    before, lower = text[max(0, start - 40) : start], name.casefold()
    if lower in people or _TITLE.match(name + " ") or _TITLE.search(before[-10:]):
        return EntityType.PERSON
    last = lower.split()[-1].rstrip(".")
    if _AT_HOUSE.search(before):
        return EntityType.ORGANISATION
    if lower.endswith(" city") or lower in COUNTRIES or _STREET.search(name):
        return EntityType.PLACE
    if _HOUSE.search(name) or _HOUSE_OF.match(name) or (last in EMPLOYERS and " " in name):
        return EntityType.ORGANISATION
    if lower.split()[0] in people or _KIN.search(before) or _DOES.match(text, end):
        return EntityType.PERSON
    return EntityType.PLACE if _AT_PLACE.search(before) else EntityType.NAME


def _begins(text: str, at: int) -> bool:
    """Whether a sentence begins here, where every word has a capital."""
    before = text[max(0, at - _LONGEST_GAP) : at].rstrip(" \t\"'(\u201c\u2018\u00bf\u00a1")
    return not before or before[-1] in ".!?:;\n\u2026-\u2014"


def _is_pale(word: str) -> bool:
    lower = word.casefold().replace("\u2019", "'")
    return (
        lower in NO_NAMES
        or lower in COMMON_WORDS
        or lower.split("'")[0] in COMMON_WORDS
        or len(lower.rstrip(".")) < 2
    )


_OPENING = """
hello hi hey oh well wow yes yeah no ok okay thanks thank please sorry great good nice cool maybe perhaps honestly
actually finally today yesterday tomorrow tonight now there here let's lets just still even never always sometimes
once last next every everyone everybody nobody someone somebody something nothing people mum mom dad work life home
congratulations congrats happy remember guess do did don't didn't can't won't isn't wasn't it's that's what's who's
going got been being made make take took come came go went try tried see saw look looking think thought hope hoping
wish love loved like liked hate enjoy enjoyed feeling feel felt first second third one two three four five because
since although though while after before during until unless without within despite apart instead both either neither
each few many most several another such same other only then also too very really absolutely definitely exactly
"""
_OPENERS = frozenset(_OPENING.split())
