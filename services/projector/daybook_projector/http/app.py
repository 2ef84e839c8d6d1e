"""The projector's HTTP: whether it lives, is ready, and its metrics. Nothing is served from the tables yet."""

from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from daybook_infra.runtime.health import Health, health_router


def make_app(health: Health, registry: CollectorRegistry, *, details: bool) -> FastAPI:
    """Without `details` where the admin port has them."""
    app = FastAPI(
        title="Daybook projector", description="Folds the log into the tables.", docs_url=None, redoc_url=None
    )
    app.include_router(health_router(health, registry, details=details))
    return app
