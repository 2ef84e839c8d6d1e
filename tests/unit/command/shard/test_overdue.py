"""A shard fails overdue runs with its own commands, whose ids no client can use up, and ignores unknown runs."""

from uuid import UUID

from daybook_command.shard.effects import Append, Report
from daybook_command.shard.events import Acknowledged, OverdueRun, RunsOverdue
from daybook_contracts.entries.entry import decode_entry
from daybook_contracts.entries.identity import thing_id, timeout_command_id
from support.one_shard import ANN, ORG, command_at, decide_batch, loaded_snapshot, only_effect, ready_shard
from support.simulation import command_record

RUN = OverdueRun(ORG, str(UUID(int=0xC, version=4)))


def test_an_unknown_overdue_run_leaves_no_entry() -> None:
    shard = ready_shard()
    decide_batch(shard, command_at(0, "CREATE_ORG"))
    shard.handle(Acknowledged(0))
    effects = shard.handle(loaded_snapshot(shard.handle(RunsOverdue([RUN]))))
    assert not [effect for effect in effects if isinstance(effect, Append | Report)]
    assert shard.idle


def test_no_client_can_use_up_the_id_of_a_timeout() -> None:
    shard = ready_shard()
    connection_id, started = thing_id(ORG, str(UUID(int=2, version=4))), str(UUID(int=3, version=4))
    id_thief = {"id": timeout_command_id(thing_id(ORG, started)), "type": "RENAME_ORG", "data": {"name": "x"}}
    config = {"type": "sheets", "name": "S", "config": {}, "project_id": thing_id(ORG, str(UUID(int=1, version=4)))}
    sent = [
        {"type": "CREATE_ORG", "data": {"name": "Acme"}},
        {"id": str(UUID(int=1, version=4)), "type": "CREATE_PROJECT", "data": {"name": "Web"}},
        {"id": str(UUID(int=2, version=4)), "type": "CREATE_CONNECTION", "data": config},
        {"id": started, "type": "START_SYNC", "data": {"connection_id": connection_id}},
        id_thief,
    ]
    common = {"id": str(UUID(int=9, version=4)), "org_id": ORG, "actor_user_id": ANN}
    records = [command_record(offset, {**common, **envelope}) for offset, envelope in enumerate(sent)]
    assert len(decide_batch(shard, *records).records) == len(sent)
    shard.handle(Acknowledged(0))
    effects = shard.handle(loaded_snapshot(shard.handle(RunsOverdue([OverdueRun(ORG, thing_id(ORG, started))]))))
    actions = [decode_entry(record.value).action for record in only_effect(effects, Append).records]
    assert actions == ["FAIL_SYNC", "RAISE_ALERT", "RAISE_ALERT"]
