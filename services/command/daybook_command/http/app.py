"""Makes the ASGI app of the HTTP door from its dependencies. Starts and stops nothing."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from functools import cache
from http import HTTPStatus
from importlib.metadata import version
from typing import Any, Final

from fastapi import FastAPI
from prometheus_client import REGISTRY, CollectorRegistry
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from daybook_command.http import invalid_commands, openapi
from daybook_command.http.asyncapi import route as asyncapi
from daybook_command.http.commands import CommandRoutes
from daybook_command.http.dependencies import DoorDependencies
from daybook_command.http.headers import ANSWER_HEADERS, REQUEST_HEADERS
from daybook_command.http.outcome_lookup import outcome_router
from daybook_command.metrics import DOOR_SECONDS
from daybook_contracts.codes import Code
from daybook_infra.runtime.health import health_router
from daybook_infra.runtime.http import docs_page, front_page, problems
from daybook_infra.runtime.http.callers import Callers
from daybook_infra.runtime.http.headers import with_cors
from daybook_infra.runtime.http.problems import refusal
from daybook_infra.runtime.settings import Settings, split_origins

Endpoint = Callable[[Request], Awaitable[Response]]
Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

STOPPING: Final = "This instance is stopping and had not checked the request yet; nothing was done. Send it again."

labelled_seconds = cache(DOOR_SECONDS.labels)


def create_app(
    deps: DoorDependencies,
    *,
    lifespan: Lifespan | None = None,
    registry: CollectorRegistry = REGISTRY,
) -> FastAPI:
    """Raises SettingsError if the settings have no key to verify tokens with."""
    callers = Callers(deps.settings, deps.policy)
    own = {"title": "Daybook", "version": version("daybook-command"), "lifespan": lifespan}
    # Behind a proxy with TLS, a redirect would lead to http.
    app = DoorApp(CommandRoutes(deps, callers), docs_url=None, redoc_url=None, redirect_slashes=False, **own)
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


class DoorApp(FastAPI):
    """Answers the two hot paths itself: FastAPI would parse and validate commands again, and its layers cost CPU time.
    Refusals and bugs are answered as on the other paths.
    """

    def __init__(self, commands: CommandRoutes, **options: Any) -> None:
        super().__init__(**options)
        self._hot = {"/v1/commands": commands.single, "/v1/commands:batch": commands.batch}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = self._hot.get(scope["path"]) if scope["type"] == "http" else None
        if endpoint is None:
            await super().__call__(scope, receive, send)
            return
        started = time.monotonic()
        request = Request(scope, receive, send)
        try:
            response = await (endpoint(request) if scope["method"] == "POST" else _refuse_method(request))
        except asyncio.CancelledError:  # at a stop, before the delivery of the commands begins
            response = await self._refuse(request, refusal(Code.UNAVAILABLE, STOPPING))
        except Exception as error:  # noqa: BLE001 - as FastAPI's outermost layer does
            response = await self._refuse(request, error)
        try:
            await response(scope, receive, send)
        finally:
            labelled_seconds(scope["path"], response.status_code).observe(time.monotonic() - started)

    async def _refuse(self, request: Request, error: Exception) -> Response:
        handler: Any = next(filter(None, map(self.exception_handlers.get, type(error).__mro__)))
        response: Response = await handler(request, error)
        return response


async def _refuse_method(_: Request) -> Response:
    raise HTTPException(HTTPStatus.METHOD_NOT_ALLOWED, headers={"Allow": "POST"})
