"""The yardstick of mixed commands: the same orgs as aggregates of the library `eventsourcing`, on PostgreSQL, in a
process of its own. It takes batches of commands, and returns how many seconds they took.

Everything is in the library's favour. Commands are parsed and decided by Daybook's own rules, so both sides make the
same checks. All aggregates stay in the library's cache, which neither copies them nor asks the database for newer
events, as the library recommends for a single process. Rejected commands are not stored, commands have no ids to
remember, and nothing is projected.
"""

import asyncio
import json
import pickle
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

from eventsourcing.application import AggregateNotFoundError, Application
from eventsourcing.domain import Aggregate

from bench.measuring.comparison import Done
from daybook_command.domain.decide import decide
from daybook_command.domain.decision import DecisionContext, NewEntry, Rejection
from daybook_command.domain.evolve import evolve
from daybook_command.domain.state import Org
from daybook_contracts.commands.parse import parse_command
from daybook_contracts.commands.registry import Command
from daybook_contracts.entries.facts import decode_fact
from daybook_contracts.entries.identity import thing_id
from daybook_contracts.senders.principals import parse_principal

Sent = tuple[str, bytes]
"""A principal and a command as JSON."""
THREADS: Final = 8


class Tenant(Aggregate):
    """An org as an aggregate. Its events carry the same facts as Daybook's entries."""

    org: Org | None

    class Created(Aggregate.Created):
        """Before the org's first fact."""

    class Recorded(Aggregate.Event):
        action: str
        actor: str | None
        data: str

        def apply(self, aggregate: "Tenant") -> None:
            aggregate.org = evolve(aggregate.org, self.actor, decode_fact(self.action, self.data.encode()))

    def __init__(self) -> None:
        self.org = None

    def record(self, entry: NewEntry) -> None:
        self.trigger_event(self.Recorded, action=entry.action, actor=entry.actor_user_id, data=entry.data.decode())


class Tenancy(Application):
    """`users`: the registered users."""

    def __init__(self, env: Mapping[str, str], users: frozenset[str]) -> None:
        super().__init__(env=dict(env))
        self.users = users

    def found(self, sends: Sequence[Sent]) -> int:
        """Founds an org with one transaction for all its commands."""
        commands = [(principal, parse_command(body)) for principal, body in sends]
        tenant = Tenant._create(Tenant.Created, id=UUID(commands[0][1].key))
        for principal, command in commands:
            assert self._decide(tenant, principal, command), command
        self.save(tenant)
        return len(commands)

    def handle_all(self, sends: Sequence[Sent]) -> int:
        """Returns how many commands were accepted."""
        return sum(map(self.handle, sends))

    def handle(self, sent: Sent) -> bool:
        principal, body = sent
        command = parse_command(body)
        try:
            tenant: Tenant = self.repository.get(UUID(command.key))
        except AggregateNotFoundError:
            return False  # no such org, as all orgs are founded; Daybook rejects the command too
        accepted = self._decide(tenant, principal, command)
        if accepted:
            self.save(tenant)
        return accepted

    def _decide(self, tenant: Tenant, principal: str, command: Command) -> bool:
        new_id = thing_id(command.key, command.id)
        context = DecisionContext(parse_principal(principal), new_id, self.users, frozenset(), managed_users=True)
        decision = decide(command, tenant.org, context)
        if isinstance(decision, Rejection):
            return False
        for entry in decision.entries:
            tenant.record(entry)
        return True


@dataclass(frozen=True, slots=True)
class RunningTenancy:
    process: asyncio.subprocess.Process
    folder: Path

    async def found(self, orgs: Sequence[Sequence[Sent]]) -> None:
        await self._round("found", orgs)

    async def handle(self, sends: Sequence[Sent], keys: Sequence[str]) -> Done:
        """Handles the commands on several threads. Those of one org stay in order on one thread. `keys`: their orgs."""
        groups: list[list[Sent]] = [[] for _ in range(THREADS)]
        for sent, key in zip(sends, keys, strict=True):
            groups[hash(key) % THREADS].append(sent)
        found = await self._round("handle", groups)
        return Done(len(sends), found["seconds"], found)

    async def _round(self, kind: str, groups: Sequence[Sequence[Sent]]) -> dict[str, float]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        path = self.folder / "round"
        path.write_bytes(pickle.dumps((kind, groups)))
        self.process.stdin.write(f"{path}\n".encode())
        answer: dict[str, float] = json.loads(await self.process.stdout.readline())
        return answer


@asynccontextmanager
async def running_tenancy(database_url: str, users: Sequence[str], folder: Path) -> AsyncIterator[RunningTenancy]:
    """`database_url`: an empty database, on the same server as Daybook's."""
    (folder / "users").write_text(json.dumps(list(users)), encoding="utf-8")
    url = urlsplit(database_url)
    settings = {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": url.path.removeprefix("/"),
        "POSTGRES_HOST": url.hostname,
        "POSTGRES_PORT": str(url.port),
        "POSTGRES_USER": url.username,
        "POSTGRES_PASSWORD": url.password,
        "POSTGRES_POOL_SIZE": str(THREADS),
        "AGGREGATE_CACHE_MAXSIZE": "0",
        "AGGREGATE_CACHE_FASTFORWARD": "n",
        "DEEPCOPY_FROM_AGGREGATE_CACHE": "n",
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.measuring.org_aggregates", str(folder / "users"), json.dumps(settings)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    try:
        yield RunningTenancy(process, folder)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()


def main() -> None:
    """Reads a line with a file's name for each round, and prints a line with the result."""
    users, settings = frozenset(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))), json.loads(sys.argv[2])
    with Tenancy(settings, users) as tenancy, ThreadPoolExecutor(THREADS) as pool:
        for line in sys.stdin:
            kind, groups = pickle.loads(Path(line.strip()).read_bytes())  # noqa: S301 - written by RunningTenancy
            began = time.perf_counter()
            accepted = sum(pool.map(tenancy.found if kind == "found" else tenancy.handle_all, groups))
            sys.stdout.write(json.dumps({"seconds": time.perf_counter() - began, "accepted": accepted}) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
