"""A shard is told of overdue runs: the command of its own that fails them, and what keeps it from that."""

from uuid import UUID

from daybook_command.shard.messages import Acknowledged, Append, OverdueRun, Report, RunsOverdue
from daybook_contracts.ids import timeout_command_id
from support.one_shard import ANN, ORG, answer_of, command_at, decided, fresh
from support.simulation import command_record

RUN = OverdueRun(ORG, str(UUID(int=0xC, version=4)))


def test_a_run_that_is_not_there_leaves_no_entry() -> None:
    shard = fresh()
    decided(shard, command_at(0, "CREATE_ORG"))
    shard.handle(Acknowledged(0))
    effects = shard.handle(answer_of(shard.handle(RunsOverdue([RUN]))))
    assert not [effect for effect in effects if isinstance(effect, Append | Report)]
    assert shard.idle


def test_a_command_that_used_the_id_of_a_timeout_is_reported() -> None:
    shard = fresh()
    usurping = command_record(
        1,
        {
            "id": timeout_command_id(RUN.sync_run_id),
            "type": "RENAME_ORG",
            "org_id": ORG,
            "actor_user_id": ANN,
            "data": {"name": "x"},
        },
    )
    decided(shard, command_at(0, "CREATE_ORG"), usurping)
    shard.handle(Acknowledged(0))
    effects = shard.handle(answer_of(shard.handle(RunsOverdue([RUN]))))
    assert [effect.kind for effect in effects if isinstance(effect, Report)] == ["usurped"]
    assert not [effect for effect in effects if isinstance(effect, Append)]
