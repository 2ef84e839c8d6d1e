"""uvicorn's HTTP/1.1 protocol on httptools, with limits on everything that a client may send, hold open or leave
unread. Over 250 lines because the limits share the state of one connection and its parser.
"""

import asyncio
import math
from typing import Any, Final, cast

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from daybook_infra.runtime.http import phases
from daybook_infra.runtime.http.config import BoundedConfig
from daybook_infra.runtime.http.connections import Cut, network_of
from daybook_infra.runtime.http.joined_writes import JoinedWrites
from daybook_infra.runtime.http.phases import (
    BODY,
    DISCARD,
    HEAD,
    IDLE,
    WORK,
    HeadTooLarge,
    Phase,
    TooManyPipelined,
    UnknownVersion,
)
from daybook_infra.runtime.http.refusals import HEAD_TOO_LARGE, HEAD_TOO_SLOW, MALFORMED
from daybook_infra.runtime.http.upgrades import UpgradeOfferComplete, body_parser, framing_head

# The parser gets at most this much at a time, and the limits are checked after each slice.
SLICE_BYTES: Final = 32 * 1024
# These are answered even during overload.
HEALTH_PATHS: Final = frozenset({b"/livez", b"/readyz", b"/metrics"})
# Extensions of the ASGI scope, called to close the connection at once, and to ask whether the whole body has arrived.
ABORT: Final = "daybook.abort"
BODY_ARRIVED: Final = "daybook.body_arrived"


class BoundedProtocol(HttpToolsProtocol):
    def __init__(
        self,
        config: BoundedConfig,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._connections = config.connections
        self._limits = config.connections.limits
        self._overloaded = config.overloaded
        self._phase = HEAD
        self._phase_since = self.loop.time()
        self.network = ""
        # Since when an answer could not be written, and since when the transport has been closing.
        self._stalled_since: float | None = None
        self._closing_since: float | None = None
        # The request that the app is answering, or has answered last.
        self._running: RequestResponseCycle | None = None
        # `_ignores_input`: further input is discarded without parsing.
        self._in_head = self._head_starts_mid_slice = self._ignores_input = False
        # Bytes since a head, a piece of a body or a message was completed, and whether the current slice completed one.
        self._slice_bytes = self._bytes_since_progress = 0
        self._made_progress = False
        # Bytes of the current body with and without its framing, bytes that were discarded, and how many may be.
        self._raw_bytes = self._body_bytes = self._discarded = 0
        self._most_discarded = self._limits.discard_bytes

    # --- called by `Connections`

    @property
    def waiting_since(self) -> float | None:
        return self._stalled_since if self._phase is WORK else self._phase_since

    def check(self, now: float) -> None:
        limits, waited = self._limits, now - self._phase_since
        if self._has_unread_answer(now):
            self.drop(Cut.ANSWER_NOT_READ)
        elif self._phase is HEAD and waited > limits.head_seconds:
            self._end_late_head()
        elif self._phase is BODY and waited > limits.body_seconds:
            self.drop(Cut.BODY_TOO_SLOW)
        elif waited > self._longest_silence_seconds():
            self._abort()

    def _longest_silence_seconds(self) -> float:
        match self._phase:
            case Phase.IDLE:
                return self._limits.idle_seconds
            case Phase.DISCARD:
                return self._limits.discard_seconds
            case Phase.HEAD | Phase.BODY | Phase.WORK:
                return math.inf

    def drop(self, reason: Cut) -> None:
        self._connections.count_cut(reason)
        self._abort()

    # --- the connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        super().connection_made(transport)
        self.transport = cast("asyncio.Transport", JoinedWrites(transport, self.loop, self._closes_later))
        self.network = network_of(self.client[0]) if self.client else ""
        if not self._connections.admit(self, self.loop.time()):
            self._abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.forget(self)
        self._enter(DISCARD)
        self.pipeline.clear()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._ignores_input:
            self._discard(len(data))
            return
        if len(data) <= SLICE_BYTES:
            self._feed(data)
            return
        view = memoryview(data)
        for start in range(0, len(data), SLICE_BYTES):
            if not self._feed(view[start : start + SLICE_BYTES]):
                return

    def pause_writing(self) -> None:
        self._stalled_since = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        self._stalled_since = None
        super().resume_writing()

    # --- the parser

    def on_message_begin(self) -> None:
        if len(self.pipeline) >= self._limits.pipelined:
            raise TooManyPipelined
        self._in_head = True
        self._head_starts_mid_slice = self._made_progress
        if self._phase is IDLE:
            self._enter(HEAD)
        super().on_message_begin()
        self.scope["extensions"] = {
            ABORT: {"call": lambda: self.drop(Cut.ANSWER_NOT_READ)},
            BODY_ARRIVED: {"call": lambda: self._running is not None and not self._running.more_body},
        }

    def on_headers_complete(self) -> None:
        self._in_head, self._made_progress = False, True
        self._raw_bytes = self._body_bytes = 0
        if self._head_is_too_large():
            raise HeadTooLarge
        if self.parser.get_http_version() not in phases.HTTP_VERSIONS:
            raise UnknownVersion
        self.app = self._overloaded if self._refuses_for_overload() else self.config.loaded_app
        queued = len(self.pipeline)
        super().on_headers_complete()
        self.headers = phases.NO_TRAILERS
        if len(self.pipeline) == queued:
            self._running = self.cycle
            self._enter(BODY)

    def on_body(self, body: bytes) -> None:
        self._made_progress = True
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():
            return  # the body, if there is one, follows: see `_ignore_upgrade`
        self._made_progress = True
        super().on_message_complete()
        if self._phase is BODY:
            self._enter(WORK)
        elif self._phase is DISCARD:
            self._discarded = 0
            self._enter(IDLE)

    def on_response_complete(self) -> None:
        """Called by uvicorn's request cycle. uvicorn's own method sets timers; here `check` replaces them."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            self._enter(IDLE)
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._running, app = self.pipeline.pop()
            self._start_asgi_task(self._running, app)
            self._enter(BODY if self._running.more_body else WORK)
        elif self.cycle.more_body:
            self._enter(DISCARD)
        else:
            self._enter(HEAD if self._in_head else IDLE)

    # --- the limits

    def _enter(self, phase: Phase) -> None:
        self._connections.requests_in_progress += (phase is WORK) - (self._phase is WORK)
        self._phase = phase
        self._phase_since = self.loop.time()

    def _feed(self, data: bytes | memoryview) -> bool:
        """Parses a slice. Returns whether to parse the next one too."""
        self._slice_bytes, self._made_progress = len(data), False
        in_body = self._phase is BODY or self._phase is DISCARD
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            return self._ignore_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError as error:
            self._refuse_for(error.__context__)
            return False
        self._bytes_since_progress = 0 if self._made_progress else self._bytes_since_progress + self._slice_bytes
        if in_body:
            self._raw_bytes += self._slice_bytes
        self._check_growth()
        return not self._ignores_input

    def _ignore_upgrade(self, rest: bytes | memoryview) -> bool:
        """The request is answered like any other, but its connection ends: the bytes after it need not be HTTP."""
        self.cycle.keep_alive = False
        self._bytes_since_progress = 0
        self.parser = body_parser(self)
        return self._feed(b"".join((framing_head(self.scope["headers"]), rest)))

    def _check_growth(self) -> None:
        """Called after each slice, because an incomplete head, chunk or trailer has a limit too."""
        most = self._limits.head_bytes
        if self._in_head and (self._bytes_since_progress > most or len(self.headers) > self._limits.head_lines):
            self._refuse(Cut.HEAD_TOO_LARGE, HEAD_TOO_LARGE)
        elif self._bytes_since_progress > most or self._raw_bytes - self._body_bytes > most + self._body_bytes:
            # Chunk extensions, trailers or the framing of tiny chunks take more bytes than the body and `head_bytes`
            # together.
            self._refuse(Cut.MALFORMED, MALFORMED)
        elif self._phase is DISCARD:
            self._discard(self._slice_bytes)

    def _head_is_too_large(self) -> bool:
        """Adds up the lines only if the head's slices exceed the limit, or also hold bytes of an earlier request."""
        if len(self.headers) > self._limits.head_lines:
            return True
        if (
            self._bytes_since_progress + self._slice_bytes <= self._limits.head_bytes
            and not self._head_starts_mid_slice
        ):
            return False
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers) > self._limits.head_bytes

    def _refuses_for_overload(self) -> bool:
        if not self._connections.overloaded or self.url.partition(b"?")[0] in HEALTH_PATHS:
            return False
        self._connections.count_cut(Cut.OVERLOADED)
        return True

    def _refuse_for(self, cause: BaseException | None) -> None:
        match cause:
            case HeadTooLarge():
                self._refuse(Cut.HEAD_TOO_LARGE, HEAD_TOO_LARGE)
            case TooManyPipelined() | UpgradeOfferComplete():
                self._end_after_answers()
            case _:
                self._refuse(Cut.MALFORMED, MALFORMED)

    def _end_late_head(self) -> None:
        if self._in_head:
            self._refuse(Cut.HEAD_TOO_SLOW, HEAD_TOO_SLOW)
        else:
            # No request has begun, so there is nothing to answer.
            self.drop(Cut.HEAD_TOO_SLOW)

    def _refuse(self, reason: Cut, answer: bytes) -> None:
        """Answers and closes. If earlier requests are not answered yet, closes after their answers instead."""
        self._connections.count_cut(reason)
        # A request that has not arrived completely gets no answer.
        while self.pipeline and self.pipeline[0][0].more_body:
            self.pipeline.popleft()
        running = self._running
        if running is None or running.response_complete:
            self._refuse_and_close(answer)
        elif running.more_body and not self.pipeline:
            running.disconnected = True
            running.message_event.set()
            if running.response_started:
                self._abort()
            else:
                self._refuse_and_close(answer)
        else:
            self._end_after_answers()

    def _refuse_and_close(self, answer: bytes) -> None:
        self._ignores_input = True
        self._most_discarded = self._limits.refused_bytes
        if not self.transport.is_closing():
            self.transport.write(answer)
            self._half_close()

    def shutdown(self) -> None:
        """Called when the server stops. Does not wait for the rest of a body: `check` no longer limits that wait."""
        self._ignores_input = self._ignores_input or self._phase is DISCARD
        super().shutdown()

    def _closes_later(self) -> bool:
        """Called when the connection is to be closed. If its client is still sending a request that was answered, ends
        only the server's side and returns True.
        """
        running = self._running
        if self._ignores_input or running is None or not running.response_complete or not running.more_body:
            return False
        if self.transport.is_closing():
            return False
        self._ignores_input = True
        self._half_close()
        return True

    def _half_close(self) -> None:
        """The client closes after it has read the answer, or `check` closes later. Closing now could destroy the answer
        while the client is still sending.
        """
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._enter(DISCARD)

    def _end_after_answers(self) -> None:
        self._ignores_input = True
        self._most_discarded = self._limits.refused_bytes
        last = self.pipeline[0][0] if self.pipeline else self._running
        if last is not None:
            last.keep_alive = False

    def _discard(self, size: int) -> None:
        self._discarded += size
        if self._discarded > self._most_discarded:
            self.drop(Cut.TOO_MUCH_UNREAD)

    def _has_unread_answer(self, now: float) -> bool:
        if self.transport.is_closing():
            self._closing_since = self._closing_since or now
        since = self._stalled_since or self._closing_since
        return since is not None and now - since > self._limits.answer_seconds

    def _abort(self) -> None:
        self._ignores_input = True
        self.transport.abort()
