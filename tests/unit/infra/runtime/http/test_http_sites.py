"""The HTTP sites of a service: security headers, cross-origin access, the admin port."""

import asyncio
import base64
import hashlib
import http.cookies
import re

import httpx
import pytest
from prometheus_client import CollectorRegistry

from daybook_infra.runtime.errors import DaybookError
from daybook_infra.runtime.health import Health
from daybook_infra.runtime.http.limits import PARAMETERS
from daybook_infra.runtime.http.serving import serve
from daybook_infra.runtime.http.sites import sites
from daybook_infra.runtime.settings import Settings
from daybook_projector.http.app import create_app
from support.door_doubles import ORG, DoorAlone, problem_of, rename
from support.door_served import served
from support.processes import free_port
from support.variables import refusal_of

APP = "https://app.example.org"
PREFLIGHT = {"Origin": APP, "Access-Control-Request-Method": "POST"}


async def test_every_answer_has_the_security_headers() -> None:
    door = DoorAlone()
    door.outcomes.error = RuntimeError("a bug")
    async with served(door) as client:
        answers = [
            await client.get("/livez"),
            await client.get("/nowhere"),
            await client.get(f"/v1/orgs/{ORG}/commands/{ORG}"),
            await client.get(f"/v1/orgs/{ORG}/commands/{ORG}", headers=door.bearer()),
            await client.post("/v1/commands", json=rename(), headers=door.bearer()),
        ]
    assert [answer.status_code for answer in answers] == [200, 404, 401, 500, 200]
    for answer in answers:
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert "server" not in answer.headers


async def test_the_documentation_may_run_only_its_own_scripts() -> None:
    async with served(DoorAlone()) as client:
        page = await client.get("/docs")
        (script,) = re.findall("<script>(.*?)</script>", page.text, re.DOTALL)
        (asset,) = re.findall('<script src="(.*?)">', page.text)
        code = await client.get(asset)
    (policy,) = page.headers.get_list("content-security-policy")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'self' 'sha256-{digest}';" in policy
    assert "frame-ancestors 'none'" in policy
    assert "cache-control" not in code.headers
    assert code.headers["x-content-type-options"] == "nosniff"


async def test_another_origin_gets_no_cors_headers_unless_configured() -> None:
    door = DoorAlone()
    async with served(door) as client:
        answer = await client.post("/v1/commands", json=rename(), headers=door.bearer() | {"Origin": APP})
        preflight = await client.options("/v1/commands", headers=PREFLIGHT)
    assert answer.status_code == 200
    assert preflight.status_code == 405
    for response in (answer, preflight):
        assert not [name for name in response.headers if name.startswith("access-control-")]


async def test_a_configured_web_app_may_use_the_headers_it_needs() -> None:
    door = DoorAlone(cors_origins=f"{APP}, http://localhost:5173")
    headers = "authorization, content-type, idempotency-key, prefer, traceparent"
    with_headers = PREFLIGHT | {"Access-Control-Request-Headers": headers}
    async with served(door) as client:
        preflight = await client.options("/v1/commands", headers=with_headers)
        answer = await client.post("/v1/commands", json=rename(), headers=door.bearer() | {"Origin": APP})
        refused = await client.post("/v1/commands", json=rename(), headers={"Origin": APP})
        other = await client.options("/v1/commands", headers=PREFLIGHT | {"Origin": "https://evil.example.org"})
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == APP
    assert set(headers.split(", ")) <= set(preflight.headers["access-control-allow-headers"].lower().split(", "))
    assert "POST" in preflight.headers["access-control-allow-methods"]
    for response in (answer, refused):
        assert response.headers["access-control-allow-origin"] == APP
        assert response.headers["access-control-expose-headers"] == "Location, Retry-After, Preference-Applied"
        assert "access-control-allow-credentials" not in response.headers
    assert other.status_code == 400
    assert "access-control-allow-origin" not in other.headers


async def test_a_star_allows_every_origin_without_credentials() -> None:
    async with served(DoorAlone(cors_origins="*")) as client:
        answer = await client.get("/livez", headers={"Origin": APP})
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in answer.headers


async def test_a_web_app_can_read_that_a_service_is_overloaded() -> None:
    door = DoorAlone(cors_origins=APP)
    async with served(door, in_progress=10_000) as client:
        preflight = await client.options("/v1/commands", headers=PREFLIGHT)
        answers = [await client.post("/v1/commands", json=rename(), headers={"Origin": APP}) for _ in range(2)]
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == APP
    for answer in answers:
        assert problem_of(answer) == (503, "UNAVAILABLE")
        assert answer.headers["retry-after"] == "2"
        for name, value in (("allow-origin", APP), ("expose-headers", "Location, Retry-After, Preference-Applied")):
            assert answer.headers.get_list(f"access-control-{name}") == [value]
        assert answer.headers.get_list("x-content-type-options") == ["nosniff"]


async def test_an_overloaded_service_tells_other_origins_nothing() -> None:
    async with served(DoorAlone(), in_progress=10_000) as client:
        answer = await client.get("/", headers={"Origin": APP})
    assert answer.status_code == 503
    assert not [name for name in answer.headers if name.startswith("access-control-")]


@pytest.mark.parametrize(
    "origins", [f"{APP}/", "app.example.org", f"{APP},*", "https://*.example.org", "https://App.example.org"]
)
def test_an_origin_that_no_browser_would_send_is_refused(origins: str) -> None:
    assert refusal_of(DAYBOOK_CORS_ORIGINS=origins).startswith("DAYBOOK_CORS_ORIGINS: must be `*` or origins")


async def test_without_an_admin_port_reasons_and_metrics_are_on_the_main_port() -> None:
    door = DoorAlone()
    door.health.fail("kafka", "away")
    async with served(door) as client:
        assert (await client.get("/readyz")).json() == {"status": "unready", "reasons": {"kafka": "away"}}
        assert (await client.get("/metrics")).status_code == 200


async def test_with_an_admin_port_reasons_and_metrics_are_only_there() -> None:
    port = free_port()
    door = DoorAlone(admin_port=port)
    door.health.fail("kafka", "away")
    door.health.note("quarantine", "1 orgs: x")
    async with served(door) as client, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as admin:
        public = await client.get("/readyz")
        assert (public.status_code, public.json()) == (503, {"status": "unready"})
        assert (await client.get("/metrics")).status_code == 404
        assert "/metrics" not in (await client.get("/openapi.json")).json()["paths"]
        detailed = await admin.get("/readyz")
        assert (detailed.status_code, detailed.json()["reasons"]) == (503, {"kafka": "away"})
        assert detailed.json()["notes"] == {"quarantine": "1 orgs: x"}
        assert detailed.headers["x-content-type-options"] == "nosniff"
        metrics = (await admin.get("/metrics")).text
        assert "daybook_things_total 0.0" in metrics
        assert "daybook_http_connections 2.0" in metrics
        assert [(await admin.get(path)).status_code for path in ("/livez", "/v1/commands", "/docs")] == [200, 404, 404]


async def test_cookies_are_ignored_unparsed(monkeypatch: pytest.MonkeyPatch) -> None:
    """FastAPI would parse them for every route. Before Python 3.12.6, this takes a second for 32 KiB."""
    parsed: list[str] = []
    monkeypatch.setattr(http.cookies, "_unquote", parsed.append)
    door = DoorAlone(admin_port=free_port())
    cookies = {"Cookie": 'theme="dark"; lang=pt'}
    paths = ("/livez", "/", "/docs", "/openapi.json", f"/v1/orgs/{ORG}/commands/{ORG}", "/nowhere")
    async with served(door) as client, httpx.AsyncClient(trust_env=False) as admin:
        answers = [await client.get(path, headers=cookies) for path in paths]
        answers.append(await admin.get(f"http://127.0.0.1:{door.settings.admin_port}/readyz", headers=cookies))
    assert [answer.status_code for answer in answers] == [200, 200, 200, 200, 401, 404, 200]
    assert not parsed


async def test_a_query_with_too_many_parameters_is_refused_unsplit(monkeypatch: pytest.MonkeyPatch) -> None:
    """FastAPI would split it before it verifies the token. This takes milliseconds for 32 KiB."""
    split: list[str] = []

    def split_query(query: str, **_: bool) -> list[tuple[str, str]]:
        split.append(query)
        return []

    monkeypatch.setattr("starlette.datastructures.parse_qsl", split_query)
    door = DoorAlone(admin_port=free_port(), cors_origins=APP)
    most = "&".join(f"n{number}" for number in range(PARAMETERS))
    paths = ("/livez", "/", "/v1/commands", f"/v1/orgs/{ORG}/commands/{ORG}", "/nowhere")
    async with served(door) as client, httpx.AsyncClient(trust_env=False) as admin:
        split.clear()
        answers = [await client.get(f"{path}?{most}&", headers={"Origin": APP}) for path in paths]
        answers.append(await client.post(f"/v1/commands?{most}&", json=rename(), headers=door.bearer()))
        answers.append(await admin.get(f"http://127.0.0.1:{door.settings.admin_port}/readyz?{most}&"))
        assert not split
        accepted = await client.get(f"/livez?{most}")
    assert [problem_of(answer) for answer in answers] == [(400, "INVALID_QUERY")] * len(answers)
    assert {answer.headers["x-content-type-options"] for answer in answers} == {"nosniff"}
    assert {answer.headers["access-control-allow-origin"] for answer in answers[: len(paths)]} == {APP}
    assert accepted.status_code == 200
    assert split


async def test_the_projector_shows_no_reasons_or_metrics_without_details() -> None:
    health = Health()
    health.fail("kafka", "away")
    transport = httpx.ASGITransport(create_app(health, CollectorRegistry(), details=False))
    async with httpx.AsyncClient(transport=transport, base_url="http://projector") as client:
        assert (await client.get("/readyz")).json() == {"status": "unready"}
        assert [(await client.get(path)).status_code for path in ("/metrics", "/livez")] == [404, 200]


async def test_an_admin_port_in_use_is_named_with_its_setting() -> None:
    port = free_port()
    settings = Settings(admin_port=port)
    all_sites = sites(DoorAlone().app, ("127.0.0.1", port), settings, Health(), CollectorRegistry())
    expected = rf"^cannot listen on 127.0.0.1:{port} .*; choose another port with DAYBOOK_ADMIN_PORT$"
    with pytest.raises(DaybookError, match=expected):
        await serve(all_sites, asyncio.Event())
