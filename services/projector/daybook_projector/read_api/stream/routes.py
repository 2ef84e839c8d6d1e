"""The route `GET /v1/orgs/{org_id}/audit-log/stream`, which opens a live stream of an org's log."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from daybook_contracts.codes import Code
from daybook_contracts.routing import partition_of
from daybook_contracts.text import is_uuid
from daybook_infra.runtime.http.openapi import SECURED, Schema, secured_problems
from daybook_infra.runtime.http.problems import refusal
from daybook_projector.metrics import ReadMetrics
from daybook_projector.read_api.database import ReadDatabase
from daybook_projector.read_api.openapi import POSITION, path_parameters
from daybook_projector.read_api.pages import not_found
from daybook_projector.read_api.parameters import POSITION_PATTERN
from daybook_projector.read_api.positions import Position, parse_position
from daybook_projector.read_api.reader import Reader, reader_of
from daybook_projector.read_api.resources import AUDIT_LOG
from daybook_projector.read_api.routes import ReadDependencies, add_get, authenticator, only_header
from daybook_projector.read_api.stream import log_reads
from daybook_projector.read_api.stream.events import entry_event, opening
from daybook_projector.read_api.stream.hub import Hub, TooManyStreams
from daybook_projector.read_api.stream.open_stream import End, OpenStream
from daybook_projector.read_api.stream.response import StreamHead, StreamResponse, TokenWatch

PATH: Final = f"{AUDIT_LOG.path}/stream"
LAST_EVENT_ID: Final = "Last-Event-ID"
# In place of a position: begin with the org's first entry.
START: Final = "start"
START_PATTERN: Final = rf"{POSITION_PATTERN}|^{START}$"
# How many streams may read missed entries at a time. The other database connections stay free for pages.
CATCHING_UP: Final = 3


class StreamQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    after: (
        Annotated[
            str,
            Field(
                max_length=40,
                description="Sends the entries after this position first. `start`: sends all entries.",
                json_schema_extra={"pattern": START_PATTERN},
            ),
        ]
        | None
    ) = None


@dataclass(frozen=True, slots=True)
class _Opening:
    """A new stream. `position`: the entry after which it starts; None for the start of the log. `since`: the time of
    the org's last entry.
    """

    stream: OpenStream
    since: datetime
    position: Position | None

    @property
    def headers(self) -> dict[str, str]:
        return {} if self.position is None else {"Daybook-Position": str(self.position)}


class StreamRoutes:
    def __init__(self, deps: ReadDependencies, database: ReadDatabase, hub: Hub, metrics: ReadMetrics) -> None:
        self._deps = deps
        self._database = database
        self._hub = hub
        self._metrics = metrics
        self._catching_up = asyncio.Semaphore(CATCHING_UP)

    async def open(self, request: Request, query: StreamQuery) -> Response:
        """A stream, or for HEAD only its headers."""
        reader = reader_of(request.state.token.principal, self._deps.policy)
        org_id = request.path_params["org_id"].lower()
        if not is_uuid(org_id) or not reader.may_ask_for(org_id):
            raise not_found()
        partition = partition_of(org_id, self._deps.settings.partitions)
        # A browser that reconnects sends its first URL again, and the id of the last event that it has seen.
        after = _parse_after(only_header(request, LAST_EVENT_ID) or query.after, partition)
        if request.method == "HEAD":
            return StreamHead((await self._start(reader, org_id, partition, after)).headers)
        self._reserve(reader)
        try:
            found = await self._start(reader, org_id, partition, after)
        except BaseException:
            self._hub.release(str(reader.principal))
            raise
        return self._response(request, found, after)

    def _response(self, request: Request, found: _Opening, after: int | None) -> StreamResponse:
        authorization = request.headers.get("authorization")
        stream = found.stream

        def leave(reason: End) -> None:
            self._hub.leave(stream)
            self._hub.release(str(stream.reader.principal))
            self._metrics.streams_ended.labels(reason.value).inc()

        token = TokenWatch(request.state.token, lambda: self._deps.callers.check(authorization))
        return StreamResponse(stream, self._catch_up(found, after), token, leave, found.headers)

    def _reserve(self, reader: Reader) -> None:
        try:
            self._hub.reserve(str(reader.principal), is_user=reader.user_id is not None)
        except TooManyStreams as error:
            if error.of_one:
                detail = "You have too many open streams; close one."
                raise refusal(Code.TOO_MANY_REQUESTS, detail, headers={"Retry-After": "10"}) from error
            raise refusal(Code.UNAVAILABLE, "Too many streams are open here; try again.") from error

    async def _start(self, reader: Reader, org_id: str, partition: int, after: int | None) -> _Opening:
        """Raises RequestRefused (404) if the reader does not see the org's log."""
        async with self._database.snapshot(reader, org_id, partition) as snapshot:
            since = await log_reads.last_entry_time(snapshot, org_id)
            if since is None:
                raise not_found()
            shown = snapshot.positions.get(partition, -1)
        last = shown if after is None else after
        stream = OpenStream(reader, org_id, partition, last, asyncio.get_running_loop().create_future())
        return _Opening(stream, since, Position(partition, last) if last >= 0 else None)

    async def _catch_up(self, found: _Opening, after: int | None) -> AsyncIterator[bytes]:
        """Yields the missed events. Joins the hub only after the last read, so few events queue up meanwhile. It joins
        before it yields what this read has found, because a slow client would delay a later join.
        """
        stream, more = found.stream, after is not None
        if not more:
            self._hub.join(stream, found.since)
        yield opening(found.position)
        while more:
            events, more, read_to = await self._missed(stream)
            if read_to is None:
                stream.end(End.RIGHT_GONE)
                return
            if not more:
                self._hub.join(stream, read_to)
            for event in events:
                yield event

    async def _missed(self, stream: OpenStream) -> tuple[list[bytes], bool, datetime | None]:
        """The next events after `stream.last`; whether there may be more; and the time up to which the log has been
        read, which is None if the reader may no longer read it. Advances `stream.last`.
        """
        async with self._database.snapshot(
            stream.reader, stream.org_id, stream.partition, turn=self._catching_up
        ) as snapshot:
            since = await log_reads.entry_time(snapshot, stream.org_id, stream.last)
            rows, more = await log_reads.missed_entries(snapshot, stream.org_id, since)
        if rows:
            stream.last, since = max(stream.last, rows[-1]["position"]), rows[-1]["created_at"]
        return [entry_event(stream.partition, row) for row in rows], more, since


def stream_router(deps: ReadDependencies, database: ReadDatabase, hub: Hub, metrics: ReadMetrics) -> APIRouter:
    """Streams are left out of the metric of request durations, because they last for hours."""
    router = APIRouter(tags=["reading"], dependencies=[Depends(authenticator(deps.callers))])
    routes = StreamRoutes(deps, database, hub, metrics)

    async def stream_audit_log(request: Request, query: Annotated[StreamQuery, Query()]) -> Response:
        return await routes.open(request, query)

    add_get(router, PATH, stream_audit_log, _options())
    return router


def _parse_after(text: str | None, partition: int) -> int | None:
    if text is None:
        return None
    if text == START:
        return -1
    position = parse_position(text, partition + 1)
    if position is None or position.partition != partition:
        raise refusal(Code.INVALID_QUERY, "after, Last-Event-ID: must be a position of this org's partition, or start")
    return position.number


def _options() -> dict[str, Any]:
    header: Schema = {
        "name": "Last-Event-ID",
        "in": "header",
        "description": "The id of the last event that you have seen. It takes precedence over `after`.",
        "schema": {"type": "string", "pattern": START_PATTERN},
        "example": POSITION,
    }
    example = f'id: {POSITION}\ndata: {{"id":"0199f000-0000-8561-aaa1-8aa0eb0c829d","action":"ADD_MEMBER"}}\n\n'
    found = {
        "description": "The body consists of server-sent events. The data of an event is an entry, and its id is the"
        " entry's position.",
        "content": {"text/event-stream": {"schema": {"type": "string"}, "example": example}},
    }
    return {
        "operation_id": "stream_audit_log",
        "summary": "Follow an org's log",
        "description": "Sends each entry of the org's log as soon as it is projected. With `Last-Event-ID` or `after`,"
        " it first sends the entries after that position, without gaps or repeats. While there are no entries, a"
        " comment is sent each second. The stream ends when the token expires or when you may no longer read the log."
        " Answers 404 if the org does not exist, or if you may not read its log.",
        "responses": {200: found, **secured_problems(Code.INVALID_QUERY, Code.NOT_FOUND)},
        "openapi_extra": {**SECURED, "parameters": [*path_parameters(PATH), header]},
    }
