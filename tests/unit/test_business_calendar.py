"""Deadlines in working hours, as people would count them."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from perdure.domain.business_calendar import (
    BusinessCalendar,
    after,
    before,
    parse_span,
    read_calendar,
)
from perdure.domain.json_objects import Faults

OFFICE = {
    "time_zone": "Europe/Berlin",
    "hours": {day: ["09:00-12:00", "13:00-17:00"] for day in ("mon", "tue", "wed", "thu")}
    | {"fri": ["09:00-13:00"]},
    "holidays": ["2026-12-25", "2026-12-24"],
}


def faults(given: object) -> dict[str, str]:
    found = Faults()
    assert read_calendar(given, "/calendar", found) is None
    return {fault.pointer: fault.detail for fault in found}


def calendar(given: Any = OFFICE) -> BusinessCalendar:
    found = Faults()
    read = read_calendar(given, "/calendar", found)
    assert read is not None, list(found)
    return read


def berlin(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Berlin"))


@pytest.mark.parametrize(
    ("start", "span", "due"),
    [
        ("2026-12-21T09:00", "7 business hours", "2026-12-21T17:00"),
        ("2026-12-21T16:30", "1 business hour", "2026-12-22T09:30"),
        ("2026-12-23T16:00", "2 business hours", "2026-12-28T10:00"),
        ("2026-12-19T11:00", "30 business minutes", "2026-12-21T09:30"),
        ("2026-12-22T14:00", "1 business day", "2026-12-23T14:00"),
        ("2026-12-22T14:00", "2 business days", "2026-12-28T14:00"),
        ("2026-12-17T16:00", "1 business day", "2026-12-18T13:00"),
        ("2026-12-19T11:00", "1 business day", "2026-12-22T09:00"),
        ("2026-12-21T12:30", "1 business day", "2026-12-22T13:00"),
        ("2026-12-21T16:30", "3 days", "2026-12-24T16:30"),
    ],
)
def test_spans_end_when_people_expect_it(start: str, span: str, due: str) -> None:
    length = parse_span(span)
    assert length is not None
    assert after(calendar(), berlin(start), length) == berlin(due)


@pytest.mark.parametrize(
    ("due", "span", "start"),
    [
        ("2026-12-28T10:00", "2 business hours", "2026-12-23T16:00"),
        ("2026-12-28T14:00", "2 business days", "2026-12-22T14:00"),
        ("2026-12-28T14:00", "90 minutes", "2026-12-28T12:30"),
    ],
)
def test_what_is_before_a_deadline_is_counted_back(due: str, span: str, start: str) -> None:
    length = parse_span(span)
    assert length is not None
    assert before(calendar(), berlin(due), length) == berlin(start)


def test_an_hour_that_a_clock_change_repeats_is_worked_twice() -> None:
    night = calendar({"time_zone": "Europe/Berlin", "hours": {"sun": ["00:00-24:00"]}})
    start, end = datetime(2026, 10, 24, 22, tzinfo=UTC), datetime(2026, 10, 25, 23, tzinfo=UTC)
    assert night.between(start, end) == timedelta(hours=25)
    assert night.add(start, timedelta(hours=25)) == end


def test_an_hour_that_a_clock_change_skips_is_not_worked() -> None:
    night = calendar({"time_zone": "Europe/Berlin", "hours": {"sun": ["01:30-02:30"]}})
    assert night.between(berlin("2026-03-29T00:00"), berlin("2026-03-29T12:00")) == timedelta(minutes=30)


def test_business_time_without_a_calendar_is_an_error_and_no_guess() -> None:
    span = parse_span("2 business hours")
    assert span is not None
    with pytest.raises(ValueError, match="without a calendar"):
        after(None, datetime(2026, 1, 1, tzinfo=UTC), span)
    with pytest.raises(ValueError, match="without a calendar"):
        before(None, datetime(2026, 1, 1, tzinfo=UTC), span)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2",
        "0 days",
        "-1 days",
        "2 business weeks",
        "2.5 hours",
        "PT2H",
        "99999 weeks",
        "2001 business hours",
        "367 business days",
        2,
        None,
    ],
)
def test_what_is_no_span_is_none(text: object) -> None:
    assert parse_span(text) is None


@pytest.mark.parametrize("text", ["1 minute", "90 minutes", "2 business days", "1 week"])
def test_a_span_reads_as_it_is_written(text: str) -> None:
    assert str(parse_span(text)) == text


def test_every_fault_of_a_calendar_is_named_at_once() -> None:
    given = {
        "time_zone": "Europe/Atlantis",
        "hours": {
            "mon": ["9-17", "10:00-09:00", "08:00-08:61"],
            "tue": ["08:00-12:00", "11:00-13:00"],
            "xyz": [],
        },
        "holidays": ["2026-02-30", 7],
        "weekends": True,
    }
    assert faults(given).keys() == {
        "/calendar/time_zone",
        "/calendar/hours/mon/0",
        "/calendar/hours/mon/1",
        "/calendar/hours/mon/2",
        "/calendar/hours/tue",
        "/calendar/hours/xyz",
        "/calendar/holidays/0",
        "/calendar/holidays/1",
        "/calendar/weekends",
    }


@pytest.mark.parametrize("hours", [None, {}, {"mon": []}, {"mon": ["09:00-09:59"]}])
def test_a_calendar_without_hours_is_refused(hours: object) -> None:
    assert faults({"time_zone": "UTC", "hours": hours}).keys() == {"/calendar/hours"}


@pytest.mark.parametrize("zone", ["", "../etc/passwd", "/etc/localtime", "a\0b", "Mars/Olympus", 7])
def test_a_zone_is_never_a_path(zone: object) -> None:
    assert "/calendar/time_zone" in faults({"time_zone": zone, "hours": {"mon": ["09:00-17:00"]}})


def test_a_year_of_work_in_short_weeks_is_counted_quickly() -> None:
    short = calendar(OFFICE | {"hours": {"mon": ["09:00-10:00"]}})
    span = parse_span("2000 business hours")
    assert span is not None
    started = time.process_time()
    due = after(short, berlin("2026-12-21T09:00"), span)
    assert due.year == 2065
    assert time.process_time() - started < 1
