"""Makes the HTTP responses of the read API: a body and its positions in; a response with `Daybook-Position` and `ETag`,
or 304, out.
"""

from starlette.requests import Request
from starlette.responses import Response

from daybook_projector.read_api.encoding import etag_of
from daybook_projector.read_api.pages import Reading


def reading_response(request: Request, reading: Reading) -> Response:
    etag = etag_of(reading.body)
    headers = {
        "ETag": etag,
        # Only the caller may store the response, and must revalidate it before each use.
        "Cache-Control": "private, no-cache",
        "Vary": "Authorization",
        **({"Daybook-Position": reading.positions} if reading.positions else {}),
    }
    if _matches(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=headers)
    return Response(reading.body, headers=headers, media_type="application/json")


def _matches(header: str | None, etag: str) -> bool:
    """If-None-Match compares weakly (RFC 9110, 13.1.2)."""
    if header is None:
        return False
    return header.strip() == "*" or etag in {each.strip().removeprefix("W/") for each in header.split(",")}
