"""Dashboards and alerts ask for metrics that exist, and each alert has a page that says what to do.

That the metrics exist is checked against docs/operations.md, and that against a running product in
tests/observability.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.observability.expositions import documented

ROOT = Path(__file__).parents[2]
DASHBOARDS = sorted((ROOT / "deploy/grafana/dashboards").glob("*.json"))
RUNBOOKS = ROOT / "docs/runbooks"

# What Prometheus makes by itself.
PROMETHEUS = {"up", "ALERTS"}
FUNCTIONS = {
    "absent", "and", "by", "count", "delta", "histogram_quantile", "increase", "max", "min", "on", "or", "rate", "sum",
    "time", "topk", "unless", "without", "label_values",
}  # fmt: skip
_GROUPING = re.compile(r"\b(?:by|without|on)\s*\([^)]*\)")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_MATCHERS = re.compile(r"\{[^}]*\}")
_RANGE = re.compile(r"\[[^\]]*\]")
_LABEL_OF_VARIABLE = re.compile(r",\s*\w+\s*\)$")
_WORD = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_MATCHER = re.compile(r"([a-z_]+)\s*(?:=~|!~|!=|=)\s*$")


def metrics_of(expression: str) -> set[str]:
    """Names of metrics in a PromQL expression."""
    plain = _MATCHERS.sub("", _STRING.sub('""', expression))
    plain = _GROUPING.sub("", _RANGE.sub("", plain))
    if expression.startswith("label_values("):
        plain = _LABEL_OF_VARIABLE.sub(")", plain)
    return set(_WORD.findall(plain)) - FUNCTIONS


def families(names: set[str]) -> set[str]:
    """What a histogram's series belong to."""
    histograms = {name for name, (kind, _) in documented().items() if kind == "histogram"}
    return {
        next(
            (base for base in histograms if name in {f"{base}_bucket", f"{base}_sum", f"{base}_count"}), name
        )
        for name in names
    }


def alerts() -> Iterator[dict[str, Any]]:
    rules = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())
    for group in rules["groups"]:
        yield from group["rules"]


ALERTS = list(alerts())


def expressions(dashboard: Path) -> Iterator[str]:
    board = json.loads(dashboard.read_text())
    for panel in board["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))
    yield from (variable["definition"] for variable in board["templating"]["list"])
    yield from (annotation["expr"] for annotation in board["annotations"]["list"])


def test_the_reader_of_expressions_finds_metrics_and_nothing_else() -> None:
    expression = (
        'histogram_quantile(0.95, sum by (le, route) (rate(a_seconds_bucket{route!~"/x{y}|b_total"}[5m]))) > 2 '
        "and sum(rate(c_total[$__rate_interval])) / time() or absent(up)"
    )
    assert metrics_of(expression) == {"a_seconds_bucket", "c_total", "up"}
    assert metrics_of("label_values(d_total, queue)") == {"d_total"}


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda path: path.stem)
def test_a_dashboard_asks_for_metrics_that_exist(dashboard: Path) -> None:
    asked = set().union(*(metrics_of(expression) for expression in expressions(dashboard)))
    assert len(asked) > 10
    assert families(asked) - set(documented()) - PROMETHEUS == set()


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_an_alert_asks_for_metrics_that_exist(alert: dict[str, Any]) -> None:
    asked = metrics_of(alert["expr"])
    assert asked
    assert families(asked) - set(documented()) - PROMETHEUS == set()


def test_every_metric_that_is_documented_is_looked_at() -> None:
    looked_at = set().union(
        *(metrics_of(expression) for dashboard in DASHBOARDS for expression in expressions(dashboard)),
        *(metrics_of(alert["expr"]) for alert in ALERTS),
    )
    assert set(documented()) - families(looked_at) == set()


def test_labels_that_are_asked_for_exist() -> None:
    text = (ROOT / "docs" / "operations.md").read_text()
    known = set(re.findall(r"`([a-z_]+)`", text)) | {"le", "job", "instance", "alertname", "alertstate"}
    everything = [*(alert["expr"] for alert in ALERTS)]
    everything += [expression for dashboard in DASHBOARDS for expression in expressions(dashboard)]
    asked = {
        name.strip()
        for expression in everything
        for group in re.findall(r"\b(?:by|without)\s*\(([^)]*)\)", expression)
        for name in group.split(",")
    }
    for expression in everything:
        for matchers in _MATCHERS.findall(_STRING.sub("", expression)):
            asked |= {
                found[1] for part in matchers[1:-1].split(",") if (found := _MATCHER.match(part.strip()))
            }
    assert {"le", "queue", "status", "job"} <= asked
    assert asked - known == set()


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_an_alert_names_its_severity_and_its_page(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in {"page", "ticket"}
    assert alert["annotations"]["summary"]
    page = ROOT / alert["annotations"]["runbook_url"]
    assert page == RUNBOOKS / f"{alert['alert']}.md"
    text = page.read_text()
    assert text.startswith(f"# {alert['alert']}\n")
    assert {"## Look", "## Do"} <= set(text.splitlines())


def test_every_page_belongs_to_an_alert_and_leads_somewhere() -> None:
    assert {page.stem for page in RUNBOOKS.glob("*.md")} == {alert["alert"] for alert in ALERTS}
    for page in RUNBOOKS.glob("*.md"):
        for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_pages_name_settings_and_metrics_that_exist() -> None:
    from perdure.settings import Settings  # noqa: PLC0415

    known = {
        str(field.validation_alias or f"PERDURE_{name.upper()}")
        for name, field in Settings.model_fields.items()
    }
    for page in (*RUNBOOKS.glob("*.md"), ROOT / "docs/operations.md"):
        text = page.read_text()
        assert set(re.findall(r"\bPERDURE_[A-Z_]+[A-Z]\b", text)) <= known, page.name
        named = {
            name for name in re.findall(r"\b(?:perdure|temporal)_[a-z_]+[a-z]\b", text) if "_total" in name
        }
        assert families(named) <= set(documented()), page.name
