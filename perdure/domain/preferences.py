"""Who says, or of whom it is said, that they like or dislike something: English sentences, by their verbs."""

import re

_SENTENCES = re.compile(r"[^.!?\n]+[.!?]*")
_ADVERBS = r"(?:(?:really|absolutely|also|still|always|usually|often|simply|just|much|truly)\s+)*"
_LIKE = r"(?:like|love|enjoy|prefer|adore|favou?r|hate|dislike|detest|loathe|despise)"
_LIKES = r"(?:likes|loves|enjoys|prefers|adores|favou?rs|hates|dislikes|detests|loathes|despises)"
_KEEN = r"(?:allergic\s+to|fond\s+of|a\s+(?:big\s+|huge\s+)?fan\s+of|keen\s+on|crazy\s+about)"
_NO_STANDING = r"(?:cannot|can't|can\s+not)\s+(?:stand|bear)"
# "I would like" asks for something, "what I like" and "if I like" say nothing: the words stand right after the verb.
_FIRST_PERSON = re.compile(
    rf"(?<!if )(?<!what )(?<!do )(?<!would )\bi\s+{_ADVERBS}"
    rf"(?:(?:(?:do\s+not|don't)\s+{_ADVERBS})?{_LIKE}\b|{_NO_STANDING}\b|am\s+{_ADVERBS}(?:not\s+)?{_KEEN})"
    rf"|\bi'm\s+{_ADVERBS}(?:not\s+)?{_KEEN}",
    re.IGNORECASE,
)
_THIRD_PERSON = re.compile(
    rf"\s*(?P<who>[^\W\d_][\w'. -]{{0,80}}?)\s+{_ADVERBS}"
    rf"(?:{_LIKES}\b|(?:does\s+not|doesn't)\s+{_ADVERBS}{_LIKE}\b|{_NO_STANDING}\b|is\s+{_ADVERBS}(?:not\s+)?{_KEEN})",
    re.IGNORECASE,
)


def who_prefer(text: str, speaker: str) -> set[str]:
    """Names, as the text has them; the speaker is who says "I"."""
    found = set()
    for match in _SENTENCES.finditer(text.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")):
        sentence = match.group()
        if sentence.endswith("?"):
            continue
        if speaker and _FIRST_PERSON.search(sentence):
            found.add(speaker)
        elif (third := _THIRD_PERSON.match(sentence)) is not None:
            found.add(third["who"].strip())
    return found
