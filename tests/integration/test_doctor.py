import json
import socket
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.converter import DataConverter

from api import doctor
from api.doctor import Finding, Verdict
from perdure.embedded import ports, postgres
from perdure.settings import Settings
from workflows.client import connect
from workflows.schedules import RETENTION, ensure_schedules


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    api, temporal, ui = ports.unused(3)
    return Settings(home=tmp_path, api_port=api, temporal_port=temporal, temporal_ui_port=ui)


def verdicts(findings: list[Finding]) -> dict[str, Verdict]:
    return {finding.check: finding.verdict for finding in findings}


async def test_nothing_fails_before_the_first_start(settings: Settings) -> None:
    findings = await doctor.examine(settings)
    assert [finding for finding in findings if finding.verdict is Verdict.FAIL] == []
    assert verdicts(findings)["database"] is Verdict.WARN


async def test_whatever_is_not_well_says_how_to_mend_it(settings: Settings) -> None:
    (settings.home / "demo.env").touch(mode=0o644)
    broken = settings.model_copy(
        update={
            "database_url": "postgresql://nobody@127.0.0.1:1/none",
            "temporal_address": "127.0.0.1:1",
            "public_url": "http://127.0.0.1:1",
            "object_store_url": "ftp://nowhere",
        }
    )
    findings = await doctor.examine(broken)
    failed = {finding.check for finding in findings if finding.verdict is Verdict.FAIL}
    assert failed == {"private files", "database", "temporal", "object store", "api"}
    assert all(finding.remedy for finding in findings if finding.verdict is not Verdict.OK)


async def test_a_sound_database_passes_and_a_superuser_does_not(
    settings: Settings, embedded_postgres: postgres.EmbeddedPostgres
) -> None:
    sound = settings.model_copy(update={"database_url": embedded_postgres.url(postgres.APP_ROLE)})
    assert set(verdicts(await doctor.check_database(sound)).values()) == {Verdict.OK}
    unsafe = settings.model_copy(update={"database_url": embedded_postgres.url("postgres")})
    findings = await doctor.check_database(unsafe)
    assert verdicts(findings)["database safety"] is Verdict.FAIL
    assert any("superuser" in finding.found for finding in findings)


async def test_queues_that_nobody_polls_fail(settings: Settings, temporal_server: str) -> None:
    findings = await doctor.check_temporal(settings.model_copy(update={"temporal_address": temporal_server}))
    found = verdicts(findings)
    assert (found["temporal"], found["search attributes"]) == (Verdict.OK, Verdict.OK)
    assert found["task queues"] in {Verdict.FAIL, Verdict.OK}  # other tests may poll on this server
    queues = next(finding for finding in findings if finding.check == "task queues")
    assert (": 0 workers" in queues.found) == (queues.verdict is Verdict.FAIL)


async def test_retention_that_rests_is_told(settings: Settings, temporal_server: str) -> None:
    there = settings.model_copy(update={"temporal_address": temporal_server})

    temporal = await connect(there, converter=DataConverter.default)

    async def told() -> Finding:
        return next(each for each in await doctor.check_temporal(there) if each.check == "retention")

    handle = temporal.get_schedule_handle(RETENTION)
    assert (await told()).found == "no schedule"
    await ensure_schedules(temporal, timedelta(days=1))
    try:
        found = await told()
        assert (found.verdict, "next 20" in found.found) == (Verdict.OK, True)
        await handle.pause(note="not this week")
        found = await told()
        assert (found.verdict, found.found) == (Verdict.WARN, "paused: not this week")
        assert "--unpause" in found.remedy
    finally:
        await handle.delete()


async def test_a_busy_port_is_a_warning(settings: Settings) -> None:
    assert verdicts(await doctor.check_ports(settings)) == {"ports": Verdict.OK}
    with socket.socket() as occupant:
        occupant.bind((ports.LOOPBACK, settings.api_port))
        occupant.listen()
        (finding,) = await doctor.check_ports(settings)
    assert finding.verdict is Verdict.WARN
    assert str(settings.api_port) in finding.found


async def test_metrics_that_nobody_serves_are_named(settings: Settings) -> None:
    assert verdicts(await doctor.check_metrics(settings)) == {"metrics": Verdict.OK}
    (port,) = ports.unused(1)
    urls = {"worker io": f"http://127.0.0.1:{port}/metrics"}
    (settings.home / "stack.json").write_text(json.dumps({"metrics": urls}))
    (finding,) = await doctor.check_metrics(settings)
    assert (finding.verdict, urls["worker io"] in finding.found) == (Verdict.WARN, True)
