"""Removes cookies from requests, and adds security headers and cross-origin access for web apps to answers: an ASGI app
in, a wrapped app out.
"""

import copy
from collections.abc import Iterable
from typing import Final

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE: Final = b"cookie"
CACHE_CONTROL: Final = b"cache-control"
# The proxy in front terminates TLS, so it sets Strict-Transport-Security.
SECURITY: Final = (
    (CACHE_CONTROL, b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)
_NAMES: Final = frozenset(name for name, _ in SECURITY)
PREFLIGHT_SECONDS: Final = 600


def without_cookies(app: ASGIApp) -> ASGIApp:
    """Daybook uses no cookies, but FastAPI parses them for every route. Python's parser takes time quadratic in their
    length before 3.11.10 and 3.12.6 (CVE-2024-7592).
    """

    async def ignoring_cookies(scope: Scope, receive: Receive, send: Send) -> None:
        headers = scope["headers"]
        kept = [header for header in headers if header[0] != COOKIE]
        await app(scope if len(kept) == len(headers) else {**scope, "headers": kept}, receive, send)

    return ignoring_cookies


def with_security_headers(app: ASGIApp) -> ASGIApp:
    """Keeps a header that the answer already has. An answer with an ETag gets no Cache-Control, so caches may store and
    revalidate it.
    """

    async def secured(scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message.get("headers", ())
                message["headers"] = [*headers, *_missing({name.lower() for name, _ in headers})]
            await send(message)

        await app(scope, receive, sending)

    return secured


def _missing(own: set[bytes]) -> Iterable[tuple[bytes, bytes]]:
    """The headers to add to an answer that has headers of these names."""
    if b"etag" in own:
        own.add(CACHE_CONTROL)
    if own.isdisjoint(_NAMES):  # nearly always
        return SECURITY
    return [header for header in SECURITY if header[0] not in own]


def with_cors(
    app: ASGIApp, origins: tuple[str, ...], *, request_headers: tuple[str, ...], answer_headers: tuple[str, ...]
) -> ASGIApp:
    """Web apps of these origins may send the request headers, and read the answer headers. Returns the app itself if
    there are no origins. Tokens are sent in headers, never in cookies, so credentials are not allowed.
    """
    if not origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=origins,
        allow_methods=("GET", "POST"),
        allow_headers=request_headers,
        expose_headers=answer_headers,
        max_age=PREFLIGHT_SECONDS,
    )


def with_cors_of(app: ASGIApp, other: ASGIApp) -> ASGIApp:
    """`other`, with the cross-origin access that `with_cors` has given to `app`. Preflights are answered alike."""
    if not isinstance(app, CORSMiddleware):
        return other
    same = copy.copy(app)
    same.app = other
    return same
