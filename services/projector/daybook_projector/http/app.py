"""The projector's HTTP app: liveness, readiness and metrics."""

from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from daybook_infra.runtime.health import Health, health_router


def create_app(health: Health, registry: CollectorRegistry, *, details: bool) -> FastAPI:
    """`details` is False if the admin port serves the details."""
    app = FastAPI(
        title="Daybook projector", description="Folds the log into the tables.", docs_url=None, redoc_url=None
    )
    app.include_router(health_router(health, registry, details=details))
    return app
