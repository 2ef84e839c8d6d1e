"""uvicorn's HTTP/1.1 protocol on httptools, with a bound on all that a client may send, hold open or leave unread.
Over 250 lines because the bounds share the state of one connection and its parser.
"""

import asyncio
import math
from typing import Any, Final

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from daybook_infra.runtime.http.config import BoundedConfig
from daybook_infra.runtime.http.connections import Cut, network_of
from daybook_infra.runtime.http.phases import NO_TRAILERS, HeadTooLarge, Phase, TooManyPipelined, UnknownVersion
from daybook_infra.runtime.http.refusals import HEAD_TOO_LARGE, HEAD_TOO_SLOW, MALFORMED, overloaded

# A parser is never fed more at a time, so no head or chunk grows unseen by more than this.
SLICE: Final = 32 * 1024
# Answered however much is under way.
HEALTH: Final = frozenset({b"/livez", b"/readyz", b"/metrics"})
VERSIONS: Final = frozenset({"1.0", "1.1"})


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
        self._phase = Phase.HEAD
        self._since = self.loop.time()
        self.network = ""
        # Since when an answer could not be written, and the transport should have been closed.
        self._stalled_since: float | None = None
        self._closing_since: float | None = None
        self._running: RequestResponseCycle | None = None
        self._in_head = self._head_starts_inside = False
        # Nothing that still comes is parsed.
        self._over = False
        self._slice = 0
        # Bytes since a head, a piece of a body or a message was complete; whether this slice completed one.
        self._gap = 0
        self._advanced = False
        self._raw_bytes = self._body_bytes = self._discarded = 0

    # --- what the server asks

    @property
    def waiting_since(self) -> float | None:
        return self._stalled_since if self._phase is Phase.WORK else self._since

    def check(self, now: float) -> None:
        limits, waited = self._limits, now - self._since
        if self._has_not_read(now):
            self.drop(Cut.ANSWER_NOT_READ)
        elif self._phase is Phase.HEAD and waited > limits.head_seconds:
            self._head_is_late()
        elif self._phase is Phase.BODY and waited > limits.body_seconds:
            self.drop(Cut.BODY_TOO_SLOW)
        elif waited > self._patience():
            self._abort()

    def _patience(self) -> float:
        match self._phase:
            case Phase.IDLE:
                return self._limits.idle_seconds
            case Phase.DISCARD:
                return self._limits.discard_seconds
            case Phase.HEAD | Phase.BODY | Phase.WORK:
                return math.inf

    def drop(self, reason: Cut) -> None:
        self._connections.count(reason)
        self._abort()

    # --- the connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        super().connection_made(transport)
        self.network = network_of(self.client[0]) if self.client else ""
        if not self._connections.admit(self, self.loop.time()):
            self._abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.forget(self)
        self._enter(Phase.DISCARD)
        self.pipeline.clear()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._over:
            self._discard(len(data))
            return
        if len(data) <= SLICE:
            self._feed(data)
            return
        view = memoryview(data)
        for start in range(0, len(data), SLICE):
            if not self._feed(view[start : start + SLICE]):
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
        self._head_starts_inside = self._advanced
        if self._phase is Phase.IDLE:
            self._enter(Phase.HEAD)
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head, self._advanced = False, True
        self._raw_bytes = self._body_bytes = 0
        if self._head_is_too_large():
            raise HeadTooLarge
        if self.parser.get_http_version() not in VERSIONS:
            raise UnknownVersion
        self.app = overloaded if self._is_too_much() else self.config.loaded_app
        queued = len(self.pipeline)
        super().on_headers_complete()
        self.headers = NO_TRAILERS
        if len(self.pipeline) == queued:
            self._running = self.cycle
            self._enter(Phase.BODY)

    def on_body(self, body: bytes) -> None:
        self._advanced = True
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._advanced = True
        super().on_message_complete()
        if self._phase is Phase.BODY:
            self._enter(Phase.WORK)
        elif self._phase is Phase.DISCARD:
            self._discarded = 0
            self._enter(Phase.IDLE)

    def on_response_complete(self) -> None:
        """Called by the cycle; the timers of the original are `check`'s here."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            self._enter(Phase.IDLE)
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._running, app = self.pipeline.pop()
            self._start_asgi_task(self._running, app)
            self._enter(Phase.BODY if self._running.more_body else Phase.WORK)
        elif self.cycle.more_body:
            self._enter(Phase.DISCARD)
        else:
            self._enter(Phase.HEAD if self._in_head else Phase.IDLE)

    # --- the bounds

    def _enter(self, phase: Phase) -> None:
        self._connections.working += (phase is Phase.WORK) - (self._phase is Phase.WORK)
        self._phase = phase
        self._since = self.loop.time()

    def _feed(self, data: bytes | memoryview) -> bool:
        """Whether what follows is to be parsed too."""
        self._slice, self._advanced = len(data), False
        in_body = self._phase in {Phase.BODY, Phase.DISCARD}
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # There is no other protocol here: the request is answered as any, and what comes after it is not HTTP.
            self._end_after_answers()
            return False
        except httptools.HttpParserError as error:
            self._refuse_parsed(error.__context__)
            return False
        self._gap = 0 if self._advanced else self._gap + self._slice
        if in_body:
            self._raw_bytes += self._slice
        self._check_growth()
        return not self._over

    def _check_growth(self) -> None:
        """After each slice: what is not complete yet has a bound too."""
        most = self._limits.head_bytes
        if self._in_head and (self._gap > most or len(self.headers) > self._limits.head_lines):
            self._refuse(Cut.HEAD_TOO_LARGE, HEAD_TOO_LARGE)
        elif self._gap > most or self._raw_bytes - self._body_bytes > most + self._body_bytes:
            # Extensions of chunks, trailers, chunks of a byte each.
            self._refuse(Cut.MALFORMED, MALFORMED)
        elif self._phase is Phase.DISCARD:
            self._discard(self._slice)

    def _head_is_too_large(self) -> bool:
        if len(self.headers) > self._limits.head_lines:
            return True
        if self._gap + self._slice <= self._limits.head_bytes and not self._head_starts_inside:
            return False
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers) > self._limits.head_bytes

    def _is_too_much(self) -> bool:
        if not self._connections.busy or self.url.partition(b"?")[0] in HEALTH:
            return False
        self._connections.count(Cut.OVERLOADED)
        return True

    def _refuse_parsed(self, cause: BaseException | None) -> None:
        match cause:
            case HeadTooLarge():
                self._refuse(Cut.HEAD_TOO_LARGE, HEAD_TOO_LARGE)
            case TooManyPipelined():
                self._end_after_answers()
            case _:
                self._refuse(Cut.MALFORMED, MALFORMED)

    def _head_is_late(self) -> None:
        if self._in_head:
            self._refuse(Cut.HEAD_TOO_SLOW, HEAD_TOO_SLOW)
        else:
            # No request has begun, so there is nothing to answer.
            self.drop(Cut.HEAD_TOO_SLOW)

    def _refuse(self, reason: Cut, answer: bytes) -> None:
        """Answers, unless requests ahead of it are still to be answered: then the connection ends after those."""
        self._connections.count(reason)
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
        self._over = True
        if self.transport.is_closing():
            return
        self.transport.write(answer)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        # Closed by the client once it has read that, or by `check`: closing now could take the answer from it.
        self._enter(Phase.DISCARD)

    def _end_after_answers(self) -> None:
        self._over = True
        last = self.pipeline[0][0] if self.pipeline else self._running
        if last is not None:
            last.keep_alive = False

    def _discard(self, size: int) -> None:
        self._discarded += size
        if self._discarded > (self._limits.refused_bytes if self._over else self._limits.discard_bytes):
            self.drop(Cut.TOO_MUCH_UNREAD)

    def _has_not_read(self, now: float) -> bool:
        if self.transport.is_closing():
            self._closing_since = self._closing_since or now
        since = self._stalled_since or self._closing_since
        return since is not None and now - since > self._limits.answer_seconds

    def _abort(self) -> None:
        self._over = True
        self.transport.abort()
