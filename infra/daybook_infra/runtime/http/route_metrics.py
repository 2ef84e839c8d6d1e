"""Metrics of a route: measures the time of its answers, in a histogram with the labels `route` and `status`."""

import time
from functools import cache
from http import HTTPStatus
from typing import Any

from fastapi.routing import APIRoute
from prometheus_client import Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send


def measured_route(seconds: Histogram) -> type[APIRoute]:
    """For routers: `APIRouter(route_class=measured_route(SECONDS))`."""

    class MeasuredRoute(APIRoute):
        def __init__(self, path: str, *args: Any, **options: Any) -> None:
            super().__init__(path, *args, **options)
            self.app = with_metrics(path, self.app, seconds)

    return MeasuredRoute


def with_metrics(route: str, app: ASGIApp, seconds: Histogram) -> ASGIApp:
    """The app with metrics. `route` is the path's pattern, not the path, so that the label has few values. The time
    that a client takes to read the answer does not count.
    """
    labelled = cache(seconds.labels)

    async def app_with_metrics(scope: Scope, receive: Receive, send: Send) -> None:
        started = time.monotonic()
        # If the app raises an exception, an outer layer answers with a 500.
        status = HTTPStatus.INTERNAL_SERVER_ERROR.value
        answered: float | None = None

        async def send_and_note_status(message: Message) -> None:
            nonlocal status, answered
            if message["type"] == "http.response.start":
                status, answered = message["status"], time.monotonic()
            await send(message)

        try:
            await app(scope, receive, send_and_note_status)
        finally:
            labelled(route, status).observe((answered or time.monotonic()) - started)

    return app_with_metrics
