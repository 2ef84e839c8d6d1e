"""Which log is read, and how a process opens it: settings and a snapshot in, the entries of a partition out."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Final, Literal

from daybook_infra.runtime.settings import Settings
from daybook_projector.audit.log.entries import Pages, org_entries, table_entries, topic_entries
from daybook_projector.audit.log.table import TableLog
from daybook_projector.audit.log.topic import open_topic
from daybook_projector.audit.verify.snapshot import join_snapshot

LogName = Literal["topic", "audit_log"]
LOGS: Final[tuple[LogName, ...]] = ("topic", "audit_log")


@dataclass(frozen=True, slots=True)
class ReadSource:
    """The topic, or `audit_log` as the snapshot has it. Can be sent to another process."""

    settings: Settings
    log: LogName
    snapshot_id: str

    @property
    def managed_users(self) -> bool:
        return self.settings.users == "managed"

    @asynccontextmanager
    async def entries(self, partition: int, until: int, org_id: str | None = None) -> AsyncIterator[Pages]:
        """The entries up to the position `until`; with `org_id`, at least those of this org. Reading raises
        `KafkaAway`, `DatabaseAway` and `LogBroken`.
        """
        partitions = self.settings.partitions
        async with AsyncExitStack() as stack:
            if self.log == "topic":
                topic = await stack.enter_async_context(open_topic(self.settings))
                pages = topic_entries(topic, partition, partitions, until)
            else:
                connection = await stack.enter_async_context(join_snapshot(self.settings, self.snapshot_id))
                table = TableLog(connection)
                pages = (
                    table_entries(table, partition, partitions, until)
                    if org_id is None
                    else org_entries(table, org_id, partition, partitions, until)
                )
            yield await stack.enter_async_context(aclosing(pages))
