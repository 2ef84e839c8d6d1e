"""The server's answers to clients that exceed a limit: raw bytes to send, and ASGI apps."""

from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from daybook_contracts.codes import Code
from daybook_contracts.results import encode_body, problem
from daybook_infra.runtime.http.headers import SECURITY
from daybook_infra.runtime.http.limits import PARAMETERS
from daybook_infra.runtime.http.problems import PROBLEM_JSON, RETRY_SECONDS

_Headers = list[tuple[bytes, bytes]]


def _body_and_headers(code: Code, detail: str, status: int) -> tuple[bytes, _Headers]:
    body = encode_body(problem(code, detail, status=status))
    retry = [(b"retry-after", b"%d" % RETRY_SECONDS)] if code is Code.UNAVAILABLE else []
    headers = [
        (b"content-type", PROBLEM_JSON.encode()),
        (b"content-length", b"%d" % len(body)),
        (b"connection", b"close"),
        *retry,
        *SECURITY,
    ]
    return body, headers


def _raw_answer(detail: str, status: int, phrase: bytes) -> bytes:
    body, headers = _body_and_headers(Code.INVALID_COMMAND, detail, status)
    lines = b"".join(b"%s: %s\r\n" % header for header in headers)
    return b"HTTP/1.1 %d %s\r\n%s\r\n%s" % (status, phrase, lines, body)


MALFORMED: Final = _raw_answer("This is not an HTTP/1.1 request.", 400, b"Bad Request")
HEAD_TOO_SLOW: Final = _raw_answer("The request's head did not arrive in time.", 408, b"Request Timeout")
HEAD_TOO_LARGE: Final = _raw_answer(
    "The request line and the headers must be at most 32 KiB, in at most 100 lines.",
    431,
    b"Request Header Fields Too Large",
)


def _refusing(code: Code, detail: str, status: int) -> ASGIApp:
    body, headers = _body_and_headers(code, detail, status)

    async def refuse(_: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return refuse


overloaded: Final = _refusing(Code.UNAVAILABLE, "Too many requests are under way here; nothing was done.", 503)
too_many_parameters: Final = _refusing(
    Code.INVALID_QUERY, f"A request has at most {PARAMETERS} query parameters; nothing was done.", 400
)
