"""The rows of runs, dead letters, alerts and activities that were read for a batch, as children grouped by org."""

import asyncio
import time
from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from hashlib import sha256
from operator import itemgetter
from typing import Final, TypeVar

from asyncpg import Record

from daybook_command.domain.activity import Activity
from daybook_command.domain.alerts import Alert
from daybook_command.domain.children import Children
from daybook_command.domain.dead_letters import DeadLetter
from daybook_command.domain.syncs import Run
from daybook_command.postgres.child_sql import FILTERS
from daybook_contracts.json.canonical import canonical_bytes, parse_as_ecmascript
from daybook_contracts.limits import BULK_IDS

# Other tasks get a turn after this time, while activities are added. Hashing the config of one takes up to 20 ms.
SLICE_SECONDS: Final = 0.005

Pair = tuple[str, str]
"""An org's id, and the id of something that must belong to this org."""
_id_of: Final = itemgetter(1)

Child = TypeVar("Child")
ByOrg = dict[str, dict[str, Child]]
"""By org id, then by the child's id."""


@dataclass(frozen=True, slots=True)
class ChildIds:
    """Which children to read. An activity has the id of its connection."""

    runs: AbstractSet[Pair] = frozenset()
    dead_letters: AbstractSet[Pair] = frozenset()
    alerts: AbstractSet[Pair] = frozenset()
    activities: AbstractSet[Pair] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.runs or self.dead_letters or self.alerts or self.activities)

    def __or__(self, other: "ChildIds") -> "ChildIds":
        return ChildIds(
            self.runs | other.runs,
            self.dead_letters | other.dead_letters,
            self.alerts | other.alerts,
            self.activities | other.activities,
        )

    def __sub__(self, other: "ChildIds") -> "ChildIds":
        return ChildIds(
            self.runs - other.runs,
            self.dead_letters - other.dead_letters,
            self.alerts - other.alerts,
            self.activities - other.activities,
        )

    def arguments(self) -> list[list[str]]:
        """The ids, for `child_sql.child_columns`."""
        parts = self.runs, self.dead_letters, self.alerts, self.activities
        return [sorted(set(map(_id_of, pairs))) for pairs in parts]


@dataclass(slots=True)
class ChildRows:
    """`asked`: the children that were looked up. Those that do not exist have no row. `unread_matches`: by org id, how
    many dead letters its filter matches besides those that were read. `unhashed`: the rows of activities whose configs
    were too large for the statement.
    """

    asked: ChildIds = field(default_factory=ChildIds)
    runs: ByOrg[Run] = field(default_factory=dict)
    dead_letters: ByOrg[DeadLetter] = field(default_factory=dict)
    alerts: ByOrg[Alert] = field(default_factory=dict)
    activities: ByOrg[Activity] = field(default_factory=dict)
    unread_matches: dict[str, int] = field(default_factory=dict)
    unhashed: list[Record] = field(default_factory=list)

    async def add(self, asked: ChildIds, found: Record) -> None:
        """`found` has the columns of `child_sql.child_columns`, and perhaps those of `child_sql.FILTERS`. A row is left
        out if it belongs to another org.
        """
        self.asked |= asked
        _add_rows(self.runs, asked.runs, found["runs"], _run)
        _add_rows(self.dead_letters, asked.dead_letters, found["dead_letters"], _dead_letter)
        _add_rows(self.alerts, asked.alerts, found["alerts"], _alert)
        until = time.monotonic() + SLICE_SECONDS
        for row in found["activities"]:
            if (row[0], row[1]) in asked.activities:
                if row[2] is None:
                    self.unhashed.append(row)
                else:
                    self.add_activity(row, row[2])
            if time.monotonic() > until:
                await asyncio.sleep(0)
                until = time.monotonic() + SLICE_SECONDS
        for name in FILTERS:
            for row in found.get(name, ()):
                org_id, id_, *_, matching = row
                self.dead_letters.setdefault(org_id, {})[id_] = _dead_letter(row)
                self.unread_matches[org_id] = max(0, matching - BULK_IDS)

    def take_unhashed(self) -> list[Record]:
        taken, self.unhashed = self.unhashed, []
        return taken

    def add_activity(self, row: Record, config_json: str) -> None:
        org_id, id_, _, running, failures, pending = row
        config = sha256(canonical_bytes(parse_as_ecmascript(config_json))).digest()
        self.activities.setdefault(org_id, {})[id_] = Activity(config, running, failures, pending)

    def children_of(self, org_id: str) -> Children:
        return Children(
            runs=self.runs.get(org_id, {}),
            dead_letters=self.dead_letters.get(org_id, {}),
            alerts=self.alerts.get(org_id, {}),
            activities=self.activities.get(org_id, {}),
            unread_matches=self.unread_matches.get(org_id, 0),
        )


def _add_rows(
    children: ByOrg[Child], asked: AbstractSet[Pair], rows: Iterable[Record], make: Callable[[Record], Child]
) -> None:
    for row in rows:
        if (row[0], row[1]) in asked:
            children.setdefault(row[0], {})[row[1]] = make(row)


def _run(row: Record) -> Run:
    _, _, connection_id, status = row
    return Run(connection_id, status)


def _dead_letter(row: Record) -> DeadLetter:
    connection_id, pending, retry_count = row[2:5]
    return DeadLetter(connection_id, pending=pending, retry_count=retry_count)


def _alert(row: Record) -> Alert:
    _, _, project_id, severity = row
    return Alert(project_id, severity)
