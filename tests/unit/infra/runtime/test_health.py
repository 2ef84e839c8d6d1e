"""Health: which conditions make a process unready, and what the routes answer."""

import httpx
from fastapi import FastAPI
from prometheus_client import CollectorRegistry, Counter

from daybook_infra.runtime.health import Health, health_router


async def get(path: str, health: Health, registry: CollectorRegistry | None = None) -> httpx.Response:
    app = FastAPI()
    app.include_router(health_router(health, registry or CollectorRegistry()))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://daybook") as client:
        return await client.get(path)


async def test_a_needed_condition_makes_the_process_unready_until_it_is_ok() -> None:
    health = Health()
    health.require("kafka", "postgres")
    health.ok("kafka")
    answer = await get("/readyz", health)
    assert answer.status_code == 503
    assert answer.json() == {"status": "unready", "reasons": {"postgres": "starting"}}
    health.ok("postgres")
    answer = await get("/readyz", health)
    assert (answer.status_code, answer.json()) == (200, {"status": "ready", "reasons": {}})


async def test_a_failed_condition_reports_its_latest_reason() -> None:
    health = Health()
    health.fail("partition 3", "the log starts above 0")
    health.fail("partition 3", "the log changed underneath")
    assert (await get("/readyz", health)).json()["reasons"] == {"partition 3": "the log changed underneath"}


def test_a_shared_condition_is_ok_when_all_its_sources_are_ok() -> None:
    health = Health()
    health.fail("kafka", "partition 1 has no leader", by="one")
    health.fail("kafka", "partition 2 has no leader", by="other")
    health.ok("kafka")
    health.ok("kafka", by="one")
    assert health.reasons == {"kafka": "partition 2 has no leader"}
    health.ok("kafka", by="other")
    assert health.ready


def test_a_watched_condition_is_evaluated_on_demand() -> None:
    seconds = [0]
    health = Health()
    health.watch("backlog", lambda: "the oldest command waits for more than a day" if seconds[0] > 86_400 else None)
    assert health.ready
    seconds[0] = 86_401
    assert not health.ready


async def test_an_unready_process_is_alive() -> None:
    health = Health()
    health.require("kafka")
    assert (await get("/livez", health)).status_code == 200


async def test_metrics_have_the_prometheus_text_format() -> None:
    registry = CollectorRegistry()
    Counter("daybook_commands", "Commands decided.", registry=registry).inc()
    answer = await get("/metrics", Health(), registry)
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert "daybook_commands_total 1.0" in answer.text


async def test_a_note_is_reported_but_the_process_stays_ready() -> None:
    health = Health()
    health.note("quarantine", "1 orgs: x")
    answer = await get("/readyz", health)
    assert (answer.status_code, answer.json()["notes"]) == (200, {"quarantine": "1 orgs: x"})
    health.note("quarantine", None)
    assert "notes" not in (await get("/readyz", health)).json()
