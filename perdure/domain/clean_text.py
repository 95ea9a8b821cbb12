"""Makes any text storable: PostgreSQL holds neither NUL nor lone surrogates; nobody reads control codes."""

import re
import unicodedata
from dataclasses import dataclass

REPLACEMENT = "\ufffd"

# C0 and C1 controls except tab, line feed, form feed; DEL; soft hyphen; byte order marks; non-characters.
_UNWANTED = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f-\x84\x86-\x9f\xad\ufeff\ufffe\uffff]")
_SURROGATE = re.compile("[\ud800-\udfff]")
# UTF-8 that somebody read as Latin-1 and wrote as UTF-8 again: a dash has become three characters, two of them
# controls. Only sequences with such a control are mended; "Ã¼" might be meant.
_DOUBLY_ENCODED = re.compile("[\xc2-\xf4][\x80-\xbf]*[\x80-\x9f][\x80-\xbf]*")
_UNSEEN = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp"})
# What makes readers see the characters after it in another order.
_REORDERING = re.compile("[\u202a-\u202e\u2066-\u2069]")
_LINE_END = re.compile("\r\n?|[\x85\u2028\u2029]")


def is_blank(text: str) -> bool:
    """Whether nothing of it can be seen: blanks, controls, and characters without any width."""
    return all(character.isspace() or unicodedata.category(character) in _UNSEEN for character in text)


def one_line(text: str) -> str:
    """The text as a title: in one line, without controls, read in the order in which it is written."""
    return " ".join(_REORDERING.sub("", clean(text).text).split())


def without_accents(text: str) -> str:
    """The text with plain letters: an e for every é."""
    return "".join(one for one in unicodedata.normalize("NFKD", text) if not unicodedata.combining(one))


@dataclass(frozen=True)
class CleanText:
    """Text without unwanted characters, and how many of them were taken out or replaced."""

    text: str
    cleaned_characters: int


def _mended(match: re.Match[str]) -> str:
    try:
        return match.group().encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        return match.group()


def clean(text: str) -> CleanText:
    """Unify line ends to line feeds; drop control characters; replace lone surrogates by U+FFFD.

    Line ends are not counted: that changes how the text is written, not what it says.
    """
    if text.isascii() and text.isprintable():
        return CleanText(text, 0)
    mended = _DOUBLY_ENCODED.sub(_mended, text) if not text.isascii() else text
    unified = _LINE_END.sub("\n", mended)
    unified, dropped = _UNWANTED.subn("", unified)
    unified, replaced = _SURROGATE.subn(REPLACEMENT, unified)
    return CleanText(unified, len(text) - len(mended) + dropped + replaced)
