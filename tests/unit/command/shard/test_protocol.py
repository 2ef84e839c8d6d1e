"""The whole simulated system under many schedules, with faults of writers, projectors, logs and PostgreSQL. Every
command is decided once, answered as it was decided, and projected as it is in the log.
"""

import json
from collections import Counter

import pytest

from daybook_contracts.commands.registry import COMMANDS
from support.judges import Judged
from support.trials import run_schedule, verdict

SCHEDULES = 180


@pytest.mark.parametrize("first_seed", range(0, SCHEDULES, 30))
def test_every_schedule_passes_all_judges(first_seed: int) -> None:
    failed = {seed: fault for seed in range(first_seed, first_seed + 30) if (fault := verdict(seed)) is not None}
    assert not failed


def test_the_schedules_reach_races_voids_and_every_command_of_an_org() -> None:
    """Without races, void records, takeovers, holds, takeovers that wait, forwarded commands and reused ids, the
    simulation would prove nothing.
    """
    worlds = [run_schedule(seed) for seed in range(1000, 1040)]
    reports = sum((world.around.reports for world in worlds), Counter[str]())
    assert {"lost", "unknown", "void", "retake", "hold", "waited"} <= set(reports)
    assert any(world.around.forwarded for world in worlds)
    assert {world.lost for world in worlds} == {None, 0, 1}
    answers = {answer for world in worlds for found in world.around.answers.values() for answer in found}
    assert "COMMAND_ID_REUSED" in {json.loads(answer).get("code") for answer in answers}
    entries = [entry for world in worlds for log in Judged(world).logs.values() for entry in log]
    assert COMMANDS.keys() - {"REGISTER_USER"} == {entry.action for entry in entries} - {"ESCALATE_ALERT"}
