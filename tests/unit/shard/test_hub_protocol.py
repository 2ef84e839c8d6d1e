"""The hub's commands under thousands of schedules: what a shard looks up, keeps and forgets changes no decision."""

import json
from collections import defaultdict
from collections.abc import Iterator
from itertools import groupby

import pytest

from daybook_command.domain.decide import decide
from daybook_command.domain.decision import Facts
from daybook_command.domain.drafts import drafts
from daybook_command.domain.evolve import evolve
from daybook_command.domain.state import Org
from daybook_command.shard.answers import outcome
from daybook_command.shard.intake import time_out
from daybook_command.shard.messages import CommandRecord, OverdueRun
from daybook_contracts.commands import Command, parse_command
from daybook_contracts.entries import Entry, EntryError, entry_data
from daybook_contracts.ids import entry_id
from daybook_contracts.principals import DAYBOOK, Principal, Service
from daybook_contracts.results import encode_record
from support.hub_commands import OWNER, Drawn
from support.simulation import World

USERS = frozenset({OWNER})
SENDER = Service("test")
COMMANDS, STEPS = 120, 600


@pytest.fixture(autouse=True)
def _small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of three dead letters, and counts that stop at two: few commands are enough to run into them."""
    for place in ("domain.dead_letters", "shard.backlog"):
        monkeypatch.setattr(f"daybook_command.{place}.BULK_IDS", 3)
    monkeypatch.setattr("support.rows_of_orgs.BULK_IDS", 3)
    monkeypatch.setattr("daybook_command.shard.backlog.COUNTED", 2)


def by_command(entries: list[Entry]) -> Iterator[tuple[str, list[Entry]]]:
    for command_id, group in groupby(entries, key=lambda entry: entry.metadata_json.command_id):
        yield command_id, list(group)


def sent(records: list[CommandRecord], entries: list[Entry]) -> dict[str, tuple[Command, Principal]]:
    """By id: what was sent, and what the shard may have sent itself for the runs of the log."""
    commands: dict[str, tuple[Command, Principal]] = {}
    for record in records:
        command = parse_command(record.value or b"")
        commands[command.id] = (command, SENDER)
    for entry in entries:
        if entry.action == "START_SYNC" and entry.result == "success" and entry.org_id is not None:
            own = time_out(OverdueRun(entry.org_id, entry.entity_id)).command
            commands[own.id] = (own, DAYBOOK)
    return commands


def check_decisions(world: World, entries: list[Entry]) -> None:
    """Every command ended in just what the deciders make of it on the whole org, with nothing ever forgotten."""
    commands, orgs = sent(world.commands, entries), dict[str, Org | None]()
    for command_id, group in by_command(entries):
        command, principal = commands[command_id]
        org = orgs.get(command.key)
        taken = frozenset(id_ for id_, owner in world.owners.items() if owner != command.key)
        facts = Facts(principal, entry_id(command.key, command.id, 0), USERS, taken, managed_users=True)
        wanted = drafts(command, decide(command, org, facts), org, facts)
        assert [describe(entry) for entry in group] == [
            (
                draft.action,
                draft.entity_id,
                draft.project_id,
                json.loads(draft.data),
                draft.error and draft.error.code,
                str(draft.principal or principal),
            )
            for draft in wanted
        ]
        for entry in group:
            if entry.result == "success":
                org = evolve(org, entry.actor_user_id, entry_data(entry))
        orgs[command.key] = org


def describe(entry: Entry) -> tuple[object, ...]:
    metadata = entry.metadata_json
    code = getattr(metadata.error, "code", None) if metadata.error else None
    return entry.action, entry.entity_id, entry.project_id, json.loads(bytes(metadata.data)), code, metadata.principal


def played(seed: int) -> tuple[World, list[Entry]]:
    world = World(seed, Drawn(seed).records(COMMANDS), USERS)
    world.run(STEPS)
    return world, world.admitted()


@pytest.mark.parametrize("first_seed", range(0, 200, 40))
def test_every_command_ends_as_the_deciders_would_end_it_on_the_whole_org(first_seed: int) -> None:
    for seed in range(first_seed, first_seed + 40):
        world, entries = played(seed)
        assert not world.stopped, f"seed {seed}: {world.stopped}"
        ids = [entry.metadata_json.command_id for _, group in by_command(entries) for entry in group[:1]]
        assert len(ids) == len(set(ids)), f"seed {seed}: decided twice"
        try:
            check_decisions(world, entries)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}") from error
        answers = {id_: {encode_record(outcome(id_, group))} for id_, group in by_command(entries)}
        assert world.answers == {id_: answers[id_] for id_ in world.answers}, f"seed {seed}"


def test_an_id_that_two_orgs_choose_is_given_to_one_of_them() -> None:
    contested = 0
    for seed in range(60):
        world, entries = played(seed)
        holders = defaultdict[str, set[str | None]](set)
        for entry in entries:
            if entry.result == "success" and entry.action in {"START_SYNC", "RECORD_DLQ_EVENT"}:
                holders[entry.entity_id].add(entry.org_id)
        assert all(len(orgs) == 1 for orgs in holders.values()), f"seed {seed}"
        assert all(orgs == {world.owners[id_]} for id_, orgs in holders.items()), f"seed {seed}"
        refused = {(entry.entity_id, entry.org_id) for entry in entries if is_taken(entry)}
        contested += sum(id_ in holders and org_id not in holders[id_] for id_, org_id in refused)
    assert contested > 20


def is_taken(entry: Entry) -> bool:
    error = entry.metadata_json.error
    return isinstance(error, EntryError) and error.code == "ALREADY_EXISTS"


def test_the_schedules_reach_what_they_are_for() -> None:
    """Policies, timeouts, filters that leave some, refusals: the simulation would prove little without them."""
    entries = [entry for seed in range(30) for entry in played(seed)[1]]
    actions = {entry.action for entry in entries if entry.result == "success"}
    assert {"ESCALATE_ALERT", "RAISE_ALERT", "RESOLVE_ALERT", "DELETE_CONNECTION"} <= actions
    facts = [json.loads(bytes(entry.metadata_json.data)) for entry in entries if entry.result == "success"]
    assert any(fact.get("remaining", 0) > 0 for fact in facts)
    assert any(fact.get("error_message") == "TIMED_OUT" for fact in facts)
