"""Sealed values open with their key at their place, and never otherwise."""

import string
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from perdure.domain.sealing import Place, header, key_id_of, new_key, seal, unseal
from perdure.errors import SealedValueError

keys = st.binary(min_size=32, max_size=32)
key_ids = st.text(string.ascii_letters + string.digits + "-_.", min_size=1, max_size=64)
parts = st.text(max_size=20)
places = st.builds(Place, parts, parts, parts, parts)
plaintexts = st.binary(max_size=200)


@given(keys, key_ids, places, plaintexts)
def test_what_is_sealed_opens_again(key: bytes, key_id: str, place: Place, plaintext: bytes) -> None:
    sealed = seal(key, key_id, place, plaintext)
    assert unseal(key, place, sealed) == plaintext
    assert key_id_of(sealed) == key_id
    assert sealed.startswith(header(key_id))


@given(keys, key_ids, places, plaintexts, st.data())
def test_any_changed_bit_is_noticed(
    key: bytes, key_id: str, place: Place, plaintext: bytes, data: st.DataObject
) -> None:
    sealed = bytearray(seal(key, key_id, place, plaintext))
    bit = data.draw(st.integers(0, 8 * len(sealed) - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(SealedValueError):
        unseal(key, place, bytes(sealed))


@given(keys, key_ids, places, plaintexts, st.data())
def test_a_value_that_lost_or_gained_bytes_is_noticed(
    key: bytes, key_id: str, place: Place, plaintext: bytes, data: st.DataObject
) -> None:
    sealed = seal(key, key_id, place, plaintext)
    cut = data.draw(st.integers(0, len(sealed) - 1))
    for changed in (sealed[:cut], sealed + b"\x00", sealed[cut:] + sealed[:cut]):
        assume(changed != sealed)
        with pytest.raises(SealedValueError):
            unseal(key, place, changed)


@given(keys, key_ids, places, places, plaintexts)
def test_no_other_place_opens_it(
    key: bytes, key_id: str, place: Place, other: Place, plaintext: bytes
) -> None:
    assume(other != place)
    with pytest.raises(SealedValueError):
        unseal(key, other, seal(key, key_id, place, plaintext))


@given(keys, key_ids, places, plaintexts, st.sampled_from(["organisation_id", "table", "column", "row_id"]))
def test_each_part_of_the_place_counts(
    key: bytes, key_id: str, place: Place, plaintext: bytes, part: str
) -> None:
    other = replace(place, **{part: getattr(place, part) + "x"})
    with pytest.raises(SealedValueError):
        unseal(key, other, seal(key, key_id, place, plaintext))


@given(keys, keys, key_ids, places, plaintexts)
def test_no_other_key_opens_it(key: bytes, other: bytes, key_id: str, place: Place, plaintext: bytes) -> None:
    assume(other != key)
    with pytest.raises(SealedValueError):
        unseal(other, place, seal(key, key_id, place, plaintext))


@given(places, places)
def test_different_places_are_written_differently(one: Place, other: Place) -> None:
    assert (one.encoded() == other.encoded()) is (one == other)


def test_characters_cannot_move_from_one_part_to_the_next() -> None:
    assert Place("org", "ab", "c", "row").encoded() != Place("org", "a", "bc", "row").encoded()


@given(key_ids, key_ids)
def test_no_header_begins_with_another(one: str, other: str) -> None:
    assert header(one).startswith(header(other)) is (one == other)


@given(st.binary(max_size=60))
def test_any_bytes_are_refused_with_our_error(junk: bytes) -> None:
    with pytest.raises(SealedValueError):
        unseal(b"k" * 32, Place("o", "t", "c", "r"), junk)


def test_sealing_twice_gives_two_values() -> None:
    key, place = new_key(), Place("o", "t", "c", "r")
    assert seal(key, "k", place, b"same") != seal(key, "k", place, b"same")
    assert new_key() != new_key()


@pytest.mark.parametrize("key_id", ["", "k" * 256])
def test_a_key_id_that_would_not_fit_is_refused(key_id: str) -> None:
    with pytest.raises(ValueError, match="1 to 255 characters"):
        seal(new_key(), key_id, Place("o", "t", "c", "r"), b"")
