"""How each mutant (support.mutants) is hunted in real runs. A hunt injects only faults that the missing protection
would handle, so that it soon finds the mutant. It sets small caches if a large cache would hide the mutant.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from chaos.fault import Fault
from chaos.faults.network import HOLD_BOTH
from chaos.nemesis import BRISK, FAULTS, Pace

BY_NAME = {fault.name: fault for fault in (*FAULTS, HOLD_BOTH)}
# A shard takes over while the projector is behind, and looks up orgs while the projector catches up.
TAKEOVERS_WHILE_BEHIND = ("usurp the log", "stutter projector")
FEW_ORGS: Mapping[str, object] = {"cache_mib": 0.01}
# One fault at a time. The services recover, and go on for a while, before the next one.
APART = Pace(at_once=1, pauses=(2.0, 4.0))


@dataclass(frozen=True, slots=True)
class Hunt:
    """`changes`: to the settings. `pace`: of the faults. `calm`: the faults are no outages, so no command may be
    refused with status 503.
    """

    names: Sequence[str]
    changes: Mapping[str, object] = field(default_factory=dict)
    pace: Pace = BRISK
    calm: bool = False

    @property
    def faults(self) -> list[Fault]:
        return [BY_NAME[name] for name in self.names]


HUNTS = {
    "the admission rule": Hunt(("forge records", "repeat records", "usurp the log")),
    "the check of `prev`": Hunt(("forge records",)),
    "the check of the acknowledged offset": Hunt(("usurp the log",)),
    "treating an acknowledgement without an offset as unknown": Hunt(("usurp without offsets",)),
    "looking up ids in the table": Hunt(("echo commands", "kill command")),
    "looking up ids in memory": Hunt(("echo commands", "suspend projector", "kill command")),
    "keeping memory from look-up to decision": Hunt(("echo commands", "slow postgres", "usurp the log"), FEW_ORGS),
    "dropping cached orgs after a lost or unknown batch": Hunt(("usurp the log",)),
    "reading org and checkpoint in one snapshot": Hunt(TAKEOVERS_WHILE_BEHIND),
    "reading activity in the same snapshot": Hunt(TAKEOVERS_WHILE_BEHIND),
    "replaying the tail from the snapshot only": Hunt((*TAKEOVERS_WHILE_BEHIND, "slow postgres for shards")),
    "committing offsets after the answers": Hunt(("die command before-append", "hold kafka", "kill command")),
    "comparing the checkpoint": Hunt(("suspend projector", "join projector")),
    "one transaction for rows and checkpoint": Hunt(
        ("die projector before-rows", "die projector after-rows", "kill projector")
    ),
    "treating a timeout as unknown": Hunt(("hold kafka", "kill kafka")),
    "answering local commands after admission": Hunt(("usurp the log", "die command before-append")),
    "moving offsets by records only": Hunt(("join command", "kill command", "leave command")),
    "detecting a restored PostgreSQL": Hunt(("restore postgres", "stutter projector", "echo commands"), FEW_ORGS),
    "publishing what is handed back": Hunt(("usurp the log",), calm=True),
    "knowing what a batch has taken": Hunt((HOLD_BOTH.name,), {"wait_seconds": 12.0}, APART),
    "falling back by key": Hunt(("hold postgres for shards",), pace=APART),
    "falling back with the same ids": Hunt(("usurp the log", "join command", "slow postgres")),
}
NOT_HUNTED = {
    "healing activity": "no fault puts an org into quarantine",
    "comparing identities": "finding two equal first ids takes hours on a graphics card",
    "detecting a log that grew again": "if the log loses its end, a partition stops for good, and so does every run",
}
"""Mutants that only the simulation finds, and why."""
