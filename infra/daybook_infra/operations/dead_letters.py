"""A connection's dead letters, looked up and worked on: a connection's id and bulk commands in, counts out.
In which order the commands come is not decided here.
"""

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
from daybook_infra.operations.addressing import Addressed
from daybook_infra.operations.publishing import Outcome, Publisher, is_known
from daybook_infra.runtime.errors import DaybookError
from daybook_infra.runtime.postgres.connections import OwnConnection

# Well below the connection's limit for a statement.
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
    """The command may or may not have been carried out, or may yet be."""


@dataclass(frozen=True, slots=True)
class Place:
    """A connection and its org."""

    connection_id: UUID
    org_id: UUID
    name: str


@dataclass(frozen=True, slots=True)
class Touched:
    """What one bulk command did; `remaining` counts up to 10001."""

    ids: int
    remaining: int


async def find(database: OwnConnection, connection_id: UUID) -> Place:
    """Raises `DaybookError` where the tables have no such connection."""
    row = await database.fetchrow(CONNECTION, connection_id)
    if row is None:
        raise DaybookError(f"there is no connection {connection_id}: `daybook connections --all` lists them")
    return Place(connection_id, UUID(str(row["org_id"])), row["name"])


async def pending_by_retries(database: OwnConnection, place: Place, most: int | None) -> dict[int, int]:
    """How many are pending by retry count, up to a count of `most`. Exact."""
    rows = await database.fetch(PENDING, place.connection_id, most)
    return {row["retry_count"]: row["count"] for row in rows}


def envelope(place: Place, type_: str, data: dict[str, Any]) -> Addressed:
    """With an id of its own, no actor. Raises `DaybookError` where a service would find it malformed."""
    command_id, org_id = str(uuid_utils.uuid7()), str(place.org_id)
    raw = json.dumps({"id": command_id, "type": type_, "org_id": org_id, "data": data}).encode()
    try:
        command = parse_command(raw)
    except InvalidCommand as error:
        raise DaybookError(f"not a command that could be carried out: {error.detail}") from error
    return Addressed(normalised_bytes(command), command_id, org_id)


async def carry_out(publisher: Publisher, database: OwnConnection, place: Place, command: Addressed) -> Touched:
    """Ends when the tables have what it did. Raises `OutcomeUnknown`, and `DaybookError` for a rejection."""
    outcome = await (await publisher.publish(command))
    accepted = _accepted(outcome)
    await _until_projected(database, place, accepted.position, publisher.seconds)
    ids, remaining = await database.fetchrow(TOUCHED, place.org_id, UUID(command.command_id)) or (0, 0)
    return Touched(ids, remaining)


def _accepted(outcome: Outcome) -> Accepted:
    if isinstance(outcome, Accepted):
        return outcome
    if isinstance(outcome, Rejected) and is_known(outcome):
        raise DaybookError(f"rejected with {outcome.code}: {outcome.detail}")
    raise OutcomeUnknown("a command was not answered in time, so it may or may not be carried out")


async def _until_projected(database: OwnConnection, place: Place, position: str, seconds: float) -> None:
    """Each look is a statement of its own, so that the next one sees what it waited for."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    try:
        while not await database.fetchval(WAIT, position, min(WAIT_SLICE_SECONDS, seconds), place.org_id):
            if loop.time() >= deadline:
                raise OutcomeUnknown(f"position {position} is decided, but not in the tables after {seconds:g} s")
    except asyncpg.ObjectNotInPrerequisiteStateError as error:
        raise DaybookError(f"{error}") from error
