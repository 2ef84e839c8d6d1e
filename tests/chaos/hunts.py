"""How each mutant (support.mutants) is hunted in a real run: by the faults that bear on what it lacks, so that it is
found soon, and with small caches where what is cached would hide it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from chaos.fault import Fault
from chaos.nemesis import FAULTS

BY_NAME = {fault.name: fault for fault in FAULTS}
FEW_ORGS: Mapping[str, object] = {"cache_orgs": 4}


@dataclass(frozen=True, slots=True)
class Hunt:
    names: Sequence[str]
    changes: Mapping[str, object] = field(default_factory=dict)

    @property
    def faults(self) -> list[Fault]:
        return [BY_NAME[name] for name in self.names]


HUNTS = {
    "an admission rule": Hunt(("forge records", "repeat records", "usurp the log")),
    "`prev` beside the position": Hunt(("forge records",)),
    "doubt of an acknowledgement at another offset": Hunt(("usurp the log",)),
    "doubt of an acknowledgement without an offset": Hunt(("swallow answers of kafka", "cut kafka", "usurp the log")),
    "ids looked up in the table": Hunt(("echo commands", "kill command")),
    "ids looked up in memory": Hunt(("echo commands", "suspend projector", "kill command")),
    "memory that stays from look-up to decision": Hunt(("echo commands", "slow postgres", "usurp the log"), FEW_ORGS),
    "cached orgs that go with a lost or unknown batch": Hunt(("usurp the log",)),
    "org and checkpoint from one snapshot": Hunt(("slow postgres", "usurp the log", "kill command"), FEW_ORGS),
    "a tail that is replayed from the snapshot on": Hunt(("usurp the log", "kill command"), FEW_ORGS),
    "offsets committed after the answers": Hunt(("die command before-append", "hold kafka", "kill command")),
    "a compared checkpoint": Hunt(("suspend projector", "join projector")),
    "one transaction for rows and checkpoint": Hunt(
        ("die projector before-rows", "die projector after-rows", "kill projector")
    ),
    "a timeout that says nothing": Hunt(("hold kafka", "kill kafka")),
}
NOT_HUNTED = {
    "identities compared": "no fault searches for days until two first ids meet",
    "doubt of a PostgreSQL that went back": "no fault brings a backup back",
    "doubt of a log that grew again": "no fault takes the log's end away",
}
"""Which only the simulation finds, and why."""
