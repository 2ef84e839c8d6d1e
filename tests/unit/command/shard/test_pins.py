"""Users of an identity provider are pinned against deletion before an entry that names them is appended."""

from uuid import UUID

from msgspec.structs import replace

from daybook_command.shard.effects import Append, Effect, Pin, Report, TakeOver
from daybook_command.shard.events import Acknowledged, Pinned
from daybook_command.shard.machine import Shard
from daybook_command.shard.records import CommandRecord
from daybook_command.shard.state import ShardPhase
from support.one_shard import ANN, arrive, command_at, decide_batch, loaded_snapshot, only_effect, ready_shard, sent
from support.simulation import CONFIG

EVE = str(UUID(int=0xE, version=4))
EXTERNAL = replace(CONFIG, managed_users=False)
CREATE = command_at(0, "CREATE_ORG")
ADD_EVE = sent(1, "ADD_MEMBER", user_id=EVE, role="viewer")


def decide(shard: Shard, *records: CommandRecord, pinned: frozenset[str] = frozenset()) -> list[Effect]:
    loaded = loaded_snapshot(arrive(shard, *records), known_users=frozenset({ANN, EVE}), pinned_users=pinned)
    return shard.handle(loaded)


def test_users_named_by_an_entry_are_pinned_before_it_is_appended() -> None:
    shard = ready_shard(EXTERNAL)
    effects = decide(shard, CREATE, ADD_EVE)
    assert only_effect(effects, Pin).user_ids == {ANN, EVE}
    assert shard.phase is ShardPhase.PINNING
    assert len(only_effect(shard.handle(Pinned(frozenset())), Append).records) == 2


def test_a_refused_command_pins_only_its_actor() -> None:
    shard = ready_shard(EXTERNAL)
    assert only_effect(decide(shard, ADD_EVE), Pin).user_ids == {ANN}


def test_users_already_pinned_are_not_pinned_again() -> None:
    shard = ready_shard(EXTERNAL)
    assert len(only_effect(decide(shard, CREATE, pinned=frozenset({ANN})), Append).records) == 1


def test_managed_users_need_no_pins() -> None:
    assert len(decide_batch(ready_shard(), CREATE).records) == 1


def test_a_batch_that_names_a_deleted_user_is_decided_again() -> None:
    shard = ready_shard(EXTERNAL)
    decide(shard, CREATE, ADD_EVE)
    effects = shard.handle(Pinned(frozenset({EVE})))
    assert only_effect(effects, Report).kind == "user_gone"
    assert TakeOver() in effects
    assert [record.offset for record in shard.inbox.queue] == [0, 1]


def test_an_acknowledgement_during_pinning_is_ignored() -> None:
    shard = ready_shard(EXTERNAL)
    decide(shard, CREATE)
    assert shard.handle(Acknowledged(0)) == []
