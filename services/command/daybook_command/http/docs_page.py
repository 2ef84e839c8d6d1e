"""`/docs`: the OpenAPI document in, a page for people out, without a need for the internet."""

import base64
import hashlib
import re
from importlib.resources import files
from pathlib import Path
from typing import Final

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

STATIC: Final = "/docs/static"


def doc_routes(app: FastAPI) -> list[BaseRoute]:
    page = get_swagger_ui_html(
        openapi_url=app.openapi_url or "/openapi.json",
        title=f"{app.title}: the HTTP door",
        swagger_js_url=f"{STATIC}/swagger-ui-bundle.js",
        swagger_css_url=f"{STATIC}/swagger-ui.css",
        swagger_favicon_url=f"{STATIC}/favicon.png",
    )
    page.headers["Content-Security-Policy"] = content_policy(bytes(page.body))

    async def docs(_: Request) -> HTMLResponse:
        return page

    # The package is the assets of Swagger UI; the framework's own page would load them from elsewhere.
    assets = StaticFiles(directory=Path(str(files("fastapi_offline"))) / "static")
    return [Mount(STATIC, assets), Route("/docs", docs)]


def content_policy(page: bytes) -> str:
    """What the page may load and run: files of this server, and the one script that stands in the page itself."""
    scripts = re.findall(rb"<script>(.*?)</script>", page, re.DOTALL)
    hashes = [f"'sha256-{base64.b64encode(hashlib.sha256(script).digest()).decode()}'" for script in scripts]
    return "; ".join(
        [
            "default-src 'none'",
            " ".join(["script-src 'self'", *hashes]),
            # Swagger UI sets styles from its scripts.
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data:",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ]
    )
