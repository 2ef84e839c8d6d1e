"""Answers every refusal of an API as problem+json (RFC 9457), including refusals by the framework."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Match, Mount
from starlette.types import Scope

from daybook_contracts.codes import Code
from daybook_contracts.results import Rejected, encode_body, problem
from daybook_infra.runtime.errors import DatabaseAway
from daybook_infra.runtime.logs import get_logger

PROBLEM_JSON: Final = "application/problem+json"
# All methods of the apps' routes. A refusal tries each of them on all routes, so others would only cost time.
METHODS: Final = ("GET", "HEAD")
# For Retry-After. A restart of Kafka, PostgreSQL or the key server takes seconds; a quarantine needs an operator.
RETRY_SECONDS: Final = 2
QUARANTINE_SECONDS: Final = 60

log = get_logger(__name__)


class RequestRefused(Exception):
    """Raised to refuse a request: `problems.install` answers with its problem and headers."""

    def __init__(self, rejected: Rejected, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(rejected.detail)
        self.rejected = rejected
        self.headers = headers


def refusal(
    code: Code, detail: str, *, status: int | None = None, headers: Mapping[str, str] | None = None
) -> RequestRefused:
    return RequestRefused(problem(code, detail, status=status), headers)


def problem_response(rejected: Rejected, headers: Mapping[str, str] | None = None) -> Response:
    extra = dict(headers or {})
    if rejected.code is Code.UNAVAILABLE:
        extra.setdefault("Retry-After", str(RETRY_SECONDS))
    elif rejected.code is Code.ORG_QUARANTINED:
        extra.setdefault("Retry-After", str(QUARANTINE_SECONDS))
    return Response(encode_body(rejected), rejected.status, extra, media_type=PROBLEM_JSON)


def install(app: FastAPI) -> None:
    app.add_exception_handler(RequestRefused, _refused)
    app.add_exception_handler(DatabaseAway, _database_away)
    app.add_exception_handler(HTTPException, _framework_refusal(app))
    app.add_exception_handler(ClientDisconnect, _client_gone)
    app.add_exception_handler(Exception, _bug)


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestRefused)  # noqa: S101 - registered for this class alone
    return problem_response(error.rejected, error.headers)


async def _database_away(_: Request, error: Exception) -> Response:
    log.warning("request_refused", reason=str(error))
    return problem_response(problem(Code.UNAVAILABLE, "The database cannot be reached now; try again."))


def _framework_refusal(app: FastAPI) -> Callable[[Request, Exception], Awaitable[Response]]:
    """Answers the router's 404 and 405. Any other refusal by the framework means that the request is malformed."""

    async def answer(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class alone
        headers = error.headers
        match error.status_code:
            case 404:
                rejected = problem(Code.NOT_FOUND, f"There is nothing at {request.url.path}.")
            case 405:
                rejected = problem(Code.NOT_FOUND, f"{request.method} is not supported here.", status=405)
                # Static files name no methods in their refusals.
                headers = {"Allow": ", ".join(METHODS), **(headers or {}), **_allow(app, request.scope)}
            case status:
                rejected = problem(Code.INVALID_COMMAND, error.detail, status=status)
        return problem_response(rejected, headers)

    return answer


def _allow(app: FastAPI, scope: Scope) -> dict[str, str]:
    """`Allow` with the methods of all routes of the path, because the router names only those of one route. Empty if
    the app has no route of its own for the path.
    """
    routes = [route for route in app.routes if not isinstance(route, Mount)]
    found = [
        method
        for method in METHODS
        if any(route.matches({**scope, "method": method})[0] is Match.FULL for route in routes)
    ]
    return {"Allow": ", ".join(found)} if found else {}


async def _client_gone(_: Request, __: Exception) -> Response:
    """The client has closed the connection, so nobody reads this. Nothing was done: the body was incomplete."""
    return problem_response(problem(Code.INVALID_COMMAND, "The connection was closed before the body was whole."))


async def _bug(_: Request, error: Exception) -> Response:
    log.error("request_failed", exc_info=error)
    return problem_response(problem(Code.INTERNAL, "Something failed inside Daybook; it has been logged."))
