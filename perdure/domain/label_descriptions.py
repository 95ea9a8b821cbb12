"""What common labels mean, in a line: a bare name says too little to an embedding model."""

import re
from collections.abc import Iterator
from functools import cache

from perdure.domain.clean_text import without_accents
from perdure.domain.label_gazetteer import CATCH_ALL, SECTIONS

# Words that say that something is a label, and no more.
_FILLERS = {
    "new", "article", "category", "topic", "section", "issue", "related", "question", "request", "document", "label",
    "class", "type", "intent", "message", "text", "item", "general", "stuff", "matter", "the", "a", "an", "about",
}  # fmt: skip
_AMERICAN = {
    "colour": "color", "labour": "labor", "favour": "favor", "favourable": "favorable", "behaviour": "behavior",
    "neighbour": "neighbor", "harbour": "harbor", "honour": "honor", "humour": "humor", "centre": "center",
    "theatre": "theater", "licence": "license", "defence": "defense", "offence": "offense", "programme": "program",
    "catalogue": "catalog", "dialogue": "dialog", "enquiry": "inquiry", "cheque": "check", "jewellery": "jewelry",
    "cancelled": "canceled", "cancelling": "canceling", "travelling": "traveling", "fulfilment": "fulfillment",
    "instalment": "installment", "tyre": "tire", "grey": "gray", "unfavourable": "unfavorable",
}  # fmt: skip
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_NUMBERING = re.compile(r"^\s*(?:\(?\d{1,3}[.):]|[a-zA-Z][.)]|#\d*|[-*\u2022])\s+")
_PARENTHESES = re.compile(r"\s*[(\[][^)\]]*[)\]]")
_ABOVE = re.compile(r"\s*(?:>|\u203a|\u00bb|::|\u2192|->)\s*")
_ENTRY = re.compile(r"(?P<names>(?:^\S.*\n)+)(?P<descriptions>(?:^ +.+\n)+)", re.MULTILINE)
_WORD = re.compile(r"[^\W_]+")
_PARTS = re.compile(r"\s*[/&,;|+\u00b7]\s*|\s+(?:and|or|und|et|y|vs)\s+", re.IGNORECASE)


def descriptions_of(name: str) -> tuple[str, ...]:
    """Descriptions of a label's name in several wordings, the plainest first; none for a name that is not known.

    A name is known in any case, number, spelling (British, American) and way of writing (`bug_report`, `BugReport`,
    `Bug reports`), by its common synonyms, and when it is put together of known ones ("Travel & Food").
    """
    plain = _PARENTHESES.sub("", _NUMBERING.sub("", name)) or name
    plain = _ABOVE.split(plain)[-1]
    found = _known(plain)
    if found:
        return found
    parts = [found for part in _PARTS.split(plain) if (found := _known(part))]
    # Of a name that is put together, each part has its say before any has a second one.
    longest = max(map(len, parts), default=0)
    return tuple(dict.fromkeys(part[n] for n in range(longest) for part in parts if n < len(part)))


def is_catch_all(name: str) -> bool:
    """Whether a label stands for what no other one fits: "Other", "None of these"."""
    return _key(name) in _catch_all()


def _known(name: str) -> tuple[str, ...]:
    gazetteer = _gazetteer()
    return next((gazetteer[key] for key in _keys(name) if key in gazetteer), ())


def _keys(name: str) -> Iterator[str]:
    key = _key(name)
    yield key
    yield key.replace(" ", "")
    words = key.split()
    while words and words[-1] in _FILLERS:
        words = words[:-1]
    while words and words[0] in _FILLERS:
        words = words[1:]
    yield " ".join(words)


def _key(name: str) -> str:
    """A name without what does not matter: case, accents, number, spelling, and how words are parted."""
    parted = _CAMEL.sub(" ", name).replace("&", " and ").replace("'", "").replace("\u2019", "")
    bare = without_accents(parted.casefold())
    return " ".join(_one_spelling(_singular(word)) for word in _WORD.findall(bare))


def _singular(word: str) -> str:
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("sses", "xes", "ches", "shes")):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def _one_spelling(word: str) -> str:
    word = _AMERICAN.get(word, word)
    for british, american in (("isation", "ization"), ("ise", "ize"), ("ising", "izing"), ("yse", "yze")):
        if len(word) > len(british) + 3 and word.endswith(british):
            return word[: -len(british)] + american
    return word


@cache
def _gazetteer() -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for section in SECTIONS:
        for names, descriptions in _entries(section):
            for name in names:
                found.setdefault(_key(name), descriptions)
    return found


def _entries(section: str) -> Iterator[tuple[list[str], tuple[str, ...]]]:
    for entry in _ENTRY.finditer(section):
        names = [name.strip() for name in entry["names"].split(",")]
        yield names, tuple(line.strip() for line in entry["descriptions"].splitlines())


@cache
def _catch_all() -> frozenset[str]:
    return frozenset(_key(name) for name in CATCH_ALL)
