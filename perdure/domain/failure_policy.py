"""One policy of failure for calls of providers: who is asked again, when, and who is not asked any more.

What may pass (429, 5xx, time-outs) is asked again later, a few times; what will not (a wrong key, a refusal) goes to
the next provider at once. A failure that speaks of the key or the server holds for all that an activity asks, one
that speaks of the text for this text only.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from perdure.domain.routing import Candidate, ProviderName
from perdure.errors import ProviderReason

# Of the key, not of what was asked: nobody needs to find out again with the next text.
_OF_KEY = frozenset((ProviderReason.UNAUTHORISED, ProviderReason.NO_CREDIT))


@dataclass(frozen=True)
class Patience:
    """How often one provider is asked in a row, and how long is waited in between."""

    tries: int = 4
    first_wait: timedelta = timedelta(seconds=1)
    longest_wait: timedelta = timedelta(seconds=30)
    """Whoever wants to be asked later than this makes way for the next, if there is one."""
    longest_turn: timedelta = timedelta(seconds=20)
    """A turn of a key's rate that comes sooner is waited for in place; a later one lets others work meanwhile."""

    def wait(self, failures: int) -> timedelta:
        """After so many failures, when the provider does not say."""
        return min(self.first_wait * (1 << min(failures - 1, 10)), self.longest_wait)


@dataclass(frozen=True)
class Failure:
    """Why one of those who were asked did not answer, for people; `count` is how often in a row."""

    provider: ProviderName
    model: str
    reason: ProviderReason
    detail: str
    key_id: str | None = None
    count: int = 1

    @classmethod
    def of(cls, candidate: Candidate, reason: ProviderReason, detail: str, count: int = 1) -> "Failure":
        """Of a candidate."""
        return cls(candidate.provider, candidate.model, reason, detail, candidate.key_id, count)

    @property
    def text(self) -> str:
        """As one of several reasons."""
        times = f", {self.count} times" if self.count > 1 else ""
        return f"{self.provider} ({self.model}): {self.detail} [{self.reason}{times}]"


@dataclass
class _Noted:
    reason: str
    detail: str
    count: int
    attempt: int

    def failure(self, candidate: Candidate) -> Failure:
        return Failure.of(candidate, ProviderReason(self.reason), self.detail, self.count)


@dataclass
class Ledger:
    """Failures of an activity over its attempts: of all that it asks, and of single texts by their digest.

    Many calls of one attempt that fail together count as one: they say the same.
    """

    _of_all: dict[str, _Noted] = field(default_factory=dict)
    _of_text: dict[str, dict[str, _Noted]] = field(default_factory=dict)

    def note(
        self,
        candidate: Candidate,
        digest: str,
        reason: ProviderReason,
        detail: str,
        attempt: int,
        *,
        passes: bool,
    ) -> int:
        """Note a failure; how many there are in a row."""
        name = _name(candidate)
        if passes:
            before = self._of_all.get(name)
            if before is not None and before.attempt == attempt:
                return before.count
            count = before.count + 1 if before is not None else 1
            self._of_all[name] = _Noted(reason.value, detail, count, attempt)
            return count
        noted = _Noted(reason.value, detail, 1, attempt)
        if reason in _OF_KEY:
            self._of_all[name] = noted
        else:
            self._of_text.setdefault(digest, {})[name] = noted
        return 1

    def given_up(self, candidate: Candidate, digest: str, tries: int) -> Failure | None:
        """Why a candidate is not asked any more; None when it is."""
        name = _name(candidate)
        of_text = self._of_text.get(digest, {}).get(name)
        if of_text is not None:
            return of_text.failure(candidate)
        of_all = self._of_all.get(name)
        if of_all is not None and (of_all.reason in _OF_KEY or of_all.count >= tries):
            return of_all.failure(candidate)
        return None

    def failed_before(self, candidate: Candidate) -> Failure | None:
        """What a candidate that is asked again has failed with."""
        noted = self._of_all.get(_name(candidate))
        return noted.failure(candidate) if noted is not None else None

    def answered(self, candidate: Candidate, digest: str) -> bool:
        """Forget what is settled by an answer; whether there was anything."""
        before = self._of_all.pop(_name(candidate), None)
        of_text = self._of_text.pop(digest, None)
        return before is not None or of_text is not None

    def dump(self) -> dict[str, Any]:
        """As JSON can say it."""
        return {
            "all": {name: vars(noted) for name, noted in self._of_all.items()},
            "text": {
                digest: {name: vars(noted) for name, noted in by_name.items()}
                for digest, by_name in self._of_text.items()
            },
        }

    @classmethod
    def load(cls, dumped: Any) -> "Ledger":
        """What was dumped; nothing of None."""
        if not dumped:
            return cls()
        return cls(
            {name: _Noted(**noted) for name, noted in dumped["all"].items()},
            {
                digest: {name: _Noted(**noted) for name, noted in by_name.items()}
                for digest, by_name in dumped["text"].items()
            },
        )


def _name(candidate: Candidate) -> str:
    return f"{candidate.provider}|{candidate.model}|{candidate.key_id or ''}"
