"""Feeds all open streams of an instance.

On each tick, the hub finds the partitions with new projected entries. It reads the new entries of the followed orgs in
these partitions, and asks the database which readers of these orgs may still read their logs. Once a second, it asks
this about the readers of all streams.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from daybook_infra.runtime.errors import DatabaseAway
from daybook_infra.runtime.logs import get_logger
from daybook_projector.metrics import ReadMetrics
from daybook_projector.read_api.stream.events import entry_event
from daybook_projector.read_api.stream.log_reads import News, Pair, TickReads
from daybook_projector.read_api.stream.open_stream import End, OpenStream

TICK_SECONDS: Final = 0.05
RIGHTS_SECONDS: Final = 1.0
# How often a stream without new entries gets a comment.
BEAT_SECONDS: Final = 1.0
# All streams end this long after a tick began if neither that tick nor a later one has succeeded.
UNCERTAIN_SECONDS: Final = 3.0
MAX_STREAMS: Final = 1_000
MAX_STREAMS_OF_ONE: Final = 20

log = get_logger(__name__)


class TooManyStreams(Exception):
    """`of_one`: the principal has too many streams; otherwise the instance has, or it is stopping."""

    def __init__(self, *, of_one: bool) -> None:
        super().__init__()
        self.of_one = of_one


@dataclass(slots=True)
class _Channel:
    """The streams of one org. `since`: the next read takes the entries after this time. Each stream has been offered
    the entries up to this time, or had them when it joined. `behind`: later entries may exist.
    """

    partition: int
    since: datetime
    behind: bool = True
    streams: set[OpenStream] = field(default_factory=set)


class Hub:
    def __init__(self, reads: TickReads, metrics: ReadMetrics) -> None:
        self._reads = reads
        self._metrics = metrics
        self._places: Counter[str] = Counter()
        self._channels: dict[str, _Channel] = {}
        self._seen: dict[int, int] = {}
        self._asked_at = time.monotonic()
        # When the first tick since the last success began. None if the last tick succeeded.
        self._unanswered_since: float | None = None
        self._followed = asyncio.Event()
        self._stopping = False

    def reserve(self, principal: str, *, is_user: bool) -> None:
        """Reserves a place for one stream, until `release`. Raises TooManyStreams."""
        if self._places.total() >= MAX_STREAMS or self._stopping:
            raise TooManyStreams(of_one=False)
        if is_user and self._places[principal] >= MAX_STREAMS_OF_ONE:
            raise TooManyStreams(of_one=True)
        self._places[principal] += 1
        self._metrics.streams.set(self._places.total())

    def release(self, principal: str) -> None:
        self._places[principal] -= 1
        if not self._places[principal]:
            del self._places[principal]
        self._metrics.streams.set(self._places.total())

    def join(self, stream: OpenStream, since: datetime) -> None:
        """From now on, the stream gets every entry of its org after `since`, the time of the last entry that it knows.
        This time should be recent: the hub reads later entries again, even if it has already read them for other
        streams. Those streams drop them.
        """
        if self._stopping:
            stream.end(End.STOPPING)
            return
        channel = self._channels.setdefault(stream.org_id, _Channel(stream.partition, since))
        if since < channel.since:
            channel.since, channel.behind = since, True
        channel.streams.add(stream)
        if len(self._channels) == 1 and len(channel.streams) == 1:
            self._asked_at = time.monotonic()
            if self._unanswered_since is not None:
                self._unanswered_since = self._asked_at
        self._followed.set()

    def leave(self, stream: OpenStream) -> None:
        channel = self._channels.get(stream.org_id)
        if channel is not None:
            channel.streams.discard(stream)
            if not channel.streams:
                del self._channels[stream.org_id]
        if not self._channels:
            self._followed.clear()

    async def run(self, stop: asyncio.Event) -> None:
        """Runs until `stop` is set, then ends all streams."""
        stopping = asyncio.create_task(stop.wait())
        beating = asyncio.create_task(self._beat())
        try:
            while not stop.is_set():
                followed = asyncio.create_task(self._followed.wait())
                await asyncio.wait({followed, stopping}, return_when=asyncio.FIRST_COMPLETED)
                followed.cancel()
                started = time.monotonic()
                await self._tick_or_note()
                # The pause is at least as long as the tick, so ticks take at most half of the time. After a tick that
                # failed, the pause is at most RIGHTS_SECONDS.
                spent = time.monotonic() - started
                self._metrics.tick_seconds.observe(spent)
                rest = spent if self._unanswered_since is None else min(spent, RIGHTS_SECONDS)
                await asyncio.wait({stopping}, timeout=max(TICK_SECONDS - spent, rest))
        finally:
            stopping.cancel()
            beating.cancel()
            self._stopping = True
            self._end(self._streams(), End.STOPPING)

    async def _beat(self) -> None:
        """Does not wait for the tick, which may wait long for an answer of the database."""
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            since = self._unanswered_since
            if since is not None and time.monotonic() - since > UNCERTAIN_SECONDS:
                self._end(self._streams(), End.NO_DATABASE)
            for stream in self._streams():
                stream.beat()

    async def _tick_or_note(self) -> None:
        if self._unanswered_since is None:
            self._unanswered_since = time.monotonic()
        try:
            await self._tick()
        except DatabaseAway as away:
            log.warning("streams_without_database", reason=str(away))
        else:
            self._unanswered_since = None

    async def _tick(self) -> None:
        positions = await self._reads.positions({channel.partition for channel in self._channels.values()})
        moved = {each for each, position in positions.items() if self._seen.get(each) != position}
        since = {
            org_id: channel.since
            for org_id, channel in self._channels.items()
            if channel.behind or channel.partition in moved
        }
        now = time.monotonic()
        all_due = now - self._asked_at >= RIGHTS_SECONDS
        asked = list(self._streams()) if all_due else [s for org_id in since for s in self._channels[org_id].streams]
        if not since and not asked:
            return
        news = await self._reads.news(since, {pair for stream in asked if (pair := _pair(stream)) is not None})
        self._seen.update(positions)
        self._end([s for s in asked if (pair := _pair(s)) is not None and pair not in news.allowed], End.RIGHT_GONE)
        if all_due:
            self._asked_at = now
        self._deliver(news, since, set(asked))

    def _deliver(self, news: News, read: Iterable[str], asked: set[OpenStream]) -> None:
        for org_id in read:
            channel = self._channels.get(org_id)
            if channel is None:
                continue
            # The rights of streams that joined during this tick are not known yet. So the next tick reads these entries
            # again for these streams.
            asked_all = channel.streams <= asked
            channel.behind = news.cut or not asked_all
            for row in news.entries.get(org_id, ()):
                if asked_all:
                    channel.since = row["created_at"]
                event = entry_event(channel.partition, row)
                self._metrics.stream_entries.inc()
                for stream in channel.streams & asked:
                    stream.offer(row["position"], event)

    def _streams(self) -> list[OpenStream]:
        return [stream for channel in self._channels.values() for stream in channel.streams]

    def _end(self, streams: Iterable[OpenStream], reason: End) -> None:
        for stream in list(streams):
            stream.end(reason)


def _pair(stream: OpenStream) -> Pair | None:
    return None if stream.user_id is None else (stream.user_id, stream.org_id)
