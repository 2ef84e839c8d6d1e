"""Seventeen systems that each lack one protection, and how the simulation finds them."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from support import removals
from support.judges import judge
from support.patching import Patch, require_removed
from support.simulation import World
from support.surroundings import Failed
from support.trials import played


@dataclass(frozen=True, slots=True)
class Mutant:
    """`lacks`: the protection; `rule`: where docs/log.md has it; `removed`: what is patched, and for what."""

    lacks: str
    rule: str
    removed: str
    remove: Callable[[Patch], None]

    def verdict(self, seed: int, calls: Counter[str] | None = None) -> Failed | None:
        """The verdict of the unpatched judges on one schedule of the mutant. `calls` counts the calls of the patches.
        Raises `NotRemoved`.
        """
        with Patch.context() as patch:
            self.remove(patch)
            ended = _played(seed)
        require_removed(Counter(), patch.faults)
        if calls is not None:
            calls.update(patch.calls)
        return ended if isinstance(ended, Failed) else _judged(ended)

    def caught(self, seeds: Iterable[int]) -> tuple[int, Failed] | None:
        """How many schedules it took, and what was found; None if all of them went well. Goes on until every patch was
        called. Raises `NotRemoved` if one never is.
        """
        calls, found = Counter[str](), None
        for runs, seed in enumerate(seeds, start=1):
            failed = self.verdict(seed, calls)
            if failed is not None and found is None:
                found = runs, failed
            if found is not None and all(calls.values()):
                return found
        require_removed(calls, [])
        return found


def _played(seed: int) -> World | Failed:
    try:
        return played(seed)
    except Failed as failed:
        return failed


def _judged(world: World) -> Failed | None:
    try:
        judge(world)
    except Failed as failed:
        return failed
    return None


MUTANTS = (
    Mutant(
        "the admission rule",
        "the rule",
        "`admit` in shard and projector: accepts every sealed record",
        removals.admit_whatever_is_sealed,
    ),
    Mutant(
        "the check of `prev`",
        "the rule",
        "`admission._misfit`: ignores `prev`",
        removals.compare_positions_alone,
    ),
    Mutant(
        "the check of the acknowledged offset",
        "3",
        "`admit` in the shard's gap check: nothing extends the log",
        removals.take_any_acknowledgement,
    ),
    Mutant(
        "treating an acknowledgement without an offset as unknown",
        "3",
        "`Shard._acknowledged`: assumes the expected offset",
        removals.take_an_acknowledgement_without_an_offset,
    ),
    Mutant(
        "looking up ids in the table",
        "2",
        "`BatchDecision.earlier`: looks in memory only",
        removals.look_for_ids_in_memory_alone,
    ),
    Mutant(
        "looking up ids in memory",
        "2",
        "`BatchDecision.earlier`: looks in the table only",
        removals.look_for_ids_in_the_table_alone,
    ),
    Mutant(
        "keeping memory from look-up to decision",
        "2",
        "`Shard._decide`: first prunes up to PostgreSQL's current checkpoint",
        removals.prune_before_deciding,
    ),
    Mutant(
        "dropping cached orgs after a lost or unknown batch",
        "3",
        "`Shard._take_over_again`, `Shard._taken_over`: keep the cache",
        removals.keep_cached_orgs,
    ),
    Mutant(
        "reading org and checkpoint in one snapshot",
        "1",
        "simulated look-up: reads the checkpoint at its start, all else at its end",
        removals.read_in_two_snapshots,
    ),
    Mutant(
        "replaying the tail from the snapshot only",
        "2",
        "`Tail.replay`: replays the whole tail",
        removals.replay_the_whole_tail,
    ),
    Mutant(
        "committing offsets after the answers",
        "4",
        "`Shard._decide`: commits before it appends",
        removals.commit_before_appending,
    ),
    Mutant(
        "comparing the checkpoint",
        "11",
        "simulated PostgreSQL: sets the checkpoint without comparing",
        removals.set_without_comparing,
    ),
    Mutant(
        "one transaction for rows and checkpoint",
        "11",
        "simulated projector: two transactions, the checkpoint in the second",
        removals.move_the_checkpoint_alone,
    ),
    Mutant(
        "treating a timeout as unknown",
        "3",
        "`Shard.handle`: treats a timeout as a refusal",
        removals.take_a_timeout_for_a_refusal,
    ),
    Mutant(
        "detecting a restored PostgreSQL",
        "1",
        "the shard's `checkpoint_fault`: accepts a checkpoint behind what memory has dropped",
        removals.overlook_a_restore,
    ),
    Mutant(
        "detecting a log that grew again",
        "8",
        "`check_head` in shard and projector: accepts any record",
        removals.overlook_another_head,
    ),
    Mutant(
        "comparing identities",
        "19",
        "simulated `is_entry_of`: takes any row with the id for the entry",
        removals.take_any_row_with_the_id,
    ),
)
