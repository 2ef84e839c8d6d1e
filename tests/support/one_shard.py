"""Drives one shard: finds the requests among its effects, and answers them as the engine would."""

from collections.abc import Sequence
from typing import Any, TypeVar
from uuid import UUID

from msgspec.structs import replace

from daybook_command.shard.effects import Answer, Append, Effect, LoadSnapshot
from daybook_command.shard.events import CommandsArrived, EndsRead, LogOpened, LogRead, SnapshotLoaded
from daybook_command.shard.machine import Shard
from daybook_command.shard.records import CommandRecord, LogRecord
from daybook_command.shard.snapshot import Snapshot
from daybook_command.shard.state import ShardConfig
from daybook_contracts.log.head import NOTHING_PROJECTED, Checkpoint
from support.rows_of_orgs import loaded_org
from support.simulation import CONFIG, command_record
from support.surroundings import START_US

ANN = str(UUID(int=0xA, version=4))
ORG = str(UUID(int=0xB, version=4))
NOTHING = NOTHING_PROJECTED
Kind = TypeVar("Kind")


def sent(offset: int, kind: str, by: str | None = ANN, org_id: str = ORG, **data: Any) -> CommandRecord:
    """A command that a service sends for the user `by`. Each offset gives another command id."""
    envelope = {"id": str(UUID(int=offset + 1, version=4)), "type": kind, "org_id": org_id, "actor_user_id": by}
    return command_record(offset, {**envelope, "data": data})


def command_at(offset: int, kind: str = "RENAME_ORG") -> CommandRecord:
    """ANN's command on ORG. Each offset gives another command id and another name."""
    return sent(offset, kind, name=f"name {offset}")


def starting_shard(config: ShardConfig = CONFIG) -> Shard:
    """A shard that has not taken over its partition yet."""
    shard = Shard.of(0, config)
    shard.start()
    return shard


def take_over(
    shard: Shard, checkpoint: Checkpoint = NOTHING, records: Sequence[LogRecord] = (), start: int = 0, end: int = 0
) -> list[Effect]:
    """The shard reads its log in one slice."""
    effects = shard.handle(LogOpened(checkpoint, start, end))
    return [*effects, *shard.handle(LogRead(records, end))]


def ready_shard(config: ShardConfig = CONFIG) -> Shard:
    """A shard that has taken over an empty partition and is ready for commands."""
    shard = starting_shard(config)
    take_over(shard)
    shard.handle(EndsRead(0, {}))
    return shard


def arrive(shard: Shard, *records: CommandRecord) -> list[Effect]:
    return shard.handle(CommandsArrived(records))


def loaded_snapshot(effects: Sequence[Effect], checkpoint: Checkpoint = NOTHING, **changes: Any) -> SnapshotLoaded:
    """The answer to the `LoadSnapshot` among `effects`: the tables have no orgs, and ANN is registered."""
    load = only_effect(effects, LoadSnapshot)
    now_us = changes.pop("now_us", START_US)
    snapshot = Snapshot(
        checkpoint=checkpoint,
        database_us=START_US,
        entries={},
        orgs={need.org_id: loaded_org(None, need) for need in load.needs.orgs},
        known_users=frozenset({ANN}),
        taken_ids=frozenset(),
    )
    return SnapshotLoaded(replace(snapshot, **changes), now_us, bytes(16 * load.commands))


def decide_batch(shard: Shard, *records: CommandRecord, **changes: Any) -> Append:
    """Lets the shard decide these commands in one batch; returns its append, which is not acknowledged yet."""
    return only_effect(shard.handle(loaded_snapshot(arrive(shard, *records), **changes)), Append)


def only_effect(effects: Sequence[Effect], kind: type[Kind]) -> Kind:
    found = [effect for effect in effects if isinstance(effect, kind)]
    assert len(found) == 1, effects
    return found[0]


def refusal_codes(answer: Answer) -> list[str]:
    return [refused.reason.partition(":")[0] for refused in answer.refused]
