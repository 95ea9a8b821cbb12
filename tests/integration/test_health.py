"""Health and metrics of a running product."""

import json

from fastapi import FastAPI

from tests.accounts import Account


async def test_health_names_every_part(caller: Account) -> None:
    answer = await caller.http.get("/health")
    health = answer.json()
    assert (health["status"], health["database"], health["temporal"], health["storage"]) == ("ok",) * 4
    assert health["project"] == "perdure"
    assert (await caller.http.get("/health/live")).json() == {"status": "ok"}
    assert (await caller.http.get("/health/ready")).status_code == 200


async def test_a_store_that_fails_makes_the_api_not_ready(caller: Account, product: FastAPI) -> None:
    class Broken:
        """A store on a disk that is full."""

        async def check(self) -> None:
            msg = "disk full"
            raise OSError(msg)

    working = product.state.objects
    product.state.objects = Broken()
    try:
        assert (await caller.http.get("/health/ready")).status_code == 503
        health = (await caller.http.get("/health")).json()
    finally:
        product.state.objects = working
    assert (health["status"], health["storage"]) == ("degraded", "unavailable: OSError")


async def test_metrics_count_routes_not_ids(caller: Account) -> None:
    await caller.get("/operations/op_00000000000000000000000000", 404)
    text = (await caller.http.get("/metrics")).text
    line = 'perdure_http_requests_total{method="GET",route="/api/v1/operations/{operation_id}",status="404"}'
    assert line in text
    counts = json.loads((await caller.http.get("/metrics", headers={"Accept": "application/json"})).text)
    assert {"labels", "value"} == set(counts["perdure_http_requests_total"][0])
