"""The HTTP door as an ASGI app: what it stands on comes in, the app goes out. Nothing is started or stopped here."""

import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from importlib.metadata import version

from fastapi import FastAPI
from prometheus_client import REGISTRY, CollectorRegistry
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from daybook_command.http import openapi, problems
from daybook_command.http.auth import Authenticator
from daybook_command.http.commands import Commands
from daybook_command.http.dependencies import DoorDeps
from daybook_command.http.docs_page import doc_routes
from daybook_command.http.outcome_lookup import Lookup
from daybook_command.http.rate import Buckets, UserRate
from daybook_command.http.route_metrics import measured
from daybook_infra.runtime.health import health_router

Endpoint = Callable[[Request], Awaitable[Response]]
Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def create_app(
    deps: DoorDeps,
    *,
    lifespan: Lifespan | None = None,
    registry: CollectorRegistry = REGISTRY,
) -> FastAPI:
    """Raises SettingsError where no token could be checked."""
    authenticator = Authenticator(deps.settings, time.time, time.monotonic)
    rate = UserRate(Buckets(deps.settings.rate, deps.settings.burst, time.monotonic))
    commands = Commands(deps, authenticator, rate)
    lookup = Lookup(deps.outcomes, authenticator, rate, deps.policy)
    app = FastAPI(title="Daybook", version=version("daybook-command"), lifespan=lifespan, docs_url=None, redoc_url=None)
    # Plain routes: the framework's own would read, validate and serialise what contracts do already, at twice the cost.
    app.router.routes += [
        _route("/v1/commands", commands.one, "POST"),
        _route("/v1/commands:batch", commands.batch, "POST"),
        _route("/v1/orgs/{key}/commands/{id}", lookup.outcome, "GET"),
        *doc_routes(app),
    ]
    app.include_router(health_router(deps.health, registry, details=deps.settings.admin_port is None))
    app.openapi = lambda: openapi.describe(app)  # type: ignore[method-assign] # FastAPI's own way to replace it
    problems.install(app)
    return app


def _route(path: str, endpoint: Endpoint, method: str) -> Route:
    route = Route(path, endpoint, methods=[method])
    route.app = measured(path, route.app)
    return route
