"""A program that runs a tiny service on Daybook's HTTP server and event loop. Arguments: limits as JSON, a port."""

import asyncio
import json
import sys

import uvloop
from prometheus_client import CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from daybook_infra.runtime.http.connections import Connections, HttpMetrics
from daybook_infra.runtime.http.limits import HttpLimits
from daybook_infra.runtime.http.serving import Site, serve

MIB = 1024 * 1024
REGISTRY = CollectorRegistry()


async def livez(_: Request) -> Response:
    return PlainTextResponse("alive")


async def metrics(_: Request) -> Response:
    return Response(generate_latest(REGISTRY))


async def slow(request: Request) -> Response:
    await asyncio.sleep(float(request.query_params.get("seconds", "1")))
    return PlainTextResponse("at last")


async def echo(request: Request) -> Response:
    body = await request.body()
    return PlainTextResponse(f"{len(body)} {sorted(request.headers)}")


async def refuse_unread(_: Request) -> Response:
    return PlainTextResponse("who are you?", status_code=401)


async def big(_: Request) -> Response:
    return Response(bytes(16 * MIB))


async def stream(_: Request) -> Response:
    async def pieces() -> "asyncio.AsyncIterator[bytes]":  # type: ignore[name-defined]
        for _ in range(16):
            yield bytes(MIB)

    return StreamingResponse(pieces())


APP = Starlette(
    routes=[
        Route("/livez", livez),
        Route("/metrics", metrics),
        Route("/slow", slow),
        Route("/echo", echo, methods=["GET", "POST"]),
        Route("/unread", refuse_unread, methods=["GET", "POST"]),
        Route("/big", big),
        Route("/stream", stream),
    ]
)


async def main(limits: HttpLimits, port: int) -> None:
    connections = Connections(limits, HttpMetrics(REGISTRY))
    await serve([Site(APP, "127.0.0.1", port, connections)], asyncio.Event())


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(HttpLimits(**json.loads(sys.argv[1])), int(sys.argv[2])))
