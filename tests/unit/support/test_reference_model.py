"""The scenarios' own recipes and rules: they give the published values, and the deciders agree with them."""

import hashlib
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from daybook_command.domain.decide import decide
from daybook_command.domain.decision import DecisionContext
from daybook_command.domain.drafts import Draft, drafts
from daybook_command.domain.evolve import evolve
from daybook_command.domain.state import Org
from daybook_contracts.commands.parse import parse_command
from daybook_contracts.senders.principals import parse_principal
from support import chain
from support.given import standing_of
from support.model import Model
from support.publisher import Send
from support.replay import timeout
from support.workload import Workload
from support.workload_flood import FLOODER

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
    return chain.sealed(entry, 0, chain.ZEROS)


def test_the_recipes_of_the_scenarios_give_the_published_values() -> None:
    assert chain.partition_of(KEY, 12) == 6
    assert chain.entry_id(KEY, COMMAND, 1) == "01890000-0000-8c3d-bed0-f62bc555dda6"
    value = chain.jcs(golden_entry())
    assert len(value) == 866
    assert hashlib.sha256(value).hexdigest() == "e726fdb90ebfeed704232cc02177220fea3ed4bd54792933cd0b796a6871c9b4"


def test_only_what_extends_the_chain_is_admitted() -> None:
    made = chain.Chain(6)
    value = chain.jcs(golden_entry())
    for offset, record in enumerate([b"garbage", None, b"[]", b"{}", value + b" ", value, value]):
        made.take(offset, record)
    assert (made.head[0], made.voids) == (0, [0, 1, 2, 3, 4, 6])


@pytest.mark.parametrize("seed", range(5))
def test_the_deciders_agree_with_the_model_on_random_commands(seed: int) -> None:
    workload, model, orgs = Workload(seed, orgs=10, users=30, commands=1200), Model(), dict[str, Org | None]()
    for send in [*workload.registrations, *workload.distinct]:
        known = frozenset(model.world.users)
        expected = model.decide(send.principal, send.command)
        taken = frozenset(id_ for id_, org in model.world.reserved.items() if org != send.command["org_id"])
        found, orgs[send.key] = decided(send, orgs.get(send.key), known, taken)
        assert chain.jcs(found) == chain.jcs(expected), f"seed {seed}: {send}: {found} instead of {expected}"


def test_the_deciders_agree_with_the_model_on_more_dead_letters_than_a_filter_takes() -> None:
    # With all of them in the org, the decider itself takes the first thousand.
    workload, model, org = Workload(0, orgs=1, users=3, commands=4300, flooded=1100), Model(), None
    sends = [send for send in workload.distinct if send.principal == FLOODER]
    model.world.users.update(send.key for send in workload.registrations)
    for send in sends:
        expected = model.decide(send.principal, send.command)
        found, org = decided(send, org, frozenset(model.world.users), frozenset())
        assert chain.jcs(found) == chain.jcs(expected), f"{send}: {found} instead of {expected}"


def test_the_deciders_agree_with_the_model_on_runs_that_took_too_long() -> None:
    workload, model, orgs = Workload(1, orgs=3, users=10, commands=600), Model(), dict[str, Org | None]()
    raised = 0
    for send in [*workload.registrations, *workload.distinct]:
        known = frozenset(model.world.users)
        for one in (send, *timeouts(model, send)):
            expected = model.decide(one.principal, one.command)
            found, orgs[one.key] = decided(one, orgs.get(one.key), known, frozenset())
            assert chain.jcs(found) == chain.jcs(expected), f"{one}: {found} instead of {expected}"
            raised += sum(entry["data"].get("rule") == "sync_stalled" for entry in found)
    assert raised > 10


def timeouts(model: Model, send: Send) -> Iterator[Send]:
    """The end of every third run that is running once the command is decided, as Daybook itself commands it."""
    org = model.world.orgs.get(send.command["org_id"] or "", {"runs": {}})
    for number, (id_, run) in enumerate(list(org["runs"].items())):
        if run["status"] == "running" and number % 3 == 0:
            yield timeout(send.key, id_)


def decided(send: Send, org: Org | None, known: frozenset[str], taken: frozenset[str]) -> tuple[Any, Org | None]:
    command = parse_command(send.body)
    context = DecisionContext(
        principal=parse_principal(send.principal),
        new_id=chain.thing_id(command.key, command.id),
        known_users=known,
        taken_ids=taken,
        managed_users=True,
    )
    told = []
    decision = decide(command, org, context)
    standing = standing_of(command, decision, org, send.principal)
    for draft in drafts(command, decision, org, context, standing):
        told.append(_told(draft, send.principal) | {"scope": standing.scope})
        org = org if draft.fact is None else evolve(org, command.actor_user_id, draft.fact)
    return told, org


def _told(draft: Draft, sender: str) -> chain.Json:
    columns = ("action", "entity_type", "entity_id", "org_id", "project_id", "actor_user_id")
    told = {name: getattr(draft, name) for name in columns}
    told["principal"] = sender if draft.principal is None else str(draft.principal)
    told |= {"result": "failure" if draft.error else "success", "data": msgspec.json.decode(draft.data)}
    if draft.principal is not None and draft.action != "RESOLVE_ALERT":
        assert told["data"].pop("message")
    return told | {"code": draft.error.code if draft.error else None}
