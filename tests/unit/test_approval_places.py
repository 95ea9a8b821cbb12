"""Places in the inbox are read again as they were written, and nothing else is taken for one."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from perdure.db.approval_inbox import DuePlace


@given(st.none() | st.datetimes(timezones=st.just(UTC)))
def test_a_place_is_read_as_it_was_written(due_at: datetime | None) -> None:
    place = DuePlace(due_at, "apr_01")
    assert DuePlace.read(str(place)) == place


@given(st.text())
def test_other_texts_are_no_places_or_have_all_parts(text: str) -> None:
    place = DuePlace.read(text)
    assert place is None or (place.approval_id and (place.due_at is None or place.due_at.tzinfo))


def test_a_time_without_a_zone_is_none() -> None:
    assert DuePlace.read("2026-11-02T09:00:00 apr_01") is None
    assert DuePlace.read("never ") is None
