"""The hub's commands under many schedules: what a shard looks up, keeps and forgets changes no decision."""

import json
import random
from dataclasses import replace

import pytest

from support.hub_commands import OWNER, Drawn
from support.judges import Judged, judge
from support.simulation import World
from support.weather import Weather

COMMANDS, STEPS = 120, 600


@pytest.fixture(autouse=True)
def _small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of three dead letters, and counts that stop at two: few commands are enough to run into them."""
    for place in ("domain.dead_letters", "shard.backlog"):
        monkeypatch.setattr(f"daybook_command.{place}.BULK_IDS", 3)
    monkeypatch.setattr("support.rows_of_orgs.BULK_IDS", 3)
    monkeypatch.setattr("daybook_command.shard.backlog.COUNTED", 2)


def played(seed: int) -> World:
    weather = replace(Weather.storm(random.Random(seed)), loses_log=False)
    world = World(seed, Drawn(seed).records(COMMANDS), frozenset({OWNER}), weather=weather)
    world.run(STEPS)
    return world


@pytest.mark.parametrize("first_seed", range(0, 60, 20))
def test_every_command_ends_as_the_deciders_would_end_it_on_the_whole_org(first_seed: int) -> None:
    for seed in range(first_seed, first_seed + 20):
        try:
            judge(played(seed))
        except AssertionError as error:
            raise AssertionError(f"seed {seed}") from error


def test_the_schedules_reach_what_they_are_for() -> None:
    """Policies, timeouts, filters that leave some, refusals: the simulation would prove little without them."""
    entries = [entry for seed in range(60, 90) for log in Judged(played(seed)).logs.values() for entry in log]
    actions = {entry.action for entry in entries if entry.result == "success"}
    assert {"ESCALATE_ALERT", "RAISE_ALERT", "RESOLVE_ALERT", "DELETE_CONNECTION"} <= actions
    facts = [json.loads(bytes(entry.metadata_json.data)) for entry in entries if entry.result == "success"]
    assert any(fact.get("remaining", 0) > 0 for fact in facts)
    assert any(fact.get("error_message") == "TIMED_OUT" for fact in facts)
