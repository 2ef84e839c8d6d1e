"""Makes the ASGI app of the HTTP door from its dependencies. Starts and stops nothing."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from importlib.metadata import version

from fastapi import FastAPI
from prometheus_client import REGISTRY, CollectorRegistry
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from daybook_command.http import invalid_commands, openapi
from daybook_command.http.asyncapi import route as asyncapi
from daybook_command.http.commands import CommandRoutes
from daybook_command.http.dependencies import DoorDependencies
from daybook_command.http.headers import ANSWER_HEADERS, REQUEST_HEADERS
from daybook_command.http.outcome_lookup import outcome_router
from daybook_command.metrics import DOOR_SECONDS
from daybook_infra.runtime.health import health_router
from daybook_infra.runtime.http import docs_page, front_page, problems
from daybook_infra.runtime.http.callers import Callers
from daybook_infra.runtime.http.headers import with_cors
from daybook_infra.runtime.http.route_metrics import with_metrics
from daybook_infra.runtime.settings import Settings, split_origins

Endpoint = Callable[[Request], Awaitable[Response]]
Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def create_app(
    deps: DoorDependencies,
    *,
    lifespan: Lifespan | None = None,
    registry: CollectorRegistry = REGISTRY,
) -> FastAPI:
    """Raises SettingsError if the settings have no key to verify tokens with."""
    callers = Callers(deps.settings, deps.policy)
    commands = CommandRoutes(deps, callers)
    app = FastAPI(title="Daybook", version=version("daybook-command"), lifespan=lifespan, docs_url=None, redoc_url=None)
    app.router.routes += [_hot_route("/v1/commands", commands.single), _hot_route("/v1/commands:batch", commands.batch)]
    app.include_router(outcome_router(deps, callers))
    app.include_router(health_router(deps.health, registry, details=deps.settings.admin_port is None))
    asyncapi.mount(app, deps.settings)
    front_page.mount(app, openapi.DESCRIPTION, deps.health, details=deps.settings.admin_port is None)
    docs_page.mount(app, f"{app.title}: the HTTP door")
    app.openapi = lambda: openapi.describe(app)  # type: ignore[method-assign] # FastAPI's own way to replace it
    problems.install(app)
    invalid_commands.install(app)
    return app


def with_web_apps(app: ASGIApp, settings: Settings) -> ASGIApp:
    """Lets web apps of the configured origins call the app."""
    origins = split_origins(settings.cors_origins)
    return with_cors(app, origins, request_headers=REQUEST_HEADERS, answer_headers=ANSWER_HEADERS)


def _hot_route(path: str, endpoint: Endpoint) -> Route:
    """A plain route of Starlette. A FastAPI route would parse and validate commands again, at twice the cost."""
    route = Route(path, endpoint, methods=["POST"])
    route.app = with_metrics(path, route.app, DOOR_SECONDS)
    return route
