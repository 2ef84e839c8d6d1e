"""All HTTP apps: trailing slashes, HEAD, and the methods that a refusal names."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from prometheus_client import CollectorRegistry
from pydantic import SecretStr
from starlette.responses import Response
from starlette.routing import Match, Mount, Route
from starlette.types import ASGIApp, Scope

from daybook_infra.runtime.health import Health
from daybook_infra.runtime.http.problems import METHODS, install
from daybook_infra.runtime.http.sites import sites
from daybook_infra.runtime.settings import Settings
from daybook_projector.http.app import create_app
from daybook_projector.main import open_app
from daybook_projector.read_api.resources import RESOURCES
from daybook_projector.read_api.stream.routes import PATH as STREAM
from support.door_doubles import ORG, SECRET, DoorAlone, problem_of

DATABASE = SecretStr("postgresql://nobody:x@localhost:1/none")
SERVICES = ("command", "projector", "projector without a read API", "admin port")
OUTCOME = f"/v1/orgs/{ORG}/commands/{ORG}"


def read_paths() -> list[str]:
    """The paths of all collections, all items and the stream, with an id in place of each parameter."""
    paths = [STREAM, *(path for each in RESOURCES for path in (each.path, each.item_path))]
    return ["/".join(ORG if part.startswith("{") else part for part in path.split("/")) for path in paths]


@asynccontextmanager
async def client_of(service: str) -> AsyncIterator[httpx.AsyncClient]:
    """Needs no server: the read API connects to PostgreSQL only at the first request with a token."""
    health, registry = Health(), CollectorRegistry()
    if service == "projector":
        settings = Settings(jwt_secret=SecretStr(SECRET), database_url=DATABASE)
        async with open_app(settings, health, registry, asyncio.Event()) as app, client_for(app) as client:
            yield client
        return
    app = create_app(health, registry, details=True)
    if service == "command":
        app = DoorAlone().app
    elif service == "admin port":
        app = sites(app, ("127.0.0.1", 0), Settings(admin_port=9), health, registry)[1].app
    async with client_for(app) as client:
        yield client


def client_for(app: ASGIApp) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service")


@pytest.mark.parametrize("service", SERVICES)
async def test_health_and_metrics_answer_head(service: str) -> None:
    async with client_of(service) as client:
        for path in ("/livez", "/readyz", "/metrics"):
            got, headed = await client.get(path), await client.head(path)
            assert (headed.status_code, headed.headers["content-type"]) == (200, got.headers["content-type"])


@pytest.mark.parametrize("service", SERVICES[:-1])
async def test_head_reaches_the_same_route_as_get(service: str) -> None:
    async with client_of(service) as client:
        routes = [*routes_of(app_of(client).router)]
    assert routes
    for path in {route.path for route in routes}:
        assert first_match(routes, path, "HEAD") == first_match(routes, path, "GET")


def first_match(routes: list[Route], path: str, method: str) -> str | None:
    """The path of the first route that answers this method there."""
    scope = {"type": "http", "path": path, "method": method, "headers": []}
    return next((route.path for route in routes if route.matches(scope)[0] is Match.FULL), None)


@pytest.mark.parametrize("service", SERVICES)
async def test_a_path_with_a_trailing_slash_is_not_redirected(service: str) -> None:
    """A redirect would name the scheme http, even behind a proxy with TLS."""
    paths = ["/livez/", "/readyz/", "/docs/", "/v1/commands/", f"{OUTCOME}/", *(f"{path}/" for path in read_paths())]
    async with client_of(service) as client:
        for path in paths:
            assert problem_of(await client.get(path)) == (404, "NOT_FOUND"), path


@pytest.mark.parametrize(
    ("service", "paths"),
    [
        ("command", ["/", "/docs", "/docs/static/swagger-ui.css", "/asyncapi", "/openapi.json", "/livez", OUTCOME]),
        ("projector", ["/", "/docs", "/openapi.json", "/readyz", "/v1/positions/3.1", *read_paths()]),
        ("projector without a read API", ["/", "/livez"]),
        ("admin port", ["/livez", "/readyz", "/metrics"]),
    ],
)
async def test_a_refused_method_is_answered_with_all_methods_of_the_path(service: str, paths: list[str]) -> None:
    async with client_of(service) as client:
        for path in paths:
            refused = await client.post(path)
            assert problem_of(refused) == (405, "NOT_FOUND"), path
            assert refused.headers["allow"] == "GET, HEAD", path


async def test_a_refused_method_of_the_command_routes_is_answered_with_post() -> None:
    async with client_of("command") as client:
        for path in ("/v1/commands", "/v1/commands:batch"):
            assert (await client.get(path)).headers["allow"] == "POST"


@pytest.mark.parametrize("service", SERVICES[:-1])
async def test_all_methods_of_the_routes_are_tried_for_a_refusal(service: str) -> None:
    async with client_of(service) as client:
        methods = {method for route in routes_of(app_of(client).router) for method in route.methods or ()}
    assert methods == {*METHODS}


def app_of(client: httpx.AsyncClient) -> FastAPI:
    assert isinstance(client._transport, httpx.ASGITransport)
    app = client._transport.app
    assert isinstance(app, FastAPI)
    return app


def routes_of(router: APIRouter) -> Iterator[Route]:
    """All routes, also of included routers, except those of static files."""
    for route in router.routes:
        included = getattr(route, "original_router", None)
        if included is not None:
            yield from routes_of(included)
        elif not isinstance(route, Mount):
            assert isinstance(route, Route)
            yield route


async def test_a_refusal_tries_no_other_methods() -> None:
    tried = []

    class NotedRoute(Route):
        def matches(self, scope: Scope) -> tuple[Match, Scope]:
            tried.append(scope["method"])
            return super().matches(scope)

    app = FastAPI(routes=[NotedRoute("/", lambda _: Response())])
    install(app)
    async with client_for(app) as client:
        assert (await client.delete("/")).headers["allow"] == "GET, HEAD"
    assert {*tried} == {"DELETE", *METHODS}
