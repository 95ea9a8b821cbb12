"""Makes any text storable: PostgreSQL holds neither NUL nor lone surrogates; nobody reads control codes."""

import re
from dataclasses import dataclass

REPLACEMENT = "\ufffd"

# C0 and C1 controls except tab, line feed, form feed; DEL; soft hyphen; byte order marks; non-characters.
_UNWANTED = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f-\x84\x86-\x9f\xad\ufeff\ufffe\uffff]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_LINE_END = re.compile("\r\n?|[\x85\u2028\u2029]")


@dataclass(frozen=True)
class CleanText:
    """Text without unwanted characters, and how many of them were taken out or replaced."""

    text: str
    cleaned_characters: int


def clean(text: str) -> CleanText:
    """Unify line ends to line feeds; drop control characters; replace lone surrogates by U+FFFD.

    Line ends are not counted: that changes how the text is written, not what it says.
    """
    if text.isascii() and text.isprintable():
        return CleanText(text, 0)
    unified = _LINE_END.sub("\n", text)
    unified, dropped = _UNWANTED.subn("", unified)
    unified, replaced = _SURROGATE.subn(REPLACEMENT, unified)
    return CleanText(unified, dropped + replaced)
