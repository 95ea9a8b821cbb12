"""Persons, organisations and places: by titles, greetings and legal forms in any language, in English by more."""

import re
from collections.abc import Iterator

from perdure.domain.attribute_words import COUNTRIES
from perdure.domain.entities import EntityType, names
from perdure.domain.entity_finds import EntityFound
from perdure.domain.entity_name_words import COUNTRIES_ELSEWHERE, FIRST_NAMES, TOWNS

_UPPER = r"[^\W\d_a-z\u00df-\u00f6\u00f8-\u00ff]"
_WORD = rf"(?:{_UPPER}[\w'\u2019-]{{1,30}}|{_UPPER}\.)"
_LINK = r"(?:von|van|de|del|della|da|dos|den|der|di|le|la|zu|bin|al|el)"
_PERSON = rf"{_WORD}(?: (?:{_LINK} ){{0,2}}{_WORD}){{0,3}}"
_TITLES = (
    r"Herrn?|Frau|Monsieur|Madame|Mme|Mlle|Mr|Mrs|Ms|Miss|Dr|Prof|Professor|Professorin|Sr|Sra"
    r"|Se\u00f1ora?|Senhora?"
    r"|Sig|Signora?|Sig\.ra|Dott|Dott\.ssa|Dhr|Mevr|Mevrouw|Meneer|Ing|Mag|Sir|Lady|Pan|Pani|Herr"
)
_TITLED = re.compile(
    rf"(?<![\w.])(?P<title>(?:(?:{_TITLES})\.?\s|M\.\s)(?:(?:Dr|Prof|Mag|Ing|med|Dipl"
    rf"|DI)\.[ -]){{0,4}})(?P<name>{_PERSON})"
)
_GREETED = re.compile(
    rf"(?:^|\n)[ \t]*(?:Dear|Hi|Hello|Hey|Lieber?|Liebes|Hallo|Cher|Ch\u00e8re|Bonjour|Estimad[oa]"
    rf"|Querid[oa]|Hola|Car[oa]|Gentile"
    rf"|Beste|Hej|Ciao|Prezad[oa])\s(?P<name>{_PERSON})(?=[ \t]*(?:[,!:\n]|\Z))"
)
_SIGNED = re.compile(
    rf"(?:[Rr]egards|[Ss]incerely|[Cc]heers|[Tt]hanks|[Ww]ishes|Gr\u00fc\u00dfen|Gr\u00fc\u00dfe"
    rf"|Gru\u00df|[Cc]ordialement"
    rf"|[Ss]alutations|[Ss]aludos|[Aa]tentamente|[Ss]aluti|[Gg]roeten?|[Cc]umprimentos|h\u00e4lsningar"
    rf"|hilsen)[,.!]?\s{{0,3}}\n\s{{0,8}}(?P<name>{_PERSON})[ \t]*(?=\n|\Z)"
)
_POSTED = re.compile(
    rf"(?P<name>{_WORD}(?: {_WORD}){{1,2}}),? (?:\(?(?:(?:our|the|unser|notre) )?(?:CEO|CTO|CFO|COO"
    rf"|[Pp]resident|[Cc]hair\w*|[Mm]anaging [Dd]irector|[Dd]irector"
    r"|[Hh]ead of|Gesch\u00e4ftsf\u00fchrer(?:in)?|Vorstand|[Dd]irecteur|[Dd]irectrice|[Dd]irectora"
    r"|[Dd]irettore|[Aa]mministratore)\b)"
)
_NOBODY = """
all team everyone everybody sir sirs madam customer customers colleague colleagues friends folks there guys sir/madam
hiring support damen herren kunde kundin kunden kollegen kolleginnen leute zusammen welt world monsieur madame client
clients tous cliente clientes se\u00f1or se\u00f1ora signore signora
"""
_NO_PERSONS = frozenset(_NOBODY.split())
_LEGAL = re.compile(
    r"(?<![\w.])(?:GmbH(?: & Co\.? KGa?A?)?|gGmbH|AG(?: & Co\.? KG)?|KG|OHG|e\.\s?V\.|mbH|SE|Ltd\.?"
    r"|Limited|LLC|L\.L\.C\.|LLP|PLC|plc|Inc\.?"
    r"|Incorporated|Corp\.?|Corporation|Pty\.? Ltd\.?|S\.?A\.? de C\.?V\.?|S\.?A\.?S\.?|SARL"
    r"|S\.\u00e0\.?r\.l\.|S\.?A\.?|SPRL|SRL|EURL|SNC|EIRELI|S\.p\.A\.|SpA|S\.r\.l\.|Srl|S\.L\.U?\.?|SL|Ltda\.?|Lda\.?|B\.V\.|BV"
    r"|N\.V\.|NV"
    r"|AB|ASA?|A/S|ApS|Oyj?|Sp\. z o\.\s?o\.|s\.r\.o\.|a\.s\.|Kft\.?|Zrt\.?|d\.o\.o\."
    r"|\u041e\u041e\u041e|Holding|Group)(?![\w])"
)
_HOUSE_WORD = rf"(?:{_UPPER}[\w'\u2019.&+-]*|[0-9]{{1,4}}[\w-]*)"
_HOUSE_WORDS = re.compile(
    rf"(?<![\w.&-]){_HOUSE_WORD}(?:[ \u00a0](?:(?:&|\+|und|and|et|y|e|of|de|for|f\u00fcr)[ \u00a0])?"
    rf"{_HOUSE_WORD}){{0,5}}\Z"
)
# In front of a house's name, and no part of it.
_ARTICLES = re.compile(
    r"(?:(?:The|Die|Der|Das|Dem|Den|Bei|Von|Mit|Und|And|At|From|By|For|La|Le|Les|El|Los|Il|An|In|To"
    r"|Our|Dear|Invoice|Rechnung"
    r"|(?:CEO|CTO|CFO|COO|President|Director|Chair\w*|Head|Board) (?:of|for|at|von|der|de))[ \u00a0])+"
)
_AFTER_COMMA = (
    "Inc",
    "LLC",
    "L.L.C",
    "Ltd",
    "Corp",
    "LLP",
    "S.A",
    "SA de",
    "S.L",
    "S.p.A",
    "S.r.l",
    "Lda",
    "Ltda",
)
_LINE = re.compile(r"[^\s][^\n]*(?<=\S)")
_SAID = re.compile(r"\S+")
_LONGEST_HOUSE = 90
# What stands for more words than one: "to" before it does not make it a place.
_ABBREVIATED = re.compile("[A-Z]{2,5}s?")


def named(text: str, language: str | None) -> Iterator[EntityFound]:
    """Persons, organisations and places. Names whose kind the text does not tell are left out.

    In English also those that the words around them tell (`domain.entities`); in other languages, where more than
    names have capitals, a first name, a title, a legal form, or a known town or country must tell.
    """
    for pattern, confidence in ((_TITLED, 0.88), (_GREETED, 0.82), (_SIGNED, 0.85), (_POSTED, 0.78)):
        for match in pattern.finditer(text):
            name = match["name"]
            first = name.split()[0].lower()
            if first in _NO_PERSONS or (pattern is _GREETED and first.rstrip(".") in _TITLE_WORDS):
                continue
            start = match.start("title") if pattern is _TITLED else match.start("name")
            yield _found(text, EntityType.PERSON, start, match.end("name"), confidence, name)
    for match in _LEGAL.finditer(text):
        yield from _house(text, match)
    english = language in {None, "en"}
    for kind, start, end in names(text):
        lines = list(_LINE.finditer(text, start, end))
        for line in lines:
            told = kind if len(lines) == 1 else EntityType.NAME
            yield from _by_words(text, told, *line.span(), english=english)


def _house(text: str, legal: re.Match[str]) -> Iterator[EntityFound]:
    ends = legal.start() - 1
    if text[ends - 1 : ends] == "," and legal.group().startswith(_AFTER_COMMA):
        ends -= 1
    begins = max(0, ends - _LONGEST_HOUSE)
    house = (
        _HOUSE_WORDS.search(text, begins, ends) if ends > 0 and text[legal.start() - 1] in " \u00a0" else None
    )
    if house is None:
        return
    start = house.start()
    if article := _ARTICLES.match(text, start, ends):
        start = article.end()
    if start < ends:
        yield _found(text, EntityType.ORGANISATION, start, legal.end(), 0.88)


def _by_words(text: str, kind: EntityType, start: int, end: int, *, english: bool) -> Iterator[EntityFound]:
    name = text[start:end]
    lower = " ".join(name.lower().split())
    if lower in COUNTRIES or lower in COUNTRIES_ELSEWHERE or lower in TOWNS:
        yield _found(text, EntityType.PLACE, start, end, 0.85)
    elif kind is EntityType.ORGANISATION:
        if english:
            post = _ARTICLES.match(text, start, end)
            yield _found(text, kind, post.end() if post else start, end, 0.7)
    elif (first := _first_name(text, start, end)) is not None:
        whole = " " in text[first:end]
        if whole or english:
            yield _found(text, EntityType.PERSON, first, end, 0.8 if whole else 0.65)
    elif kind is not EntityType.NAME and english and not _ABBREVIATED.fullmatch(name):
        yield _found(text, kind, start, end, 0.6 if kind is EntityType.PERSON else 0.5)


def _first_name(text: str, start: int, end: int) -> int | None:
    """Where the first name begins: at the beginning, or with another name after it (`Angebot von Anna Berg`)."""
    for word in _SAID.finditer(text, start, end):
        if _plain(word.group().lower()) in FIRST_NAMES and (word.start() == start or word.end() < end):
            return word.start()
    return None


def _plain(word: str) -> str:
    return word.translate(_ACCENTS).split("-")[0].rstrip(".,")


def _found(
    text: str, kind: EntityType, start: int, end: int, confidence: float, value: str | None = None
) -> EntityFound:
    said = text[start:end]
    return EntityFound(kind, said, " ".join((value or said).split()), start, end, confidence)


_ACCENTS = str.maketrans("áàâäãåéèêëíìîïóòôöõøúùûüñç", "aaaaaaeeeeiiiioooooouuuunc")
_TITLE_WORDS = frozenset(
    title.lower() for title in _TITLES.replace("\\u00f1", "\u00f1").replace("?", "").split("|")
)
