"""What the audit of the locked packages says, and when it fails."""

from typing import Any

import pytest

from scripts import audit

KNOWN: dict[str, Any] = {
    "name": "jinja2",
    "version": "2.10",
    "vulns": [{"id": "PYSEC-2019-217", "aliases": ["CVE-2019-10906"], "fix_versions": ["2.10.1"]}],
}
FINE: dict[str, Any] = {"name": "idna", "version": "3.10", "vulns": []}
UNHEARD_OF: dict[str, Any] = {"name": "perdure", "skip_reason": "not found"}


def test_a_vulnerability_fails_and_says_what_mends_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert audit.report("run.txt", "osv", [FINE, KNOWN])
    assert "jinja2 2.10: PYSEC-2019-217, mended in 2.10.1" in capsys.readouterr().out


def test_what_is_fine_or_unheard_of_does_not_fail_and_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    assert not audit.report("run.txt", "osv", [FINE, UNHEARD_OF])
    said = capsys.readouterr().out
    assert "osv does not know perdure" in said
    assert "1 of 2 packages looked up" in said


def test_an_advisory_that_does_not_concern_us_is_let_pass_by_any_of_its_names(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(audit, "IGNORED", {"CVE-2019-10906": "we render no templates of strangers"})
    assert not audit.report("run.txt", "osv", [KNOWN])
    assert "does not count: we render no templates of strangers" in capsys.readouterr().out


def test_a_source_that_knows_nothing_bad_of_a_bad_release_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: dict[str, list[dict[str, Any]] | None] = {"pypi": [UNHEARD_OF], "osv": None}
    monkeypatch.setattr(audit, "look_up", lambda _listed, source, *_options: answers[source])
    assert not audit.knows_something("pypi")
    assert not audit.knows_something("osv")
    answers["osv"] = [KNOWN]
    assert audit.knows_something("osv")
