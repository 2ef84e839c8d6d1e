"""Random commands on connections and what belongs to them, under many schedules. A shard loads, caches and drops
parts of an org; this changes no decision.
"""

import json
import random
from collections import defaultdict
from dataclasses import replace

import pytest

from daybook_contracts.entries.entry import Entry, EntryError
from support.judges import Judged, judge
from support.simulated_commands import HUB, records
from support.simulation import World
from support.weather import Weather

pytestmark = pytest.mark.usefixtures("_small_limits")
COMMANDS, STEPS = 120, 600


def played(seed: int) -> World:
    weather = replace(Weather.storm(random.Random(seed)), loses_log=False)
    world = World(seed, records(seed, COMMANDS, HUB), frozenset(HUB.users), weather=weather)
    world.run(STEPS)
    return world


@pytest.mark.parametrize("first_seed", range(0, 60, 20))
def test_every_command_is_decided_as_if_the_whole_org_were_loaded(first_seed: int) -> None:
    for seed in range(first_seed, first_seed + 20):
        try:
            judge(played(seed))
        except AssertionError as error:
            raise AssertionError(f"seed {seed}") from error


def test_an_id_that_two_orgs_choose_goes_to_only_one_of_them() -> None:
    contested = 0
    for seed in range(30):
        world = played(seed)
        owners, entries = world.around.postgres.owners, [entry for log in Judged(world).logs.values() for entry in log]
        holders = defaultdict[str, set[str | None]](set)
        for entry in entries:
            if entry.result == "success" and entry.entity_id in owners:
                holders[entry.entity_id].add(entry.org_id)
        assert all(orgs == {owners[id_]} for id_, orgs in holders.items()), f"seed {seed}"
        refused = {(entry.entity_id, entry.org_id) for entry in entries if is_taken(entry)}
        contested += sum(id_ in holders and org_id not in holders[id_] for id_, org_id in refused)
    assert contested > 10


def is_taken(entry: Entry) -> bool:
    error = entry.metadata_json.error
    return isinstance(error, EntryError) and error.code == "ALREADY_EXISTS"


def test_the_schedules_reach_policies_timeouts_and_filters_with_a_remainder() -> None:
    """Without these cases, the simulation would prove little."""
    entries = [entry for seed in range(60, 90) for log in Judged(played(seed)).logs.values() for entry in log]
    actions = {entry.action for entry in entries if entry.result == "success"}
    assert {"ESCALATE_ALERT", "RAISE_ALERT", "RESOLVE_ALERT", "DELETE_CONNECTION"} <= actions
    facts = [json.loads(bytes(entry.metadata_json.data)) for entry in entries if entry.result == "success"]
    assert any(fact.get("remaining", 0) > 0 for fact in facts)
    assert any(fact.get("error_message") == "TIMED_OUT" for fact in facts)
