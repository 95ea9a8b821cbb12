"""When a provider counts as not well."""

from decimal import Decimal

from perdure.domain.provider_health import Calls, FindingKind, findings

USUAL = Calls(calls=2_000, failed=4, p95_ms=2_000.0, cost_usd=Decimal(67))


def kinds(late: Calls, usual: Calls = USUAL) -> list[FindingKind]:
    return [finding.kind for finding in findings("openai", late, usual)]


def test_nothing_is_said_of_what_is_usual_or_of_too_few() -> None:
    assert kinds(Calls()) == []
    assert kinds(Calls(calls=4, failed=4)) == []
    assert kinds(Calls(calls=100, failed=20, p95_ms=4_000.0, cost_usd=Decimal("0.50"))) == []


def test_failures_slowness_and_cost_are_each_found() -> None:
    assert kinds(Calls(calls=10, failed=3)) == [FindingKind.ERRORS]
    assert kinds(Calls(calls=10, p95_ms=6_100.0)) == [FindingKind.LATENCY]
    assert kinds(Calls(calls=1, cost_usd=Decimal("1.00"))) == [FindingKind.COST]


def test_slow_is_told_against_what_was_usual_and_never_below_five_seconds() -> None:
    late = Calls(calls=10, p95_ms=4_900.0)
    assert kinds(late, Calls(calls=50, p95_ms=100.0)) == []
    assert kinds(Calls(calls=10, p95_ms=60_000.0), Calls()) == []


def test_a_finding_is_a_sentence_with_figures() -> None:
    (finding,) = findings("openai", Calls(calls=10, failed=5), USUAL)
    assert "openai failed 50% of 10 calls in the last 15 minutes" in finding.text
