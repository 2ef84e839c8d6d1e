"""Content-Security-Policy headers for pages: takes what a page may load and run, and returns the header."""

import base64
import hashlib
from typing import Final

HEADER: Final = "Content-Security-Policy"
# A page may not be framed, send forms, or change the base of its links.
_ALWAYS: Final = ("base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'")


def content_policy(*allowed: str) -> str:
    """The policy that forbids everything but `allowed`, each such as `img-src 'self'`."""
    return "; ".join(("default-src 'none'", *allowed, *_ALWAYS))


def inline_source(content: bytes) -> str:
    """The source that allows one inline script or style with exactly this content."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(content).digest()).decode()}'"
