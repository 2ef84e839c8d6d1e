"""Counts a connection's dead letters, and executes on them the bulk commands that bulk.py plans."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import asyncpg
import uuid_utils

from daybook_contracts.commands.faults import InvalidCommand
from daybook_contracts.commands.normalised import normalised_bytes
from daybook_contracts.commands.parse import parse_command
from daybook_contracts.results import Accepted, Rejected
from daybook_infra.operations.addressing import AddressedCommand
from daybook_infra.operations.publishing import CommandClient, Outcome, is_known
from daybook_infra.runtime.errors import DaybookError
from daybook_infra.runtime.postgres.connections import OwnConnection

# Well below the connection's statement timeout.
WAIT_SLICE_SECONDS = 5.0

CONNECTION: Final = "SELECT org_id, name FROM source_connections WHERE id = $1"
PENDING: Final = """
SELECT retry_count, count(*) FROM dlq_events
WHERE connection_id = $1 AND status = 'pending' AND ($2::bigint IS NULL OR retry_count <= $2)
GROUP BY retry_count
"""
WAIT: Final = "SELECT daybook.wait_for($1, make_interval(secs => $2), $3)"
TOUCHED: Final = """
SELECT jsonb_array_length(metadata_json->'data'->'ids'), (metadata_json->'data'->>'remaining')::integer
FROM daybook.outcome($1, $2) LIMIT 1
"""


class OutcomeUnknown(DaybookError):
    """The command may have been executed, or may still be."""


@dataclass(frozen=True, slots=True)
class ConnectionRef:
    """A connection with its org and name."""

    connection_id: UUID
    org_id: UUID
    name: str


@dataclass(frozen=True, slots=True)
class BulkResult:
    """How many dead letters one bulk command touched, and how many still match; 10001 means more than 10000."""

    ids: int
    remaining: int


async def find_connection(database: OwnConnection, connection_id: UUID) -> ConnectionRef:
    """Raises `DaybookError` if there is no such connection."""
    row = await database.fetchrow(CONNECTION, connection_id)
    if row is None:
        raise DaybookError(f"there is no connection {connection_id}: `daybook connections --all` lists the connections")
    return ConnectionRef(connection_id, UUID(str(row["org_id"])), row["name"])


async def pending_by_retries(database: OwnConnection, ref: ConnectionRef, most: int | None) -> dict[int, int]:
    """The exact number of pending dead letters by retry count, up to a retry count of `most`."""
    rows = await database.fetch(PENDING, ref.connection_id, most)
    return {row["retry_count"]: row["count"] for row in rows}


def build_command(ref: ConnectionRef, type_: str, data: dict[str, Any]) -> AddressedCommand:
    """A command without an actor. Raises `DaybookError` if it would be malformed."""
    command_id, org_id = str(uuid_utils.uuid7()), str(ref.org_id)
    raw = json.dumps({"id": command_id, "type": type_, "org_id": org_id, "data": data}).encode()
    try:
        command = parse_command(raw)
    except InvalidCommand as error:
        raise DaybookError(f"not a valid command: {error.detail}") from error
    return AddressedCommand(normalised_bytes(command), command_id, org_id)


async def execute(
    client: CommandClient, database: OwnConnection, ref: ConnectionRef, command: AddressedCommand
) -> BulkResult:
    """Returns when the tables show the effect. Raises `OutcomeUnknown`, and `DaybookError` for a rejection."""
    outcome = await (await client.publish(command))
    accepted = _require_accepted(outcome)
    await _wait_until_projected(database, ref, accepted.position, client.seconds)
    ids, remaining = await database.fetchrow(TOUCHED, ref.org_id, UUID(command.command_id)) or (0, 0)
    return BulkResult(ids, remaining)


def _require_accepted(outcome: Outcome) -> Accepted:
    if isinstance(outcome, Accepted):
        return outcome
    if isinstance(outcome, Rejected) and is_known(outcome):
        raise DaybookError(f"rejected with {outcome.code}: {outcome.detail}")
    raise OutcomeUnknown("a command was not answered in time, so its outcome is unknown")


async def _wait_until_projected(database: OwnConnection, ref: ConnectionRef, position: str, seconds: float) -> None:
    """Each wait is a statement of its own, so that the next statement sees the projected rows."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    try:
        while not await database.fetchval(WAIT, position, min(WAIT_SLICE_SECONDS, seconds), ref.org_id):
            if loop.time() >= deadline:
                raise OutcomeUnknown(f"position {position} is decided, but not in the tables after {seconds:g} s")
    except asyncpg.ObjectNotInPrerequisiteStateError as error:
        raise DaybookError(f"{error}") from error
