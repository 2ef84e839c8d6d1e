"""The page at `/` of both services."""

import asyncio
import base64
import hashlib
import re

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from daybook_infra.runtime.health import Health
from daybook_infra.runtime.settings import Settings
from daybook_projector.http.app import create_app
from daybook_projector.main import open_app
from support.door_doubles import SECRET, DoorAlone

SERVICES = ("command", "projector")


def service(name: str, health: Health, *, details: bool = True) -> FastAPI:
    if name == "projector":
        return create_app(health, CollectorRegistry(), details=details)
    door = DoorAlone(admin_port=None if details else 9)
    for condition, reason in health.reasons.items():
        door.health.fail(condition, reason)
    for subject, note in health.notes.items():
        door.health.note(subject, note)
    return door.app


async def get(app: FastAPI, path: str = "/", method: str = "GET") -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service") as client:
        return await client.request(method, path)


def unready(reason: str) -> Health:
    health = Health()
    health.fail("kafka", reason)
    return health


@pytest.mark.parametrize("name", SERVICES)
async def test_the_page_says_what_the_service_is_and_whether_it_is_ready(name: str) -> None:
    ready = await get(service(name, Health()))
    assert (ready.status_code, ready.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "<h1>Daybook" in ready.text
    assert '<p class="state ready">' in ready.text
    assert '<p class="state unready">' in (await get(service(name, unready("away")))).text
    assert (await get(service(name, Health()), method="HEAD")).status_code == 200


@pytest.mark.parametrize("name", SERVICES)
async def test_each_link_of_the_page_is_answered(name: str) -> None:
    app = service(name, Health())
    links = re.findall('href="(/[^"]*)"', (await get(app)).text)
    assert {"/openapi.json", "/readyz", "/livez", "/metrics"} <= set(links)
    assert [(await get(app, link)).status_code for link in links] == [200] * len(links)
    assert ({"/docs", "/asyncapi"} <= set(links)) == (name == "command")


@pytest.mark.parametrize("name", SERVICES)
async def test_strangers_do_not_see_why_a_service_is_unready(name: str) -> None:
    health = unready("10.0.0.7 is away")
    assert "10.0.0.7" in (await get(service(name, health))).text
    page = await get(service(name, health, details=False))
    assert "10.0.0.7" not in page.text
    assert "unready" in page.text
    assert "/metrics" not in page.text


@pytest.mark.parametrize("name", SERVICES)
async def test_only_operators_see_notes_whether_the_service_is_ready_or_not(name: str) -> None:
    for health in (Health(), unready("away")):
        health.note("quarantine", "1 orgs: <x>")
        assert "<li>quarantine: 1 orgs: &lt;x&gt;</li>" in (await get(service(name, health))).text
        assert "quarantine" not in (await get(service(name, health, details=False))).text


@pytest.mark.parametrize("name", SERVICES)
async def test_the_page_runs_no_scripts_and_loads_nothing(name: str) -> None:
    page = await get(service(name, unready("<script>alert(1)</script>")))
    (style,) = re.findall("<style>(.*?)</style>", page.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert page.headers["content-security-policy"] == (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    assert "<script" not in page.text
    assert "://" not in page.text
    assert "&lt;script&gt;" in page.text


async def test_the_projectors_page_links_to_the_read_api_if_it_has_one() -> None:
    settings = Settings(jwt_secret=SecretStr(SECRET), database_url=SecretStr("postgresql://nobody:x@localhost:1/none"))
    async with open_app(settings, Health(), CollectorRegistry(), asyncio.Event()) as app:
        assert isinstance(app, FastAPI)
        assert '<a href="/docs">' in (await get(app)).text
