"""How each mutant (support.mutants) is hunted in real runs. A hunt injects only faults that the missing protection
would handle, so that it soon finds the mutant. It sets small caches if a large cache would hide the mutant.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from chaos.fault import Fault
from chaos.nemesis import FAULTS

BY_NAME = {fault.name: fault for fault in FAULTS}
FEW_ORGS: Mapping[str, object] = {"cache_mib": 0.01}


@dataclass(frozen=True, slots=True)
class Hunt:
    names: Sequence[str]
    changes: Mapping[str, object] = field(default_factory=dict)

    @property
    def faults(self) -> list[Fault]:
        return [BY_NAME[name] for name in self.names]


HUNTS = {
    "the admission rule": Hunt(("forge records", "repeat records", "usurp the log")),
    "the check of `prev`": Hunt(("forge records",)),
    "the check of the acknowledged offset": Hunt(("usurp the log",)),
    "treating an acknowledgement without an offset as unknown": Hunt(
        ("swallow answers of kafka", "cut kafka", "usurp the log")
    ),
    "looking up ids in the table": Hunt(("echo commands", "kill command")),
    "looking up ids in memory": Hunt(("echo commands", "suspend projector", "kill command")),
    "keeping memory from look-up to decision": Hunt(("echo commands", "slow postgres", "usurp the log"), FEW_ORGS),
    "dropping cached orgs after a lost or unknown batch": Hunt(("usurp the log",)),
    "reading org and checkpoint in one snapshot": Hunt(("slow postgres", "usurp the log", "kill command"), FEW_ORGS),
    "reading activity in the same snapshot": Hunt(("slow postgres", "usurp the log", "kill command"), FEW_ORGS),
    "replaying the tail from the snapshot only": Hunt(("usurp the log", "kill command"), FEW_ORGS),
    "committing offsets after the answers": Hunt(("die command before-append", "hold kafka", "kill command")),
    "comparing the checkpoint": Hunt(("suspend projector", "join projector")),
    "one transaction for rows and checkpoint": Hunt(
        ("die projector before-rows", "die projector after-rows", "kill projector")
    ),
    "treating a timeout as unknown": Hunt(("hold kafka", "kill kafka")),
    "answering local commands after admission": Hunt(("usurp the log", "die command before-append")),
    "moving offsets by records only": Hunt(("join command", "kill command", "leave command")),
    "falling back with the same ids": Hunt(("usurp the log", "join command", "slow postgres")),
}
NOT_HUNTED = {
    "healing activity": "no fault puts an org into quarantine",
    "comparing identities": "finding two equal first ids takes hours on a graphics card",
    "detecting a restored PostgreSQL": "no fault restores a backup",
    "detecting a log that grew again": "no fault truncates the log",
    "publishing what is handed back": "the door publishes it after half of the wait, or its sender sends it again",
    "knowing what a batch has taken": "publishers send a command again, whatever its 503 says",
    "falling back by key": "publishers do not send a key's next command before they know the outcome of the last one",
}
"""Mutants that only the simulation finds, and why."""
