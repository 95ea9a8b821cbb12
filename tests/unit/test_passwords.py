"""Which passwords are acceptable, and how they are hashed."""

import asyncio

import pytest
from argon2 import PasswordHasher
from hypothesis import given
from hypothesis import strategies as st

from perdure.domain.passwords import (
    HASHES_AT_ONCE,
    MAX_LENGTH,
    MEMORY_KIB,
    MIN_LENGTH,
    Passwords,
    check_password,
)
from perdure.errors import InvalidInputError, QuotaExceededError


def quick() -> Passwords:
    return Passwords(PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))


@given(st.text(min_size=MIN_LENGTH, max_size=MAX_LENGTH).filter(lambda text: len(set(text)) >= 5))
def test_any_long_password_of_some_variety_is_welcome(password: str) -> None:
    check_password(password, "ada@example.com")


@pytest.mark.parametrize(
    "password",
    ["", "short", "x" * 9, "abab" * 10, "0" * 40, "ADA.LOVELACE@example.com", "ada.lovelace", "y" * 257],
)
def test_what_is_guessed_first_is_refused(password: str) -> None:
    with pytest.raises(InvalidInputError) as error:
        check_password(password, "ada.lovelace@example.com")
    assert error.value.errors[0].pointer == "/body/password"


def test_the_defaults_meet_the_standard() -> None:
    hasher = Passwords().hasher
    assert (hasher.type.name, hasher.memory_cost) == ("ID", MEMORY_KIB)
    assert hasher.memory_cost >= 46 * 1024
    assert hasher.time_cost >= 1


@pytest.mark.parametrize(
    "password", ["a fine password", "naïve ☃ пароль", "null\0inside it", "\ud800 surrogate"]
)
async def test_a_password_verifies_and_others_do_not(password: str) -> None:
    async with quick() as passwords:
        stored = await passwords.hash(password)
        assert (await passwords.verify(stored, password)).matches
        assert not (await passwords.verify(stored, password + "x")).matches
        assert password not in stored


async def test_no_account_and_a_damaged_hash_match_nothing() -> None:
    async with quick() as passwords:
        assert not (await passwords.verify(None, "no account has this password")).matches
        assert not (await passwords.verify("$argon2id$damaged", "a fine password")).matches


async def test_a_current_hash_is_kept_and_an_older_one_replaced() -> None:
    async with quick() as passwords:
        stored = await passwords.hash("a fine password")
        assert (await passwords.verify(stored, "a fine password")).rehash is None
    stronger = Passwords(PasswordHasher(time_cost=2, memory_cost=128, parallelism=1))
    async with stronger as passwords:
        verdict = await passwords.verify(stored, "a fine password")
        assert verdict.rehash is not None
        assert (await passwords.verify(verdict.rehash, "a fine password")).rehash is None


async def test_no_more_than_two_hash_at_once() -> None:
    passwords = quick()
    inside = most = 0

    async def one() -> None:
        nonlocal inside, most
        async with passwords:
            inside += 1
            most = max(most, inside)
            await passwords.hash("a fine password")
            inside -= 1

    await asyncio.gather(*(one() for _ in range(20)))
    assert most == HASHES_AT_ONCE


async def test_a_crowd_is_turned_away_instead_of_queued_for_ever() -> None:
    passwords = quick()
    release = asyncio.Event()

    async def one() -> None:
        async with passwords:
            await release.wait()

    crowd = [asyncio.create_task(one()) for _ in range(HASHES_AT_ONCE + 200)]
    await asyncio.sleep(0)
    with pytest.raises(QuotaExceededError):
        await one()
    release.set()
    await asyncio.gather(*crowd)
