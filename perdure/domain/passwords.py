"""Passwords: which ones are acceptable, and argon2id hashes of them (ASVS 5.0, 6.2 and 11.4.2)."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from perdure.errors import FieldError, InvalidInputError, QuotaExceededError

MIN_LENGTH = 10
MAX_LENGTH = 256
_MIN_DISTINCT = 5

MEMORY_KIB = 46 * 1024
TIME_COST = 2
HASHES_AT_ONCE = 2
_MOST_WAITING = 200


def check_password(password: str, email: str, pointer: str = "/body/password") -> None:
    """Refuse what is guessed first; any characters are welcome, no composition rules."""
    problem = None
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        problem = f"must have {MIN_LENGTH} to {MAX_LENGTH} characters"
    elif len(set(password)) < _MIN_DISTINCT:
        problem = f"repeats itself; use at least {_MIN_DISTINCT} different characters"
    elif password.casefold() in {email.casefold(), email.partition("@")[0].casefold()}:
        problem = "is your e-mail address; choose something that others cannot know"
    if problem is not None:
        detail = f"The password {problem}."
        raise InvalidInputError(detail, [FieldError(pointer, detail)])


@dataclass(frozen=True)
class Verdict:
    """Outcome of a check; `rehash` is a new hash to store when the parameters have grown since."""

    matches: bool
    rehash: str | None = None


@dataclass
class Passwords:
    """Hashes and checks in threads, few at once: each takes 46 MiB, so the memory stays bounded."""

    hasher: PasswordHasher = field(
        default_factory=lambda: PasswordHasher(
            time_cost=TIME_COST, memory_cost=MEMORY_KIB, parallelism=1, type=Type.ID
        )
    )

    def __post_init__(self) -> None:
        self.slots = asyncio.Semaphore(HASHES_AT_ONCE)
        self._waiting = 0
        self._stand_in: str | None = None

    async def __aenter__(self) -> "Passwords":
        """Wait for one of the slots; the caller may look again at what changed while it waited."""
        if self._waiting >= _MOST_WAITING:
            detail = "Too many people are logging in at this moment; try again in a few seconds."
            raise QuotaExceededError(detail, timedelta(seconds=5))
        self._waiting += 1
        try:
            await self.slots.acquire()
        finally:
            self._waiting -= 1
        return self

    async def __aexit__(self, *_: object) -> None:
        self.slots.release()

    async def hash(self, password: str) -> str:
        """Hash a new password. Call inside `async with passwords`."""
        return await asyncio.to_thread(self.hasher.hash, _bytes(password))

    async def verify(self, stored: str | None, password: str) -> Verdict:
        """Check a password, as slowly for no account (`stored` None) as for one. Call inside `async with`."""
        if stored is None:
            if self._stand_in is None:
                self._stand_in = await asyncio.to_thread(self.hasher.hash, b"no account has this password")
            await asyncio.to_thread(self._matches, self._stand_in, password)
            return Verdict(matches=False)
        if not await asyncio.to_thread(self._matches, stored, password):
            return Verdict(matches=False)
        stale = self.hasher.check_needs_rehash(stored)
        return Verdict(matches=True, rehash=await self.hash(password) if stale else None)

    def _matches(self, stored: str, password: str) -> bool:
        try:
            return self.hasher.verify(stored, _bytes(password))
        except (VerificationError, InvalidHashError):
            return False


def _bytes(password: str) -> bytes:
    return password.encode("utf-8", "surrogatepass")
