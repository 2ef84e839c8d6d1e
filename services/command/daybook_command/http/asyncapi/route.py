"""`/asyncapi`: the AsyncAPI document. It needs no token, so it names no Kafka server."""

import orjson
from fastapi import FastAPI, Response

from daybook_command.http.asyncapi.document import describe
from daybook_infra.runtime.settings import Settings


def mount(app: FastAPI, settings: Settings) -> None:
    """Serves JSON, which AsyncAPI's own tools read. An HTML page would need scripts from other servers."""
    document = orjson.dumps(describe(settings, app.version))

    @app.head("/asyncapi", include_in_schema=False)
    @app.get("/asyncapi", include_in_schema=False)
    async def asyncapi() -> Response:
        return Response(document, media_type="application/json")
