"""PostgreSQL refuses a shard's look-ups because of their size: the shard asks for less, and refuses a
command whose look-up is refused even alone.
"""

from uuid import UUID

from daybook_command.shard.effects import Answer, Append, Hold, LoadSnapshot, Report
from daybook_command.shard.events import LookUpRefused, OverdueRun, RunsOverdue, Tick
from support.one_shard import ORG, arrive, command_at, loaded_snapshot, only_effect, ready_shard, refusal_codes

CREATE = command_at(0, "CREATE_ORG")
TOO_LARGE = LookUpRefused("too large")


def test_a_command_whose_look_up_is_refused_even_alone_is_refused_and_the_shard_goes_on() -> None:
    shard = ready_shard()
    assert only_effect(arrive(shard, CREATE, command_at(1)), LoadSnapshot).commands == 2
    effects = shard.handle(TOO_LARGE)
    assert only_effect(effects, Report).kind == "look_up_refused"
    assert only_effect(effects, LoadSnapshot).commands == 1
    effects = shard.handle(TOO_LARGE)
    assert shard.inbox.doomed == {0}
    load = only_effect(effects, LoadSnapshot)
    assert (load.needs.orgs, load.needs.users, len(load.needs.identities)) == ((), (), 2)
    effects = shard.handle(loaded_snapshot(effects))
    assert refusal_codes(only_effect(effects, Answer)) == ["INTERNAL"]
    append = only_effect(shard.handle(loaded_snapshot(effects)), Append)
    assert b"ORG_NOT_FOUND" in append.records[0].value
    assert shard.inbox.doomed == set()


def test_a_shard_whose_smallest_look_up_is_refused_waits() -> None:
    shard = ready_shard()
    arrive(shard, CREATE)
    assert only_effect(shard.handle(TOO_LARGE), LoadSnapshot).commands == 1
    assert shard.handle(TOO_LARGE) == [Hold("too large")]
    assert only_effect(shard.handle(Tick()), LoadSnapshot).commands == 0
    assert shard.handle(TOO_LARGE) == []
    effects = shard.handle(loaded_snapshot(shard.handle(Tick())))
    assert only_effect(effects, Hold).reason is None
    effects = shard.handle(loaded_snapshot(effects))
    assert refusal_codes(only_effect(effects, Answer)) == ["INTERNAL"]


def test_overdue_runs_are_looked_up_in_smaller_batches() -> None:
    shard = ready_shard()
    runs = [OverdueRun(ORG, str(UUID(int=at, version=4))) for at in range(1, 5)]
    assert only_effect(shard.handle(RunsOverdue(runs)), LoadSnapshot).commands == 4
    assert only_effect(shard.handle(TOO_LARGE), Report).kind == "look_up_refused"
    effects = shard.handle(RunsOverdue(runs))  # the next look-up for overdue runs finds them again
    for expected in (2, 1, 1):
        assert only_effect(effects, LoadSnapshot).commands == expected
        effects = shard.handle(TOO_LARGE)
    assert only_effect(effects, Report).kind == "look_up_refused"
    assert shard.idle


def test_batches_of_overdue_runs_grow_again_after_one_that_was_looked_up() -> None:
    shard = ready_shard()
    runs = [OverdueRun(ORG, str(UUID(int=at, version=4))) for at in range(1, 9)]
    shard.handle(RunsOverdue(runs))
    shard.handle(TOO_LARGE)
    effects = shard.handle(RunsOverdue(runs))
    assert only_effect(effects, LoadSnapshot).commands == 4
    shard.handle(loaded_snapshot(effects))
    assert shard.inbox.most_overdue == 8
