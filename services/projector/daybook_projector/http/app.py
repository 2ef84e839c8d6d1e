"""The projector's HTTP app: its front page, liveness, readiness and metrics."""

from typing import Final

from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from daybook_infra.runtime.health import Health, health_router
from daybook_infra.runtime.http import front_page, problems

DESCRIPTION: Final = "Folds the log into the tables, and answers those who read them."


def create_app(health: Health, registry: CollectorRegistry, *, details: bool) -> FastAPI:
    """`details` is False if the admin port serves the details."""
    app = FastAPI(
        title="Daybook projector",
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # behind a proxy with TLS, a redirect would lead to http
    )
    app.include_router(health_router(health, registry, details=details))
    front_page.mount(app, DESCRIPTION, health, details=details)
    problems.install(app)
    return app
