"""The fault rates of one schedule: each seed draws its own, so that some schedules have many faults of one kind and
none of another.
"""

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Weather:
    """`lost` to `without_offset` are shares of all appends: lost, late, appended without acknowledgement, acknowledged
    without an offset. `away` and `unsure` are shares of a door's publications: nothing done, unknown. `rival` is the
    share of the second writer in the steps of a partition's writers. The others are weights of the next step; a step of
    a writer has the weight 100. `loses_log`: whether a log loses records after the steps with faults.
    """

    lost: float = 0.0
    late: float = 0.0
    silent: float = 0.0
    without_offset: float = 0.0
    away: float = 0.0
    unsure: float = 0.0
    projecting: float = 30.0
    landing: float = 5.0
    crash: float = 0.0
    power_cut: float = 0.0
    rogue: float = 0.0
    restore: float = 0.0
    overdue: float = 0.0
    requests: float = 40.0
    rival: float = 0.5
    revoke: float = 0.0
    half_wait: float = 0.0
    quarantine: float = 0.0
    healing: float = 0.0
    loses_log: bool = False

    @classmethod
    def storm(cls, draw: random.Random) -> "Weather":
        return cls(
            lost=draw.choice([0.0, 0.03, 0.1]),
            late=draw.choice([0.0, 0.05, 0.15]),
            silent=draw.choice([0.0, 0.05, 0.15]),
            without_offset=draw.choice([0.0, 0.1, 0.3]),
            projecting=draw.choice([10.0, 30.0, 100.0]),
            landing=draw.choice([2.0, 10.0]),
            crash=draw.choice([0.0, 1.0, 3.0]),
            power_cut=draw.choice([0.0, 0.5, 1.0]),
            rogue=draw.choice([0.0, 0.0, 2.0]),
            restore=draw.choice([0.0, 0.0, 1.0]),
            overdue=draw.choice([1.0, 4.0]),
            requests=draw.choice([8.0, 20.0]),
            rival=draw.choice([0.02, 0.1, 0.5]),
            away=draw.choice([0.0, 0.2, 0.5]),
            unsure=draw.choice([0.0, 0.05, 0.15]),
            revoke=draw.choice([0.0, 1.0, 3.0]),
            half_wait=draw.choice([1.0, 5.0, 15.0]),
            loses_log=draw.random() < 0.2,
        )


CALM = Weather(projecting=60.0, overdue=2.0, half_wait=2.0, healing=2.0)
"""No faults; late batches may still be appended."""
