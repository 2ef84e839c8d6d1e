"""Seventeen systems that each lack one protection, and what a simulation makes of them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import pytest

from support import removals
from support.judges import judge
from support.surroundings import Failed
from support.trials import played


@dataclass(frozen=True, slots=True)
class Mutant:
    """`lacks`: the protection; `rule`: where docs/log.md has it; `removed`: what is patched, and for what."""

    lacks: str
    rule: str
    removed: str
    remove: Callable[[pytest.MonkeyPatch], None]

    def verdict(self, seed: int) -> Failed | None:
        """What the judges, who are whole, say of one schedule of the mutant."""
        try:
            with pytest.MonkeyPatch.context() as patch:
                self.remove(patch)
                world = played(seed)
            judge(world)
        except Failed as failed:
            return failed
        return None

    def caught(self, seeds: Iterable[int]) -> tuple[int, Failed] | None:
        """After how many schedules, and what was found; None if all of them went well."""
        for runs, seed in enumerate(seeds, start=1):
            failed = self.verdict(seed)
            if failed is not None:
                return runs, failed
        return None


MUTANTS = (
    Mutant(
        "an admission rule",
        "the rule",
        "`admit` of shard and projector: each sealed record is taken at its word",
        removals.admit_whatever_is_sealed,
    ),
    Mutant(
        "`prev` beside the position",
        "the rule",
        "`admission._misfit`: does not look at `prev`",
        removals.compare_positions_alone,
    ),
    Mutant(
        "doubt of an acknowledgement at another offset",
        "3",
        "the shard's `admit` of a gap: nothing in it extends the log",
        removals.take_any_acknowledgement,
    ),
    Mutant(
        "doubt of an acknowledgement without an offset",
        "3",
        "`Shard._acknowledged`: the offset is the expected one",
        removals.take_an_acknowledgement_without_an_offset,
    ),
    Mutant(
        "ids looked up in the table",
        "2",
        "`Deciding.known`: looks into memory alone",
        removals.look_for_ids_in_memory_alone,
    ),
    Mutant(
        "ids looked up in memory",
        "2",
        "`Deciding.known`: looks into the table alone",
        removals.look_for_ids_in_the_table_alone,
    ),
    Mutant(
        "memory that stays from look-up to decision",
        "2",
        "`Shard._decide`: prunes first, up to PostgreSQL's present checkpoint",
        removals.prune_before_deciding,
    ),
    Mutant(
        "cached orgs that go with a lost or unknown batch",
        "3",
        "`Shard._start_over`, `Shard._taken_over`: keep the cache",
        removals.keep_cached_orgs,
    ),
    Mutant(
        "org and checkpoint from one snapshot",
        "1",
        "simulated look-up: the checkpoint as it began, all else as it ends",
        removals.read_in_two_snapshots,
    ),
    Mutant(
        "a tail that is replayed from the snapshot on",
        "2",
        "`Tail.replay`: replays all of it",
        removals.replay_the_whole_tail,
    ),
    Mutant(
        "offsets committed after the answers",
        "4",
        "`Shard._decide`: commits before it appends",
        removals.commit_before_appending,
    ),
    Mutant(
        "a compared checkpoint",
        "11",
        "simulated PostgreSQL: sets without comparing",
        removals.set_without_comparing,
    ),
    Mutant(
        "one transaction for rows and checkpoint",
        "11",
        "simulated projector: two transactions, the checkpoint in the second",
        removals.move_the_checkpoint_alone,
    ),
    Mutant(
        "a timeout that says nothing",
        "3",
        "`Shard.handle`: a timeout is a refusal",
        removals.take_a_timeout_for_a_refusal,
    ),
    Mutant(
        "doubt of a PostgreSQL that went back",
        "1",
        "`doubt` of the shard: does not look behind what memory has forgotten",
        removals.overlook_a_restore,
    ),
    Mutant(
        "doubt of a log that grew again",
        "8",
        "`check_head` of shard and projector: any record will do",
        removals.overlook_another_head,
    ),
    Mutant(
        "identities compared",
        "19",
        "the simulated `is_entry_of`: any row with the id is the entry",
        removals.take_any_row_with_the_id,
    ),
)
