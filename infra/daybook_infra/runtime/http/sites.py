"""Assembles a service's HTTP sites: its app and the settings in, applications with their addresses out."""

from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from starlette.types import ASGIApp

from daybook_infra.runtime.health import Health, health_router
from daybook_infra.runtime.http import problems
from daybook_infra.runtime.http.connections import Connections, HttpMetrics
from daybook_infra.runtime.http.headers import with_cors_of, with_security_headers, without_cookies
from daybook_infra.runtime.http.limits import ADMIN_CONNECTIONS, HttpLimits, main_limits
from daybook_infra.runtime.http.query_limit import with_few_parameters
from daybook_infra.runtime.http.refusals import overloaded, too_many_parameters
from daybook_infra.runtime.http.serving import Site
from daybook_infra.runtime.settings import Settings, env_name


def sites(
    app: ASGIApp, address: tuple[str, int], settings: Settings, health: Health, registry: CollectorRegistry
) -> list[Site]:
    """The service's own site and, if the settings have an admin port, the admin site. Raises SettingsError."""
    metrics = HttpMetrics(registry)
    host, port = address
    own = Connections(main_limits(settings), metrics)
    # Web apps may read that the service is overloaded.
    refusal = _hardened(with_cors_of(app, overloaded))
    found = [Site(_hardened(app), host, port, own, overloaded=refusal)]
    if settings.admin_port is not None:
        admin = _hardened(_admin_app(health, registry))
        limits = HttpLimits(connections=ADMIN_CONNECTIONS)
        port_from = env_name("admin_port")
        found.append(
            Site(admin, settings.admin_host, settings.admin_port, Connections(limits, metrics), port_from=port_from)
        )
    return found


def _hardened(app: ASGIApp) -> ASGIApp:
    bounded = with_few_parameters(app, with_cors_of(app, too_many_parameters))
    return with_security_headers(without_cookies(bounded))


def _admin_app(health: Health, registry: CollectorRegistry) -> FastAPI:
    app = FastAPI(title="Daybook's operators", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    app.include_router(health_router(health, registry))
    problems.install(app)
    return app
