import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from perdure.chaos import report
from perdure.chaos.findings import Outcome, Violation, Violations
from perdure.chaos.plan import Fault, Kind, plan
from perdure.chaos.run import Run


def outcome(
    number: int,
    kind: Kind,
    parts: tuple[str, ...],
    recovery_s: float | None,
    *broken: Violation,
    skipped: str = "",
) -> Outcome:
    fault = Fault(number, kind, parts, 0.5, 0.0 if kind is Kind.KILL else 3.0, number)
    return Outcome(fault, number * 10.0, 8.0, recovery_s, 1, 5, broken, skipped)


def a_run(*outcomes: Outcome) -> Run:
    return Run(7, datetime(2026, 11, 21, tzinfo=UTC), "org_1", list(outcomes), 120.0, "http://receipt")


def test_only_kills_of_one_part_are_held_against_the_targets() -> None:
    made = report.summary(
        a_run(
            outcome(0, Kind.KILL, ("worker cpu",), 9.0),
            outcome(1, Kind.KILL, ("worker io",), 12.0),
            outcome(6, Kind.KILL, ("worker io", "worker cpu"), 70.0),
            outcome(2, Kind.KILL, ("worker cpu", "postgres"), 50.0),
            outcome(3, Kind.KILL, ("temporal",), 2.0),
            outcome(4, Kind.FREEZE, ("worker cpu",), 60.0),
            outcome(5, Kind.KILL, ("api",), None),
        )
    )
    workers, servers, *parts = made["recovery"]
    assert (workers["count"], workers["p95_s"], workers["met"]) == (2, 12.0, False)
    assert (servers["count"], servers["p95_s"], servers["met"]) == (1, 2.0, True)
    assert [(part["name"], part["count"], part["met"]) for part in parts] == [
        ("of these, worker io", 1, False),
        ("of these, worker cpu", 1, True),
        ("of these, api", 0, None),
        ("of these, temporal", 1, True),
        ("of these, postgres", 0, None),
    ]


def test_the_page_shows_every_fault_and_escapes_what_others_wrote(tmp_path: Path) -> None:
    hostile = Violation("a document is lost", "<script>alert(1)</script>")
    skipped = outcome(2, Kind.STORE_ERRORS, (), None, skipped="the objects lie in no directory")
    run = a_run(
        outcome(0, Kind.KILL, ("api",), 1.5), outcome(1, Kind.SLOW, ("temporal",), 3.0, hostile), skipped
    )
    page = report.write(run, tmp_path).read_text()
    assert "1 violations" in page
    assert "<script>" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "slow: temporal for 3.0 s" in page
    assert "left out: the objects lie in no directory" in page
    assert "src=" not in page
    made = json.loads((tmp_path / "chaos.json").read_text())
    assert (made["seed"], made["faults"], made["violations"]) == (7, 2, 1)
    assert [each["number"] for each in made["outcomes"]] == [0, 1, 2]
    assert made["command"] == "perdure chaos --seed 7 --duration 1"
    assert made["command"] in page


def test_a_run_that_went_on_says_from_where() -> None:
    made = report.summary(a_run(*(outcome(number, Kind.KILL, ("api",), 1.0) for number in (60, 61, 62))))
    assert made["command"] == "perdure chaos --seed 7 --duration 10.5 --first 60"
    faults = plan(7, timedelta(minutes=10.5))
    assert len(faults) == 63


def test_a_run_without_kills_says_that_nothing_was_measured() -> None:
    assert [each["met"] for each in report.summary(a_run())["recovery"]] == [None] * 7
    assert "0 violations" in report.html(report.summary(a_run()))


def test_the_same_violation_counts_once() -> None:
    violations = Violations()
    for _ in range(3):
        violations.add("lost", "doc_1")
    assert len(violations.found) == 1


def test_the_page_can_draw_every_kind_of_fault() -> None:
    made = report.summary(a_run(*(outcome(number, kind, ("api",), None) for number, kind in enumerate(Kind))))
    page = report.html(made)
    assert all(f">{kind.value}</text>" in page for kind in Kind)
    assert page.count('fill=""') == 0
