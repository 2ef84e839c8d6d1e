"""`/docs`: a page that shows the OpenAPI document with forms. It loads nothing from other servers."""

import re
from importlib.resources import files
from pathlib import Path
from typing import Final

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

from daybook_infra.runtime.http.content_policy import HEADER, content_policy, inline_source

STATIC: Final = "/docs/static"


def mount(app: FastAPI, title: str) -> None:
    page = get_swagger_ui_html(
        openapi_url=app.openapi_url or "/openapi.json",
        title=title,
        swagger_js_url=f"{STATIC}/swagger-ui-bundle.js",
        swagger_css_url=f"{STATIC}/swagger-ui.css",
        swagger_favicon_url=f"{STATIC}/favicon.png",
    )
    page.headers[HEADER] = _policy(bytes(page.body))

    # The fastapi_offline package contains the files of Swagger UI; FastAPI's own page would load them from a CDN.
    app.mount(STATIC, StaticFiles(directory=Path(str(files("fastapi_offline"))) / "static"))

    @app.head("/docs", include_in_schema=False)
    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return page


def _policy(page: bytes) -> str:
    """The page may load files of this server, and run its one inline script."""
    scripts = re.findall(rb"<script>(.*?)</script>", page, re.DOTALL)
    return content_policy(
        " ".join(["script-src 'self'", *(inline_source(script) for script in scripts)]),
        # Swagger UI sets styles from its scripts.
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "connect-src 'self'",
    )
