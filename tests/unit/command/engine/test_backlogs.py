"""While many local commands wait, few shards work on backlogs at once, and newcomers do not wait for backlogs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pytest
from msgspec.structs import replace

from daybook_command.engine.assignment import Assignment
from daybook_command.engine.backlogs import AT_ONCE, CROWD, MOST_ON_TURN, Backlogs
from daybook_command.shard.effects import Append, Effect
from daybook_command.shard.events import Acknowledged, Event, LocalArrived
from daybook_command.shard.local_queue import Waiting
from daybook_command.shard.state import MAX_COMMANDS, ShardPhase
from support.local_commands import local, open_shard
from support.one_shard import NOTHING, loaded_snapshot
from support.surroundings import START_US

SHARDS = 4
AHEAD = replace(NOTHING, head=replace(NOTHING.head, position=99))
HOUR_US = 3_600_000_000
MANY = CROWD


@dataclass
class Paced:
    """Shards that are paced as the engine paces them. `asked`: the last effects of each shard."""

    assignments: dict[int, Assignment] = field(default_factory=dict)
    asked: dict[int, Sequence[Effect]] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=lambda: iter(range(10_000)))
    backlogs: Backlogs = field(init=False)

    def __post_init__(self) -> None:
        waiting = Waiting()
        for partition in range(SHARDS):
            shard = open_shard(waiting=waiting)
            shard.partition, shard.inbox.max_commands = partition, MAX_COMMANDS
            self.assignments[partition] = Assignment(shard, 0.0, started=True)
        self.backlogs = Backlogs(self.assignments, lambda each: self.deliver(each, LocalArrived()), waiting)

    def queued(self) -> int:
        return sum(each.shard.inbox.local.count for each in self.assignments.values())

    def deliver(self, assignment: Assignment, event: Event) -> None:
        before = self.backlogs.before_event(assignment.shard)
        effects = assignment.shard.handle(event)
        if effects:
            self.asked[assignment.partition] = effects
        self.backlogs.after_event(assignment.shard, before)

    def send(self, partition: int, key: str, count: int) -> None:
        made = (local(next(self.numbers)) for _ in range(count))
        commands = [replace(each, command=each.command.model_copy(update={"org_id": key})) for each in made]
        self.assignments[partition].shard.queue_local(commands)

    def look(self) -> None:
        for assignment in self.assignments.values():
            self.deliver(assignment, LocalArrived())

    def decide(self, partition: int) -> None:
        self.deliver(self.assignments[partition], loaded_snapshot(self.asked[partition]))
        assert any(isinstance(each, Append) for each in self.asked[partition])

    def sizes(self) -> dict[int, int]:
        """By partition, how many commands the batch in progress has."""
        return {at: size for at, each in self.assignments.items() if (size := len(each.shard.in_flight.taken))}

    def finish(self, partition: int) -> None:
        assignment = self.assignments[partition]
        if assignment.shard.phase is ShardPhase.LOADING:
            self.decide(partition)
        self.deliver(assignment, Acknowledged(assignment.shard.memory.end))


@pytest.fixture
def paced() -> Paced:
    return Paced()


def key_of(partition: int, number: int = 0) -> str:
    return f"{number:08x}-0000-4000-8000-{partition:012x}"


def crowd(paced: Paced) -> None:
    """Gives every shard a backlog of one key, and finishes the first batches, which take the newcomers."""
    for partition in range(SHARDS):
        paced.send(partition, key_of(partition), MANY)
    paced.look()
    for partition in range(SHARDS):
        paced.finish(partition)


def test_few_commands_need_no_turns(paced: Paced) -> None:
    for partition in range(SHARDS):
        paced.send(partition, key_of(partition), CROWD // SHARDS)
    paced.look()
    assert paced.sizes() == dict.fromkeys(range(SHARDS), CROWD // SHARDS)


def test_few_shards_work_on_backlogs_at_once_in_batches_of_limited_size(paced: Paced) -> None:
    crowd(paced)
    assert paced.sizes() == dict.fromkeys(range(AT_ONCE), MOST_ON_TURN)


def test_a_shard_with_a_batch_need_not_look_at_what_arrives(paced: Paced) -> None:
    shard = paced.assignments[1].shard
    paced.send(1, key_of(1), 1)
    assert paced.backlogs.must_look(shard)
    paced.look()
    paced.send(1, key_of(1), 2)
    assert not paced.backlogs.must_look(shard)
    paced.finish(1)
    assert paced.sizes() == {1: 2}


def test_what_arrives_during_a_batch_gets_its_place_among_the_backlogs(paced: Paced) -> None:
    paced.send(1, key_of(1), 1)
    paced.look()
    for partition in (1, 0):
        paced.send(partition, key_of(partition), MANY)
        if paced.backlogs.must_look(paced.assignments[partition].shard):
            paced.deliver(paced.assignments[partition], LocalArrived())
    assert list(paced.backlogs.waiting) == [1, 0]


def test_shards_take_turns(paced: Paced) -> None:
    crowd(paced)
    worked = []
    for _ in range(2 * SHARDS):
        partition = next(iter(paced.backlogs.turns))
        worked.append(partition)
        paced.finish(partition)
    assert worked == [*range(SHARDS), *range(SHARDS)]


def test_the_next_shard_gets_its_turn_while_a_batch_waits_for_kafka(paced: Paced) -> None:
    crowd(paced)
    paced.decide(0)
    assert paced.assignments[0].shard.phase is ShardPhase.APPENDING
    assert paced.sizes() == dict.fromkeys(range(1 + AT_ONCE), MOST_ON_TURN)


def test_a_shard_that_waits_for_locks_on_users_delays_no_others(paced: Paced) -> None:
    crowd(paced)
    for assignment in [paced.assignments[number] for number in range(AT_ONCE)]:
        assignment.shard.config = replace(assignment.shard.config, managed_users=False)
        paced.deliver(assignment, loaded_snapshot(paced.asked[assignment.partition]))
    assert paced.sizes() == dict.fromkeys(range(2 * AT_ONCE), MOST_ON_TURN)


def test_a_newcomer_is_decided_without_a_turn_and_without_the_backlog(paced: Paced) -> None:
    crowd(paced)
    last = SHARDS - 1
    paced.send(last, key_of(last, 1), 3)
    paced.look()
    assert paced.sizes() == {**dict.fromkeys(range(AT_ONCE), MOST_ON_TURN), last: 1}


def test_all_commands_are_decided_in_the_end(paced: Paced) -> None:
    crowd(paced)
    done = SHARDS * MANY - paced.queued() - sum(paced.sizes().values())
    while sizes := paced.sizes():
        partition, size = next(iter(sizes.items()))
        paced.finish(partition)
        done += size
    assert (done, paced.queued(), paced.backlogs.turns) == (SHARDS * MANY, 0, {})


def test_a_shard_that_takes_over_again_gives_its_turn_to_the_next(paced: Paced) -> None:
    crowd(paced)
    first = paced.assignments[0]
    paced.deliver(first, loaded_snapshot(paced.asked[0], checkpoint=AHEAD))
    assert first.shard.phase is ShardPhase.TAKING_OVER
    assert paced.sizes() == dict.fromkeys(range(1, 1 + AT_ONCE), MOST_ON_TURN)


def test_a_partition_that_is_given_away_gives_its_turn_to_the_next(paced: Paced) -> None:
    crowd(paced)
    paced.assignments.pop(0).shard.leave()
    paced.backlogs.leave(0)
    assert paced.sizes() == dict.fromkeys(range(1, 1 + AT_ONCE), MOST_ON_TURN)


def test_the_batch_of_a_partition_that_was_given_away_makes_no_crowd(paced: Paced) -> None:
    paced.send(0, key_of(0), CROWD)
    paced.look()
    paced.assignments.pop(0).shard.leave()
    paced.backlogs.leave(0)
    paced.send(1, key_of(1), CROWD)
    paced.look()
    assert paced.sizes() == {1: CROWD}


def test_a_shard_whose_append_takes_long_delays_no_others(paced: Paced) -> None:
    crowd(paced)
    paced.decide(0)
    worked = []
    for _ in range(2 * (SHARDS - 1)):
        partition = next(iter(paced.backlogs.turns))
        worked.append(partition)
        paced.finish(partition)
    assert worked == [*range(1, SHARDS), *range(1, SHARDS)]
    paced.finish(0)
    paced.finish(next(iter(paced.backlogs.turns)))
    assert 0 in paced.backlogs.turns


def test_a_shard_that_has_to_wait_gives_its_turn_to_the_next(paced: Paced) -> None:
    crowd(paced)
    paced.deliver(paced.assignments[0], loaded_snapshot(paced.asked[0], database_us=START_US + HOUR_US))
    assert paced.assignments[0].shard.waits
    assert paced.sizes() == dict.fromkeys(range(1, 1 + AT_ONCE), MOST_ON_TURN)


def test_a_shard_whose_own_batch_ends_the_crowd_does_not_stay_idle(paced: Paced) -> None:
    first = paced.assignments[0].shard
    large = [local(next(paced.numbers)) for _ in range(20)]
    first.queue_local(
        [
            replace(
                each,
                command=each.command.model_copy(update={"org_id": key_of(0)}),
                record=replace(each.record, value=(each.record.value or b"") + bytes(20_000)),
            )
            for each in large
        ]
    )
    paced.look()
    paced.decide(0)
    for partition, count in ((1, 60), (2, 53)):
        paced.send(partition, key_of(partition), count)
        paced.deliver(paced.assignments[partition], LocalArrived())
    assert first.inbox.local.line
    assert paced.backlogs.turns.keys() == {2}
    paced.finish(0)
    while sizes := paced.sizes():
        paced.finish(next(iter(sizes)))
    assert paced.queued() == 0


def test_a_backlog_is_not_starved_by_newcomers(paced: Paced) -> None:
    crowd(paced)
    last = SHARDS - 1
    keys = iter(range(1, 10_000))
    while last not in paced.backlogs.turns:
        for _ in range(MOST_ON_TURN):
            paced.send(last, key_of(last, next(keys)), 1)
        paced.finish(next(iter(paced.backlogs.turns)))
    assert paced.sizes()[last] == next(keys) - 1 + MOST_ON_TURN
