"""Refuses requests with too many query parameters: an ASGI app in, a wrapped app out."""

from starlette.types import ASGIApp, Receive, Scope, Send

from daybook_infra.runtime.http.limits import PARAMETERS


def with_few_parameters(app: ASGIApp, refusal: ASGIApp) -> ASGIApp:
    """`refusal` answers a request with more than PARAMETERS query parameters. Counts them without splitting the query:
    FastAPI splits it before it verifies the token, and validates all parameters in one step, which together can take
    longer than a time slice.
    """

    async def bounded(scope: Scope, receive: Receive, send: Send) -> None:
        is_refused = scope["query_string"].count(b"&") >= PARAMETERS
        await (refusal if is_refused else app)(scope, receive, send)

    return bounded
