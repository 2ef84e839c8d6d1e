"""Configures uvicorn for one site: an app, its connections and its refusal in, uvicorn's configuration out."""

import uvicorn
from starlette.types import ASGIApp

from daybook_infra.runtime.http.connections import Connections
from daybook_infra.runtime.http.limits import BACKLOG

# When the server stops, requests in progress have this long to be answered; then their connections are closed.
STOP_SECONDS = 10


class BoundedConfig(uvicorn.Config):
    def __init__(self, app: ASGIApp, connections: Connections, overloaded: ASGIApp) -> None:
        super().__init__(
            app,
            loop="none",
            http="daybook_infra.runtime.http.protocol:BoundedProtocol",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            backlog=BACKLOG,
            timeout_graceful_shutdown=STOP_SECONDS,
        )
        self.connections = connections
        self.overloaded = overloaded
