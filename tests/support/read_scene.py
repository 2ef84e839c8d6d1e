"""Two orgs with rows in all tables, for tests of reading: planted rows, as a projector would have written them."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from daybook_contracts.routing import partition_of
from daybook_infra.runtime.postgres.connections import Connection, Pool
from support.driving import fresh_id
from support.planted_rows import plant

TIME = "2026-11-22T15:10:{:02d}.{:06d}Z"


@dataclass(frozen=True, slots=True)
class ReadOrg:
    """`editor` and `watcher` are members of the org. In its first project, they have the roles editor and viewer; they
    are in no other project. `member` is in no project.
    """

    org_id: str = field(default_factory=fresh_id)
    projects: tuple[str, str] = field(default_factory=lambda: (fresh_id(), fresh_id()))
    connections: tuple[str, str] = field(default_factory=lambda: (fresh_id(), fresh_id()))
    runs: tuple[str, ...] = field(default_factory=lambda: tuple(fresh_id() for _ in range(8)))
    letters: tuple[str, ...] = field(default_factory=lambda: tuple(fresh_id() for _ in range(8)))
    alerts: tuple[str, ...] = field(default_factory=lambda: tuple(fresh_id() for _ in range(6)))
    refs: tuple[str, ...] = field(default_factory=lambda: tuple(fresh_id() for _ in range(3)))
    entries: tuple[str, ...] = field(default_factory=lambda: tuple(fresh_id() for _ in range(12)))
    owner: str = field(default_factory=fresh_id)
    admin: str = field(default_factory=fresh_id)
    member: str = field(default_factory=fresh_id)
    editor: str = field(default_factory=fresh_id)
    watcher: str = field(default_factory=fresh_id)

    @property
    def people(self) -> tuple[str, ...]:
        return self.owner, self.admin, self.member, self.editor, self.watcher

    @property
    def path(self) -> str:
        return f"/v1/orgs/{self.org_id}"

    def rows(self, partitions: int, first_position: int = 0) -> dict[str, list[tuple[Any, ...]]]:
        roles = zip(self.people, ("owner", "admin", "member", "member", "viewer"), strict=True)
        first, second = self.projects
        partition = partition_of(self.org_id, partitions)
        return {
            "auth.users": [(user, "now") for user in self.people],
            "orgs": [(self.org_id, "Harbour Books", TIME.format(0, 0))],
            "org_members": [(self.org_id, user, role, TIME.format(1, 0)) for user, role in roles],
            "projects": [(id_, self.org_id, "Storefront", TIME.format(2, 0)) for id_ in self.projects],
            "project_members": [
                (first, self.editor, "editor", TIME.format(3, 0)),
                (first, self.watcher, "viewer", TIME.format(3, 1)),
            ],
            "source_connections": [
                (id_, self.org_id, project, type_, "Shop", {"a": [1.50, None]}, is_active)
                for id_, project, type_, is_active in zip(
                    self.connections, self.projects, ("hotmart", "crm"), (True, False), strict=True
                )
            ],
            "sync_runs": [
                (
                    id_,
                    self.connections[at % 2],
                    *_run_columns(("running", "success", "failed", "cancelled")[at // 2], at),
                )
                for at, id_ in enumerate(self.runs)
            ],
            "dlq_events": [
                (id_, self.connections[at % 2], {"at": at}, ("pending", "resolved")[at // 4], at)
                for at, id_ in enumerate(self.letters)
            ],
            "integration_alerts": [
                (id_, (first, second)[at % 2], ("critical", "warning", "info")[at // 2], f"alert {at}")
                for at, id_ in enumerate(self.alerts)
            ],
            "secret_refs": [(id_, self.org_id, f"key {at}", "vault:kv/x#y") for at, id_ in enumerate(self.refs)],
            "audit_log": [self.entry(id_, at, partition, first_position) for at, id_ in enumerate(self.entries)],
        }

    def entry(self, id_: str, at: int, partition: int, first_position: int = 0) -> tuple[Any, ...]:
        """The org's entry number `at`, counted from 0."""
        actor = self.owner if at % 2 else self.admin
        data = {"partition": partition, "position": first_position + at, "data": {"at": at}}
        result = "failure" if at % 3 == 2 else "success"
        action = "RENAME_ORG" if at % 4 else "ADD_MEMBER"
        created_at = TIME.format(10 + at // 10, at)
        return (id_, self.org_id, None, actor, action, "org", self.org_id, result, data, created_at)


@dataclass(frozen=True, slots=True)
class ReadScene:
    own: ReadOrg = field(default_factory=ReadOrg)
    other: ReadOrg = field(default_factory=ReadOrg)
    stranger: str = field(default_factory=fresh_id)

    async def plant(self, database: Connection | Pool, partitions: int) -> None:
        await plant(database, {"auth.users": [(self.stranger, "now")]})
        await plant(database, self.own.rows(partitions))
        await plant(database, self.other.rows(partitions, first_position=len(self.own.entries)))
        for partition in range(partitions):
            await set_checkpoint(database, partition, len(self.own.entries) + len(self.other.entries) - 1)


async def append(pool: Pool, org: ReadOrg, positions: Iterable[int], *also: str) -> None:
    """Adds entries to the org's log and moves the checkpoint, in one transaction, as the projector does. `also`:
    more statements for the same transaction, with the org's id as `$1`.
    """
    async with pool.acquire() as connection, connection.transaction():
        last = 0
        for last in positions:
            row = (*org.entry(fresh_id(), last, 0)[:-1], f"2026-11-22T16:{last // 60:02d}:{last % 60:02d}Z")
            await plant(connection, {"audit_log": [row]})
        for statement in also:
            await connection.execute(statement, org.org_id)
        await set_checkpoint(connection, 0, last)


async def set_checkpoint(database: Connection | Pool, partition: int, position: int) -> None:
    await database.execute(
        """INSERT INTO daybook.checkpoints VALUES ($1, $2 + 1, $2, repeat('0', 64), $2)
           ON CONFLICT (partition) DO UPDATE SET position = $2, next_offset = $2 + 1""",
        partition,
        position,
    )


def _run_columns(status: str, at: int) -> tuple[str, str, str | None, str | None]:
    finished = None if status == "running" else TIME.format(30, at)
    return status, TIME.format(20, at), finished, "the shop is closed" if status == "failed" else None
