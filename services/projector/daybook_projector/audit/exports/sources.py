"""Opens a source of the log: takes settings, and yields the source and its cut at the checkpoints of one snapshot."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from daybook_infra.runtime.settings import Settings
from daybook_projector.audit.exports.exporting import Cut, LogSource
from daybook_projector.audit.exports.manifest import Source
from daybook_projector.audit.log.table import TableLog
from daybook_projector.audit.log.topic import open_topic
from daybook_projector.audit.verify.snapshot import AuditSnapshot, open_snapshot


@asynccontextmanager
async def open_source(settings: Settings, source: Source) -> AsyncIterator[tuple[LogSource, Cut]]:
    """Both sources have the same entries up to the cut. Raises `KafkaAway` and `DatabaseAway`."""
    async with open_snapshot(settings) as snapshot:
        cut = _cut(snapshot)
        if source == "audit_log":
            yield TableLog(snapshot.connection), cut
            return
    # The topic does not need the snapshot, which would hold back vacuum.
    async with open_topic(settings) as topic:
        yield topic, cut


def _cut(snapshot: AuditSnapshot) -> Cut:
    return {partition: checkpoint.head.position for partition, checkpoint in snapshot.checkpoints.items()}
