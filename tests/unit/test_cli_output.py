"""Tables of the command line: ids can be copied whole from a narrow terminal and out of a pipe."""

from datetime import UTC, datetime
from io import StringIO

import pytest
from rich.console import Console
from rich.table import Table

from perdure.cli.output import local_time, outcome_table, print_listed, print_table, table_of
from perdure.ingestion import Outcome

EXECUTION = "exe_01m81np4qj60m0z5xdvhcv2vym"
DOCUMENT = "doc_01m81naz06r293262jjtrvpj9p"
NAME = "Support for complaints with a rather long name, because somebody named it so"


def printed(table: Table, width: int, *, terminal: bool) -> list[str]:
    out = StringIO()
    print_table(table, Console(file=out, width=width, force_terminal=terminal, color_system=None))
    return out.getvalue().splitlines()


def executions() -> Table:
    table = table_of("execution", "name", "version", "document", "status", "begun")
    table.add_row(EXECUTION, NAME, "1", DOCUMENT, "waiting_approval", "2026-11-22 13:03 UTC")
    return table


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("width", [60, 80, 300])
def test_ids_words_and_times_stay_whole_however_narrow_it_is(width: int, terminal: bool) -> None:
    lines = printed(executions(), width, terminal=terminal)
    whole = "\n".join(lines)
    for said in (EXECUTION, DOCUMENT, "waiting_approval"):
        assert said in whole
    assert all(len(line) <= width for line in lines) or not terminal


def test_what_is_piped_has_a_line_for_each_entry() -> None:
    (line,) = (one for one in printed(executions(), 80, terminal=False) if EXECUTION in one)
    assert NAME in line
    assert DOCUMENT in line


def test_a_narrow_terminal_names_what_it_shows_and_leaves_out_what_is_empty() -> None:
    table = table_of("secret", "name", "kind", "ends in", "sent to", "set")
    table.add_row(
        "sec_01m81np4qj60m0z5xdvhcv2vym", "crm", "http_header", "", "https://crm.example.com", "now"
    )
    lines = printed(table, 80, terminal=True)
    assert lines[0].strip() == "sec_01m81np4qj60m0z5xdvhcv2vym"
    assert lines[1].rstrip().split("  ")[1:] == [
        "name crm",
        "kind http_header",
        "sent to https://crm.example.com",
        "set now",
    ]


def test_a_table_without_ids_is_folded() -> None:
    table = table_of("template", "what it does")
    table.add_row("invoice-approval", "word " * 60)
    assert all(len(line) <= 80 for line in printed(table, 80, terminal=False))


def test_nothing_found_is_said_in_words() -> None:
    out = StringIO()
    print_listed(table_of("secret", "name"), "No secret.", Console(file=out, width=80))
    assert out.getvalue() == "No secret.\n"


def test_times_have_a_zone() -> None:
    at = datetime(2026, 11, 22, 13, 3, tzinfo=UTC)
    assert local_time(at) == local_time(at.isoformat()) == f"{at.astimezone():%Y-%m-%d %H:%M %Z}"
    assert local_time(None) == ""


@pytest.mark.parametrize("reason", ["decompression_limit", "password_protected", "unsupported_type"])
def test_what_became_of_a_file_stays_whole_on_a_narrow_terminal(reason: str) -> None:
    name = "contracts/2026/warehouse-lease-signed-by-both.pdf"
    outcome = Outcome(
        name=name, status="quarantined", media_type="application/pdf", seconds=1.25, reason=reason
    )
    lines = printed(outcome_table([outcome], "Files"), 80, terminal=True)
    (line,) = (one for one in lines if reason in one)
    assert (f"quarantined: {reason}" in line, "1.2 s" in line, "pdf" in line) == (True, True, True)
