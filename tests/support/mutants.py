"""Mutants, systems that each lack one protection, and how the simulation finds them."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from inspect import getdoc

from support import removals
from support.patching import Patch, require_removed
from support.simulation import Arrivals
from support.surroundings import Failed
from support.trials import ended_world, judged


@dataclass(frozen=True, slots=True)
class Mutant:
    """`lacks`: the missing protection; `rule`: its rule in docs/log.md; `remove`: the patch that removes it;
    `arrivals`: the ways of sending commands with which the simulation finds the mutant. The figures in
    docs/fault-testing.md are for the first of these ways.
    """

    lacks: str
    rule: str
    remove: Callable[[Patch], None]
    arrivals: tuple[Arrivals, ...] = ("both", "kafka", "local")

    @property
    def patch_summary(self) -> str:
        """What the patch replaces, and with what."""
        return (getdoc(self.remove) or "").removesuffix(".")

    def verdict(self, seed: int, arrivals: Arrivals = "both", calls: Counter[str] | None = None) -> Failed | None:
        """Runs one schedule with the patch, removes the patch, and returns what the judges find. `calls` counts how
        often each replacement is called. Raises `NotRemoved` if a replacement itself fails.
        """
        with Patch.context() as patch:
            self.remove(patch)
            ended = ended_world(seed, arrivals)
        require_removed(Counter(), patch.faults)
        if calls is not None:
            calls.update(patch.calls)
        return judged(ended)

    def first_failure(self, seeds: Iterable[int], arrivals: Arrivals = "both") -> tuple[int, Failed] | None:
        """The number of schedules until the first that fails, and its failure; None if none fails. Continues until
        every replacement was called at least once. Raises `NotRemoved` if one is never called.
        """
        calls, found = Counter[str](), None
        for runs, seed in enumerate(seeds, start=1):
            failed = self.verdict(seed, arrivals, calls)
            if failed is not None and found is None:
                found = runs, failed
            if found is not None and all(calls.values()):
                return found
        require_removed(calls, [])
        return found


WITH_LOCAL: tuple[Arrivals, ...] = ("both", "local")
MUTANTS = (
    Mutant("the admission rule", "the rule", removals.admit_whatever_is_sealed),
    Mutant("the check of `prev`", "the rule", removals.compare_positions_alone),
    Mutant("the check of the acknowledged offset", "3", removals.take_any_acknowledgement),
    Mutant(
        "treating an acknowledgement without an offset as unknown",
        "3",
        removals.take_an_acknowledgement_without_an_offset,
    ),
    Mutant("looking up ids in the table", "2", removals.look_for_ids_in_memory_alone),
    Mutant("looking up ids in memory", "2", removals.look_for_ids_in_the_table_alone),
    Mutant("keeping memory from look-up to decision", "2", removals.prune_before_deciding),
    Mutant("dropping cached orgs after a lost or unknown batch", "3", removals.keep_cached_orgs),
    Mutant("reading org and checkpoint in one snapshot", "1", removals.read_in_two_snapshots),
    Mutant("reading activity in the same snapshot", "1", removals.read_activity_in_another_snapshot),
    Mutant("replaying the tail from the snapshot only", "2", removals.replay_the_whole_tail),
    Mutant("committing offsets after the answers", "4", removals.commit_before_appending),
    Mutant("comparing the checkpoint", "11", removals.set_without_comparing),
    Mutant("one transaction for rows and checkpoint", "11", removals.move_the_checkpoint_alone),
    Mutant("treating a timeout as unknown", "3", removals.take_a_timeout_for_a_refusal),
    Mutant("detecting a restored PostgreSQL", "1", removals.overlook_a_restore),
    Mutant("detecting a log that grew again", "8", removals.overlook_another_head),
    Mutant("healing activity", "13", removals.heal_without_activity, ("kafka",)),
    Mutant("comparing identities", "19", removals.take_any_row_with_the_id),
    Mutant("answering local commands after admission", "20", removals.answer_locally_before_appending, WITH_LOCAL),
    Mutant("publishing what is handed back", "20", removals.forget_what_is_handed_back, WITH_LOCAL),
    Mutant("moving offsets by records only", "4", removals.count_local_commands_as_records, WITH_LOCAL),
    Mutant("knowing what a batch has taken", "20", removals.say_that_nothing_was_done, WITH_LOCAL),
    Mutant("falling back by key", "20", removals.fall_back_one_by_one, WITH_LOCAL),
    Mutant("falling back with the same ids", "20", removals.publish_under_another_id, WITH_LOCAL),
)
