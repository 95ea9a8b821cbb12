"""How far a text says that something is not any more what it was: what holds now is often told so."""

import re
from functools import lru_cache
from itertools import chain

# What is said of a change, whatever changes.
_TOLD = r"""
no longer|no more|any ?more|any longer|instead|rather than|in place of|in favou?r of|in exchange
switch(?:ed|ing)?|swapp?(?:ed|ing)?|chang(?:ed|ing)|replac(?:ed|ing|ement)|trad(?:ed|ing) (?:in|it|them|my|the|up)
gave (?:(?:it|that|them) )?(?:up|away|back)|given? (?:(?:it|that|them) )?(?:up|away|back)|giving up
scratch (?:that|what)|strike that|forget (?:what|that|about)
take (?:it|that) back|used to|from now on|plot twist|new chapter|fresh start
start(?:ed|ing)? (?:over|afresh|anew)|quit|left (?:my|the|our)|stopped|dropp?ed|dumped|ditched|abandoned|cancell?ed
called off|got rid of|parted (?:with|ways)|said goodbye|goodbye to|farewell to|done with|finished with|enough of
had enough|fed up|tired of|bored (?:of|with|by)|outgr(?:ew|own)|grew out of|grown out of|sold|broke up|split up
divorced|separated|is over|it's over|that's over|it ended|has ended|is history|is gone|are gone|was gone|the past
long gone|moved (?:on|out|again|back|over)|convert(?:ed)?|upgrad(?:ed|e|ing)|downgrad(?:ed|e|ing)|renamed?
reschedul(?:ed|e)|postponed|pushed (?:back|to)|brought forward|turn(?:s|ed) out|correction
change of (?:plan|heart|mind|scene)s?|second thoughts?|on reflection|reconsidered|decided against|ended up|after all
retired|resigned|transferred|taken over|took over|handed over|jumped ship|went back|gone back|came back|returned to
back to|not \w+ but|so much for|let go|made (?:a|the) (?:switch|change)|another one|new one|old one|last one|other one
my old|our old|the old|my (?:former|previous|ex)
"""
# What often goes with one, and as often with nothing.
_HINTED = r"""
now|these days|nowadays|currently|at present|at the moment|again|another|different|other|new|newest|latest|old
previous(?:ly)?|former(?:ly)?|by now|lately|recently|become|became|since|meanwhile|finally|once more|once again
this time|already|actually|second|changes?|update|news|told you|remember|anyway|turned|took up|taken up|moved
"""
_TELLS, _HINTS = 0.6, 0.3
# More of a text is not read.
_LONGEST = 2000
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?")
# A whole pattern is tried where a word begins as it does: with so many letters.
_BEGINNING = 2


def _by_beginning() -> dict[str, re.Pattern[str]]:
    found: dict[str, dict[str, list[str]]] = {}
    for kind, listed in (("told", _TOLD), ("hinted", _HINTED)):
        for phrase in chain.from_iterable(
            re.split(r"\|(?![^(]*\))", line) for line in listed.split("\n") if line
        ):
            found.setdefault(phrase[:_BEGINNING], {}).setdefault(kind, []).append(phrase)
    return {
        beginning: re.compile(
            rf"(?:(?P<told>{'|'.join(kinds.get('told', ['(?!)']))})|{'|'.join(kinds.get('hinted', ['(?!)']))})\b"
        )
        for beginning, kinds in found.items()
    }


_PATTERNS = _by_beginning()


@lru_cache(maxsize=16384)
def change_told(text: str) -> float:
    """0 for a text without any word of change, 1 for one that is full of them."""
    lower = text[:_LONGEST].lower().replace("\u2019", "'")
    told: dict[str, float] = {}
    end = 0
    for word in _WORD.finditer(lower):
        if word.start() < end:
            continue
        pattern = _PATTERNS.get(word.group()[:_BEGINNING])
        if pattern is not None and (match := pattern.match(lower, word.start())):
            told[match.group()] = _TELLS if match["told"] else _HINTS
            end = match.end()
    return min(1.0, sum(told.values()))
