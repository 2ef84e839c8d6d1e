"""`/asyncapi`: the Kafka side of the service as an AsyncAPI 3 document."""

from importlib.metadata import version

from fastapi import FastAPI, Response
from faststream.kafka import KafkaBroker
from faststream.specification import AsyncAPI


def mount_asyncapi(app: FastAPI, broker: KafkaBroker) -> None:
    """Serves JSON, which AsyncAPI's own tools read. An HTML page would need scripts from other servers."""
    specification = AsyncAPI(
        broker,
        title="Daybook",
        version=version("daybook-command"),
        description="Commands in; entries, results and dead letters out. The key of a command is its org's id.",
    )
    document = specification.to_specification().to_json()

    @app.head("/asyncapi", include_in_schema=False)
    @app.get("/asyncapi", include_in_schema=False)
    async def asyncapi() -> Response:
        return Response(document, media_type="application/json")
