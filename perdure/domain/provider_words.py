"""What may be told of a failure: never the text that a model was asked about, and never a model's own words."""

from collections.abc import Iterable

from perdure.errors import ProviderReason

_RUN = 16
_LONGEST = 300
# Here providers and models speak of the text itself: what they say of it stays with whoever asked.
_IN_OUR_WORDS = {
    ProviderReason.REFUSED: "refused to answer this",
    ProviderReason.MALFORMED: "did not answer in the form that was asked for, not even when asked again",
}


def told(reason: ProviderReason, detail: str, texts: Iterable[str]) -> str:
    """A detail without what was asked; `texts` are those that must not be quoted."""
    if reason in _IN_OUR_WORDS:
        return _IN_OUR_WORDS[reason]
    short = detail[:_LONGEST]
    if any(_quotes(short, text) for text in texts):
        return "its message repeats what was asked, and is left out"
    return short


def _quotes(detail: str, text: str) -> bool:
    """Whether some characters in a row stand in both."""
    if not text.strip():
        return False
    if len(text) < _RUN:
        return len(text.strip()) >= _RUN // 2 and text.strip() in detail
    return any(detail[start : start + _RUN] in text for start in range(len(detail) - _RUN + 1))
