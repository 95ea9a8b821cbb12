"""What a text states of properties of which there is one at a time, and when two statements cannot both hold now.

Precision counts: a statement that may mean something else is passed over, for a false contradiction hides a true
memory. Questions, plans, wishes and conditions state nothing. English only.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from perdure.domain.attribute_rules import RULES, Rule
from perdure.domain.attribute_values import Value, same
from perdure.domain.sentences import Sentence, sentences

# What stands further on in an endless sentence is not read.
_LONGEST = 600
_UNCERTAIN = re.compile(
    r"\b(?:if|wish|imagine|suppose|pretend|whether|would|could|might|may|should|unless|maybe|perhaps|almost|nearly"
    r"|dream(?:ed|t)?|want(?:ed|s)? to|plan(?:s|ned|ning)? (?:to|on)|hop(?:e|ed|ing) to|think(?:ing)? (?:of|about)"
    r"|going to|will|consider(?:ed|ing)?|about to|like to|love to|supposed to|rumou?rs?|joke|kidding|when"
    r"|while|before|until|after|since|once(?! more| again)|as if|as though|role-?play|lyrics)\b|['\u2019](?:ll|d)\b",
    re.IGNORECASE,
)
_LONG_AGO = re.compile(
    r"\b(?:when (?:i|we|he|she|they) (?:was|were)|as an? (?:kid|child|teen(?:ager)?|student|boy|girl|baby)"
    r"|(?:years?|decades?) ago|back (?:in|then|when)|in (?:the )?(?:18|19|20)\d\d|originally|at first|initially"
    r"|at the time|in (?:my|his|her) \w+ies|in college|childhood|growing up|used to|before that"
    r"|after (?:college|school|university|graduat\w+)"
    r"|briefly|temporarily|(?:just )?for (?:a|an|one|two|three|four|five|six|ten|the|\d+) (?:few )?"
    r"(?:days?|weeks?|months?|summer|winter|weekend|nights?|year)"
    r"|but (?:then )?(?:i |we )?(?:moved|came|went) back)\b",
    re.IGNORECASE,
)
_CHANGE = re.compile(
    r"\b(?:now|nowadays|these days|any ?more|no longer|instead|again|new|changed?|switch(?:ed)?|renam(?:ed|ing)"
    r"|replaced|from now on|correction|turns out|moved|rescheduled|postponed|pushed|shifted|brought forward"
    r"|delayed|bumped|traded|swapped|sold|upgraded|gave up|quit|scratch that|currently|not \w+ but|used to)\b",
    re.IGNORECASE,
)
_NEGATED = re.compile(r"\b(?:not|never|no longer|\w+n['\u2019]t|ain['\u2019]t)\b", re.IGNORECASE)
_HAVE = re.compile(r"(?:['\u2019](?:ve|s)\b|\b(?:have|has)\b)", re.IGNORECASE)
_OVER = re.compile(r"\b(?:used to|was|were|had)\b", re.IGNORECASE)
_PAST_VERBS = ("lived", "worked", "resided", "drove", "studied")
_CLAUSE = re.compile(r"[,;:()\u2013\u2014]\s*")
_OTHERS = re.compile(r"\b(?:he|she|they|you|it|who|which)\b", re.IGNORECASE)
_SUBJECT = re.compile(r"(?<![\w'\u2019])(?:I|i|[Ww]e)(?![\w-])")
_SIDE = re.compile(
    r"\b(?:part[- ]time|on the side|side (?:job|gig)|second job|as well|volunteer\w*|freelanc\w+)\b",
    re.IGNORECASE,
)
_ONE_OF = re.compile(r"\b(?:one|some|two|three) of(?: my| our| the)?\s*$", re.IGNORECASE)
_NOBODY = """
everyone everybody someone somebody nobody anyone anybody people today tomorrow yesterday tonight there here this that
these those it he she they you who what when where why how which one some many most all both each the a an and but or
so then if my your his her our their its we i us them mom mum dad also now just well oh hey hi hello yes yeah no not
monday tuesday wednesday thursday friday saturday sunday january february march april may june july august september
october november december honestly actually finally currently recently still always never sometimes often home work
life music food school college company good great nice cool wow thanks thank sorry please ok okay maybe perhaps since
because while after before as at in on for with from to of by about let lets let's i'm i've
"""
_NOBODIES = frozenset(_NOBODY.split())
_PHONES = re.compile(r"\b(?:cell|mobile|phone|telephone|number)\b")


def _by_hint() -> dict[str, list[int]]:
    """Places of rules by what hints at them: rules share hints, and most sentences hold none."""
    found: dict[str, list[int]] = {}
    for place, rule in enumerate(RULES):
        for hint in rule.hints:
            found.setdefault(hint, []).append(place)
    return found


_HINTED = _by_hint()


@dataclass(frozen=True, slots=True)
class Attribute:
    """A property of somebody or something, as the characters `[start, end)` of a text state it.

    `value` is made for comparing, `words` are as written; both are empty where only an end is stated ("I quit my
    job"). `polarity` is false for what is denied or over. `kind` says what `value` can be compared with. A `weak` one
    need not exclude others; `changed` says that the statement itself speaks of a change.
    """

    subject: str
    name: str
    value: str
    polarity: bool
    start: int
    end: int
    words: str = ""
    kind: str = ""
    weak: bool = False
    changed: bool = False


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two statements of which the newer one holds."""

    subject: str
    name: str
    older: str
    newer: str
    """What holds since, as written; empty where only an end was stated."""

    @property
    def whose(self) -> str:
        """The property, and of whom it is."""
        thing = not self.subject or self.subject.startswith("the ")
        return self.name if thing else f"{self.name} of {self.subject}"

    @property
    def reason(self) -> str:
        """In words."""
        if not self.newer:
            return f"{self.whose}: no longer \u201c{self.older}\u201d"
        return f"{self.whose}: \u201c{self.newer}\u201d instead of \u201c{self.older}\u201d"


def attributes(text: str, speaker: str | None) -> list[Attribute]:
    """What a text states, in order. `speaker` is who "I" is: whoever says it, else the subject of the memory."""
    found: dict[tuple[str, str, int], Attribute] = {}
    for sentence in sentences(text):
        if sentence.asks:
            continue
        for attribute in _stated(sentence, speaker or ""):
            found.setdefault((attribute.name, attribute.kind, attribute.end), attribute)
    return sorted(found.values(), key=lambda one: (one.start, one.end, one.name, one.kind))


def contradicts(older: Sequence[Attribute], newer: Sequence[Attribute]) -> Contradiction | None:
    """The first property of the same subject that two texts state differently, the newer one rightly; else None."""
    for now in newer:
        for before in older:
            if _replaces(now, before) and not any(_upholds(other, before) for other in newer):
                return Contradiction(
                    before.subject, before.name, before.words, now.words if now.polarity else ""
                )
    return None


def _replaces(now: Attribute, before: Attribute) -> bool:
    if not before.polarity or before.name != now.name or before.subject.casefold() != now.subject.casefold():
        return False
    if not now.polarity:
        return not now.value or (now.kind == before.kind and same(now.value, before.value))
    if not before.value or now.kind != before.kind or same(now.value, before.value):
        return False
    return now.changed or not (now.weak or before.weak)


def _upholds(now: Attribute, before: Attribute) -> bool:
    return (
        now.polarity
        and (now.name, now.kind) == (before.name, before.kind)
        and now.subject.casefold() == before.subject.casefold()
        and same(now.value, before.value)
    )


def _stated(sentence: Sentence, speaker: str) -> Iterator[Attribute]:
    text = sentence.text[:_LONGEST]
    lower = text.lower().replace("\u2019", "'")
    hinted = {place for hint in filter(lower.__contains__, _HINTED) for place in _HINTED[hint]}
    for rule in (RULES[place] for place in sorted(hinted)):
        if rule.context is not None and not rule.context.search(text):
            continue
        at = 0
        while match := rule.pattern.search(text, at):
            at = match.start() + 1
            yield from _read(rule, match, text, sentence.start, speaker)


def _read(rule: Rule, match: re.Match[str], text: str, offset: int, speaker: str) -> Iterator[Attribute]:
    parts = match.groupdict()
    subject = _subject(rule, parts, match, text, speaker)
    polarity = _polarity(rule, parts, match, text)
    if subject is None or polarity is None:
        return
    name = _named(rule, parts)
    changed = (
        rule.changes or bool(_CHANGE.search(text)) or (rule.event and bool((parts.get("verb") or "").strip()))
    )
    found: Sequence[Value] = ()
    if rule.reader is not None:
        before = parts.get("value") is not None
        found = (
            rule.reader(text[: match.end("value")], match.start("value"))
            if before
            else rule.reader(text, match.end())
        )
    elif rule.ends:
        yield Attribute(subject, name, "", False, offset + match.start(), offset + match.end(), changed=True)
    for value in found:
        start, end = min(match.start(), value.start), max(value.end, match.start() + 1)
        yield Attribute(
            subject, name, value.key, polarity, offset + start, offset + end, text[value.start : value.end],
            value.kind, rule.weak, changed,
        )  # fmt: skip


def _subject(
    rule: Rule, parts: dict[str, str | None], match: re.Match[str], text: str, speaker: str
) -> str | None:
    """Who or what is spoken of; None where that is unclear."""
    if parts.get("joined"):
        subjects = [found.end() for found in _SUBJECT.finditer(text, 0, match.start())]
        if not subjects or _OTHERS.search(text, subjects[-1], match.start()):
            return None
        return speaker
    if parts.get("kin"):
        kin = parts["kin"] or ""
        return parts.get("kin_name") or (
            f"{speaker}'s {kin.casefold()}" if speaker else f"my {kin.casefold()}"
        )
    if named := parts.get("named"):
        return None if named.split()[0].casefold().replace("\u2019", "'") in _NOBODIES else named
    own = (parts.get("own") or parts.get("own_other") or "my").casefold()
    shared = own in {"the", "our", "this", "that"} and rule.shared
    return f"the {_noun(parts)}" if shared else speaker


def _polarity(rule: Rule, parts: dict[str, str | None], match: re.Match[str], text: str) -> bool | None:
    """Whether it holds; None where it is not stated as a fact."""
    clause = max((cut.end() for cut in _CLAUSE.finditer(text, 0, match.start())), default=0)
    if _UNCERTAIN.search(text, clause, match.start()) or _ONE_OF.search(text, 0, match.start()):
        return None
    gap, verb = parts.get("gap") or "", parts.get("verb") or ""
    if re.search(r"['\u2019](?:ll|d)\b", gap) or (rule.name == "employer" and _SIDE.search(text)):
        return None
    negated = bool(_NEGATED.search(gap) or _NEGATED.search(parts.get("is") or ""))
    if rule.event:
        if negated or _OVER.search(re.sub(r"\b(?:was|were)\b", "", gap)) or _LONG_AGO.search(text):
            return None
        return not rule.ends
    past = verb.startswith(_PAST_VERBS) and not _HAVE.search(gap)
    return not (negated or past or _OVER.search(gap))


def _noun(parts: dict[str, str | None]) -> str:
    noun = parts.get("noun") or parts.get("noun_other") or ""
    return re.sub(r"['\u2019]s name$", "", " ".join(noun.casefold().split()))


def _named(rule: Rule, parts: dict[str, str | None]) -> str:
    noun = _noun(parts)
    if rule.name == "favourite {}":
        return "favourite " + re.sub(r"^(?:all-time )?(?:favou?rite|fav) ", "", noun).replace(
            "color", "colour"
        )
    if "mail" in noun:
        return re.sub(r"e-?mail(?: address)?|mail address", "e-mail address", noun)
    if _PHONES.search(noun) and rule.reader is not None and rule.reader.__name__ == "phone":
        kind = _PHONES.sub("", noun).strip(" -")
        return f"{kind} phone number" if kind else "phone number"
    return rule.name.format(noun)
