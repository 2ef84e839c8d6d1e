"""`/`: a page that tells people what a service is, whether it is ready, and where its documentation is. The page needs
no token, so it shows no data.
"""

from collections.abc import Mapping
from html import escape
from pathlib import Path
from string import Template
from typing import Final

from fastapi import FastAPI
from starlette.responses import HTMLResponse
from starlette.routing import Route

from daybook_infra.runtime.health import Health
from daybook_infra.runtime.http.content_policy import HEADER, content_policy, inline_source

_PAGE: Final = Template(Path(__file__).with_suffix(".html").read_text("utf-8"))
_STYLE: Final = Path(__file__).with_suffix(".css").read_text("utf-8")
_POLICY: Final = content_policy(f"style-src {inline_source(_STYLE.encode())}", "img-src data:")
_SUMMARIES: Final = {"ready": "It answers requests.", "unready": "It cannot do its work now."}
# The text for each path. The page links to the paths that the service has.
_PATHS: Final = {
    "/docs": "the HTTP API, with forms to try it",
    "/openapi.json": "the HTTP API as an OpenAPI document",
    "/asyncapi": "the Kafka topics as an AsyncAPI document",
    "/readyz": "whether the service is ready",
    "/livez": "whether the process runs",
    "/metrics": "metrics for Prometheus",
}


def mount(app: FastAPI, description: str, health: Health, *, details: bool) -> None:
    """`details` is False for a port that strangers can reach: then the page shows no reasons and no notes."""

    @app.head("/", include_in_schema=False)
    @app.get("/", include_in_schema=False)
    async def front_page() -> HTMLResponse:
        reasons = health.reasons
        state = "unready" if reasons else "ready"
        page = _PAGE.substitute(
            title=escape(app.title),
            version=escape(app.version),
            style=_STYLE,
            description=escape(description),
            state=state,
            summary=_SUMMARIES[state],
            reasons=_listed(reasons) if details else "",
            notes=_listed(health.notes, heading="<p>Notes:</p>\n") if details else "",
            links="\n".join(_links(app)),
        )
        return HTMLResponse(page, headers={HEADER: _POLICY})


def _listed(texts: Mapping[str, str], heading: str = "") -> str:
    """Empty if there are no texts."""
    items = "\n".join(f"<li>{escape(subject)}: {escape(text)}</li>" for subject, text in texts.items())
    return f"{heading}<ul>\n{items}\n</ul>" if items else ""


def _links(app: FastAPI) -> list[str]:
    present = {route.path for route in app.routes if isinstance(route, Route)} | app.openapi()["paths"].keys()
    return [f'<li><a href="{path}">{path}</a> {what}</li>' for path, what in _PATHS.items() if path in present]
