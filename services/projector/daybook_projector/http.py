"""The projector's HTTP: whether it lives, is ready, and its metrics. Nothing is served from the tables yet."""

from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from daybook_infra.health import Health, health_router

GRACE_SECONDS = 5


class Server(uvicorn.Server):
    """Leaves signals to `main`, which ends the projection first."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def make_server(health: Health, registry: CollectorRegistry, host: str, port: int) -> Server:
    app = FastAPI(title="Daybook projector", description="Folds the log into the tables.")
    app.include_router(health_router(health, registry))
    config = uvicorn.Config(
        app, host=host, port=port, log_config=None, access_log=False, timeout_graceful_shutdown=GRACE_SECONDS
    )
    return Server(config)
