"""Makes the ASGI app of the HTTP door from its dependencies. Starts and stops nothing."""

import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from importlib.metadata import version

from fastapi import FastAPI
from prometheus_client import REGISTRY, CollectorRegistry
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from daybook_command.http import docs_page, invalid_commands, openapi
from daybook_command.http.commands import CommandRoutes
from daybook_command.http.dependencies import DoorDependencies
from daybook_command.http.outcome_lookup import outcome_router
from daybook_command.http.route_metrics import with_metrics
from daybook_infra.runtime.health import health_router
from daybook_infra.runtime.http import problems
from daybook_infra.runtime.http.auth import Authenticator
from daybook_infra.runtime.http.rate import Buckets, UserRate

Endpoint = Callable[[Request], Awaitable[Response]]
Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def create_app(
    deps: DoorDependencies,
    *,
    lifespan: Lifespan | None = None,
    registry: CollectorRegistry = REGISTRY,
) -> FastAPI:
    """Raises SettingsError if the settings have no key to verify tokens with."""
    authenticator = Authenticator(deps.settings, time.time, time.monotonic)
    rate = UserRate(Buckets(deps.settings.rate, deps.settings.burst, time.monotonic))
    commands = CommandRoutes(deps, authenticator, rate)
    app = FastAPI(title="Daybook", version=version("daybook-command"), lifespan=lifespan, docs_url=None, redoc_url=None)
    app.router.routes += [_hot_route("/v1/commands", commands.single), _hot_route("/v1/commands:batch", commands.batch)]
    app.include_router(outcome_router(deps, authenticator, rate))
    app.include_router(health_router(deps.health, registry, details=deps.settings.admin_port is None))
    docs_page.mount(app)
    app.openapi = lambda: openapi.describe(app)  # type: ignore[method-assign] # FastAPI's own way to replace it
    problems.install(app)
    invalid_commands.install(app)
    return app


def _hot_route(path: str, endpoint: Endpoint) -> Route:
    """A plain route of Starlette. A FastAPI route would parse and validate commands again, at twice the cost."""
    route = Route(path, endpoint, methods=["POST"])
    route.app = with_metrics(path, route.app)
    return route
