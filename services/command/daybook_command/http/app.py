"""Makes the ASGI app of the HTTP door from its dependencies. Starts and stops nothing."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from prometheus_client import REGISTRY, CollectorRegistry
from starlette.exceptions import HTTPException
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, ExceptionHandler, Receive, Scope, Send

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
    app.add_middleware(HotRoutes, commands=commands, handlers=app.exception_handlers)
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


class HotRoutes:
    """Answers the two hot paths itself: FastAPI would parse and validate commands again, and its other layers cost a
    seventh of the CPU time of a command.
    """

    def __init__(self, app: ASGIApp, commands: CommandRoutes, handlers: Mapping[Any, ExceptionHandler]) -> None:
        self._app = app
        # FastAPI's outermost layer answers bugs.
        refusals = {kind: handler for kind, handler in handlers.items() if kind is not Exception}
        self._hot = {
            path: with_metrics(path, ExceptionMiddleware(_post_only(endpoint), refusals), DOOR_SECONDS)
            for path, endpoint in (("/v1/commands", commands.single), ("/v1/commands:batch", commands.batch))
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        hot = self._hot.get(scope["path"]) if scope["type"] == "http" else None
        await (hot or self._app)(scope, receive, send)


def _post_only(endpoint: Endpoint) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":
            raise HTTPException(HTTPStatus.METHOD_NOT_ALLOWED, headers={"Allow": "POST"})
        response = await endpoint(Request(scope, receive, send))
        await response(scope, receive, send)

    return app
