"""Adds the routes of the read API, its OpenAPI document and its answer to invalid parameters to the projector's app."""

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError

from daybook_infra.runtime.http import docs_page
from daybook_infra.runtime.http.openapi import REF, Schema, describe_routes
from daybook_projector.metrics import ReadMetrics
from daybook_projector.read_api.database import ReadDatabase
from daybook_projector.read_api.resources import RESOURCES
from daybook_projector.read_api.routes import ReadDependencies, invalid_query, read_router
from daybook_projector.read_api.stream.hub import Hub
from daybook_projector.read_api.stream.routes import stream_router

DESCRIPTION = (
    "Reads what Daybook has projected: pages of the tables, and a live stream of an org's log. You see what row-level"
    " security shows you; everything else is 404. Send commands to the command service."
)


# CORS: the headers that a web app may send, and those that it may read.
REQUEST_HEADERS = ("Authorization", "Daybook-After", "If-None-Match", "Last-Event-ID")
ANSWER_HEADERS = ("Daybook-Position", "ETag", "Retry-After")


def mount_read_api(
    app: FastAPI, deps: ReadDependencies, database: ReadDatabase, hub: Hub, metrics: ReadMetrics
) -> None:
    # The stream's route goes first: the route of one entry, /audit-log/{entry_id}, also matches /audit-log/stream.
    app.include_router(stream_router(deps, database, hub, metrics))
    app.include_router(read_router(deps, metrics))
    docs_page.mount(app, f"{app.title}: the read API")
    app.openapi = lambda: _describe(app)  # type: ignore[method-assign] # FastAPI's own way to replace it
    app.add_exception_handler(RequestValidationError, invalid_query)


def _describe(app: FastAPI) -> Schema:
    """The OpenAPI document, made on the first call."""
    if app.openapi_schema is None:
        document = describe_routes(app, DESCRIPTION)
        schemas = document["components"]["schemas"]
        for resource in RESOURCES:
            schema = resource.model.model_json_schema(ref_template=REF.format("{model}"), mode="serialization")
            schemas.update(schema.pop("$defs", {}))
            schemas[resource.model.__name__] = schema
        app.openapi_schema = document
    return app.openapi_schema
