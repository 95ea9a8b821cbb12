"""How texts become PostgreSQL full-text lexemes, and queries words to look for."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

# The configurations of every supported PostgreSQL (15 and later), by the language that they stem.
_CONFIGURATIONS = {
    "ar": "arabic", "hy": "armenian", "eu": "basque", "ca": "catalan", "da": "danish", "nl": "dutch",
    "en": "english", "fi": "finnish", "fr": "french", "de": "german", "el": "greek", "hi": "hindi",
    "hu": "hungarian", "id": "indonesian", "ga": "irish", "it": "italian", "lt": "lithuanian",
    "ne": "nepali", "no": "norwegian", "nb": "norwegian", "nn": "norwegian", "pt": "portuguese",
    "ro": "romanian", "ru": "russian", "sr": "serbian", "es": "spanish", "sv": "swedish", "ta": "tamil",
    "tr": "turkish", "yi": "yiddish",
}  # fmt: skip
_ISO_639_3 = {
    "ara": "ar", "hye": "hy", "eus": "eu", "cat": "ca", "dan": "da", "nld": "nl", "eng": "en",
    "fin": "fi", "fra": "fr", "deu": "de", "ell": "el", "hin": "hi", "hun": "hu", "ind": "id",
    "gle": "ga", "ita": "it", "lit": "lt", "nep": "ne", "nor": "no", "nob": "nb", "nno": "nn",
    "por": "pt", "ron": "ro", "rus": "ru", "srp": "sr", "spa": "es", "swe": "sv", "tam": "ta",
    "tur": "tr", "yid": "yi",
}  # fmt: skip
# A text too short to tell its language is most often English, and stemming words of another language as if
# they were English does no harm: queries are stemmed the same way.
DEFAULT_CONFIGURATION = "english"
FALLBACK_CONFIGURATION = "simple"

# Scripts without spaces between words (Thai, Lao, Burmese, Khmer, kana, Han): PostgreSQL takes a whole
# sentence for one word there, so these are indexed by pairs of characters.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003134f]+"
)

# Beyond this many different words a query is a document; more words cost time and tell no more.
MAX_WORDS = 48


def configuration(language: str | None) -> str:
    """The text search configuration for a BCP 47 tag; unknown languages are not stemmed."""
    if not language:
        return DEFAULT_CONFIGURATION
    primary = language.lower().split("-")[0]
    return _CONFIGURATIONS.get(_ISO_639_3.get(primary, primary), FALLBACK_CONFIGURATION)


def searchable(text: str) -> str:
    """The text as it is given to `to_tsvector`, for documents and queries alike."""
    return _UNSPACED.sub(_pairs, text)


def _pairs(match: re.Match[str]) -> str:
    run = match.group()
    if len(run) <= 2:
        return f" {run} "
    return f" {' '.join(run[at : at + 2] for at in range(len(run) - 1))} "


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a query: the lexemes it becomes under the configurations in question."""

    lexemes: tuple[str, ...]

    @property
    def tsquery(self) -> str:
        """Any of the lexemes, as a literal that PostgreSQL casts to `tsquery`."""
        return " | ".join(_quoted(lexeme) for lexeme in self.lexemes)


def _quoted(lexeme: str) -> str:
    doubled = lexeme.replace("\\", "\\\\").replace("'", "''")
    return f"'{doubled}'"


def words(lexemes: Iterable[tuple[str, Sequence[int]]]) -> list[Word]:
    """Group what several configurations made of one query, by position in it; in that order, each word once."""
    at: dict[int, dict[str, None]] = {}
    for lexeme, positions in lexemes:
        for position in positions:
            at.setdefault(position, {})[lexeme] = None
    found = (Word(tuple(sorted(at[position]))) for position in sorted(at))
    return list(dict.fromkeys(found))[:MAX_WORDS]


class Mentions:
    """How often a text says each of some lexemes, told from its `tsvector` as PostgreSQL writes it."""

    def __init__(self, lexemes: Iterable[str]) -> None:
        # No lexeme holds white space, so this is found nowhere but at the lexeme itself.
        self._marks = {lexeme: f" {_quoted(lexeme)}:" for lexeme in lexemes}

    @property
    def tsquery(self) -> str:
        """Any of them, as a literal that PostgreSQL casts to `tsquery`."""
        return Word(tuple(self._marks)).tsquery

    def counted(self, tsvector: str | None) -> dict[str, int]:
        """Those that are said, and how often; None says nothing."""
        if tsvector is None:
            return {}
        written = f" {tsvector} "
        counts = {}
        for lexeme, mark in self._marks.items():
            if (at := written.find(mark)) >= 0:
                start = at + len(mark)
                counts[lexeme] = written.count(",", start, written.index(" ", start)) + 1
        return counts
