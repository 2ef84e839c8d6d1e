"""The Kafka side of the service as an AsyncAPI 3 document: FastStream's broker in, one route of the HTTP door out."""

from importlib.metadata import version

from fastapi import FastAPI
from faststream.kafka import KafkaBroker
from faststream.specification import AsyncAPI
from starlette.requests import Request
from starlette.responses import Response


def mount_asyncapi(app: FastAPI, broker: KafkaBroker) -> None:
    """GET /asyncapi: JSON, as AsyncAPI's own tools read it (a page would need scripts from elsewhere)."""
    specification = AsyncAPI(
        broker,
        title="Daybook",
        version=version("daybook-command"),
        description="Commands in; entries, results and dead letters out. The key of a command is its org's id.",
    )
    document = specification.to_specification().to_json()

    async def asyncapi(_: Request) -> Response:
        return Response(document, media_type="application/json")

    app.add_route("/asyncapi", asyncapi, methods=["GET"])
