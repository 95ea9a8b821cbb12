"""How far a text says that something is not any more what it was: what holds now is often told so."""

import re

# What is said of a change, whatever changes.
_TOLD = (
    r"no longer|no more|any ?more|any longer|instead|rather than|in place of|in favou?r of|in exchange"
    r"|switch(?:ed|ing)?|swapp?(?:ed|ing)?|chang(?:ed|ing)|replac(?:ed|ing|ement)"
    r"|trad(?:ed|ing) (?:in|it|them|my|the|up)|g[ai]ven? (?:(?:it|that|them) )?(?:up|away|back)"
    r"|giving up|(?:scratch|strike) (?:that|what)|forget (?:what|that|about)|take (?:it|that) back|used to"
    r"|from now on|plot twist|new chapter|fresh start|start(?:ed|ing)? (?:over|afresh|anew)"
    r"|quit|left (?:my|the|our)|stopped|dropp?ed|dumped|ditched|abandoned"
    r"|cancell?ed|called off|got rid of|parted (?:with|ways)|said goodbye|goodbye to|farewell to|(?:done|finished) with"
    r"|enough of|had enough|fed up|tired of|bored (?:of|with|by)|outgr(?:ew|own)|gr(?:ew|own) out of|sold"
    r"|(?:broke|split) up|divorced|separated|(?:is|it's|that's) over|(?:it|has) ended|is history|(?:is|are|was) gone"
    r"|the past|long gone|moved (?:on|out|again|back|over)|convert(?:ed)?|upgrad(?:ed|e|ing)|downgrad(?:ed|e|ing)"
    r"|renamed?|reschedul(?:ed|e)|postponed|pushed (?:back|to)|brought forward|turn(?:s|ed) out|correction"
    r"|change of (?:plan|heart|mind|scene)s?|second thoughts?|on reflection|reconsidered|decided against|ended up"
    r"|after all|retired|resigned|transferred|tak(?:en|e) over|took over|handed over|jumped ship"
    r"|(?:went|gone|came) back|returned to|back to|not \w+ but|so much for|let go|made (?:a|the) (?:switch|change)"
    r"|another one|(?:new|old|last|other) one|(?:my|our|the) old|my (?:former|previous|ex)"
)
# What often goes with one, and as often with nothing.
_HINTED = (
    r"now|these days|nowadays|currently|at present|at the moment|again|another|different|other|new|newest|latest|old"
    r"|previous(?:ly)?|former(?:ly)?|by now|lately|recently|bec[ao]me|since|meanwhile|finally|once more|once again"
    r"|this time|already|actually|second|changes?|update|news|told you|i said|remember|anyway|turned|took up|taken up"
    r"|moved"
)
_CHANGE = re.compile(rf"\b(?:(?P<told>{_TOLD})|{_HINTED})\b", re.IGNORECASE)
_TELLS, _HINTS = 0.6, 0.3
# More of a text is not read.
_LONGEST = 2000


def change_told(text: str) -> float:
    """0 for a text without any word of change, 1 for one that is full of them."""
    told: dict[str, float] = {}
    for match in _CHANGE.finditer(text[:_LONGEST].replace("\u2019", "'")):
        told[match.group().casefold()] = _TELLS if match["told"] else _HINTS
    return min(1.0, sum(told.values()))
