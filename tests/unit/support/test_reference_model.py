"""The tests' own recipes give the published values, and their model makes the same decisions as the deciders."""

import hashlib
from itertools import islice
from random import Random

import msgspec
import pytest

from daybook_command.domain.decision import NewEntry
from daybook_contracts.senders.principals import DAYBOOK
from support import chain
from support.deciding import Deciders
from support.given import ANN, ORG, Outcome
from support.logbook import org, user
from support.publisher import Send
from support.workload import Population, RandomCommands, Workload
from support.workload_kinds import WEIGHTS

KEY, COMMAND = "00000000-0000-4000-8000-000000000001", "01890000-0000-7000-8000-000000000002"
SALT = "00112233445566778899aabbccddeeff"


def golden_entry() -> chain.Json:
    command = {"type": "RENAME_ORG", "org_id": KEY, "actor_user_id": None, "data": {"name": "x"}}
    metadata = {
        "command_id": COMMAND,
        "data": {"name": "x"},
        "entries": 1,
        "key": KEY,
        "ordinal": 0,
        "partition": chain.partition_of(KEY, 12),
        "principal": "service:example",
        "request": chain.request_hash(SALT, command),
        "salt": SALT,
        "scope": "org",
        "v": 1,
    }
    entry = {
        "action": "RENAME_ORG",
        "actor_user_id": None,
        "created_at": "2026-11-22T15:10:13.123456Z",
        "entity_id": KEY,
        "entity_type": "org",
        "id": chain.entry_id(KEY, COMMAND),
        "metadata_json": metadata,
        "org_id": KEY,
        "project_id": None,
        "result": "success",
    }
    return chain.hashed_at(entry, 0, chain.ZEROS)


def test_the_recipes_of_the_tests_give_the_published_values() -> None:
    assert chain.partition_of(KEY, 12) == 6
    assert chain.entry_id(KEY, COMMAND, 1) == "01890000-0000-8c3d-bed0-f62bc555dda6"
    value = chain.jcs(golden_entry())
    assert len(value) == 866
    assert hashlib.sha256(value).hexdigest() == "e726fdb90ebfeed704232cc02177220fea3ed4bd54792933cd0b796a6871c9b4"


def test_only_records_that_extend_the_chain_are_admitted() -> None:
    made = chain.Chain(6)
    value = chain.jcs(golden_entry())
    for offset, record in enumerate([b"garbage", None, b"[]", b"{}", value + b" ", value, value]):
        made.take(offset, record)
    assert (made.head[0], made.voids) == (0, [0, 1, 2, 3, 4, 6])


@pytest.mark.parametrize("seed", range(5))
def test_the_deciders_agree_with_the_model_on_random_commands(seed: int) -> None:
    workload = Workload(seed, orgs=10, users=30, commands=1200)
    check_decisions(seed, [*workload.registrations, *workload.distinct], workload.entries)


def test_the_deciders_agree_with_the_model_on_more_dead_letters_than_a_filter_takes() -> None:
    # The org is fully loaded, so the decider itself picks the first thousand.
    workload = Workload(0, orgs=1, users=3, commands=4300, flooded=1100)
    check_decisions(0, [*workload.registrations, *workload.distinct], workload.entries)


def test_the_deciders_agree_with_the_model_on_runs_that_took_too_long() -> None:
    orgs, users = (list(map(make, range(1, 10))) for make in (org, user))
    made = RandomCommands(Random(1), Population(orgs, users, weights=WEIGHTS | {"TIME_OUT": 20}))
    check_decisions(1, made.some(1500), made.entries)
    assert sum(entry["data"].get("rule") == "sync_stalled" for entry in made.entries) > 10


BUSY = {
    "CREATE_CONNECTION": 1,
    "DELETE_CONNECTION": 1,
    "START_SYNC": 12,
    "COMPLETE_SYNC": 4,
    "FAIL_SYNC": 12,
    "TIME_OUT": 6,
    "CANCEL_SYNC": 3,
    "RECORD_DLQ_EVENT": 12,
    "RESOLVE_DLQ_EVENT": 5,
    "RESOLVE_DLQ_EVENTS": 3,
    "RESOLVE_ALERT": 5,
}


@pytest.mark.parametrize("weights", [BUSY, BUSY | {"RECORD_DLQ_EVENT": 200}], ids=["failures", "backlogs"])
def test_the_deciders_agree_with_the_model_on_every_alert_of_a_busy_org(weights: dict[str, int]) -> None:
    alerts = set[tuple[str, str]]()
    for seed in range(6):
        made = RandomCommands(Random(seed), Population([ORG], [ANN], weights=weights, choosing=0.5, long_ago=0))
        check_decisions(seed, made.some(1000), made.entries)
        raised = [entry for entry in made.entries if entry["action"] in {"RAISE_ALERT", "ESCALATE_ALERT"}]
        alerts |= {(entry["data"].get("rule", ""), entry["data"]["severity"]) for entry in raised}
    assert alerts >= {("sync_failing", "warning"), ("sync_failing", "critical"), ("sync_stalled", "critical")}
    assert ("dlq_backlog", "warning") in alerts
    assert (("dlq_backlog", "critical") in alerts) is (weights is not BUSY)


def check_decisions(seed: int, sends: list[Send], entries: list[chain.Json]) -> None:
    """Asserts that the deciders' entries for these commands are `entries`, which the model has given."""
    deciders, expected = Deciders(), iter(entries)
    for send in sends:
        found = told(deciders.decide(send))
        wanted = list(islice(expected, len(found)))
        assert chain.jcs(found) == chain.jcs(wanted), f"seed {seed}: {send}: {found} instead of {wanted}"
    assert not list(expected)


def told(outcome: Outcome) -> list[chain.Json]:
    return [
        _told(entry, str(outcome.context.principal)) | {"scope": outcome.standing.scope} for entry in outcome.entries()
    ]


def _told(entry: NewEntry, sender: str) -> chain.Json:
    columns = ("action", "entity_type", "entity_id", "org_id", "project_id", "actor_user_id")
    told = {name: getattr(entry, name) for name in columns}
    told["principal"] = str(DAYBOOK) if entry.by_policy else sender
    told |= {"result": "failure" if entry.error else "success", "data": msgspec.json.decode(entry.data)}
    if entry.by_policy and entry.action != "RESOLVE_ALERT":
        assert told["data"].pop("message")
    return told | {"code": entry.error.code if entry.error else None}
