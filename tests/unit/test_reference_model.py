"""The scenarios' own recipes and rules: they give the published values, and the deciders agree with them."""

import hashlib
from typing import Any

import msgspec
import pytest

from daybook_command.domain.decide import decide
from daybook_command.domain.decision import Facts
from daybook_command.domain.drafts import drafts
from daybook_command.domain.evolve import evolve
from daybook_command.domain.state import Org
from daybook_contracts.commands import parse_command
from daybook_contracts.principals import parse_principal
from support import chain
from support.model import Model
from support.workload import Workload

KEY, COMMAND = "00000000-0000-4000-8000-000000000001", "01890000-0000-7000-8000-000000000002"
SALT = "00112233445566778899aabbccddeeff"


def golden_entry() -> chain.Json:
    command = {"type": "RENAME_ORG", "org_id": KEY, "actor_user_id": None, "data": {"name": "x"}}
    metadata = {
        "command_id": COMMAND,
        "data": {"name": "x"},
        "entries": 1,
        "ordinal": 0,
        "partition": chain.partition_of(KEY, 12),
        "principal": "service:example",
        "request": chain.request_hash(SALT, command),
        "salt": SALT,
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
    assert chain.entry_id(KEY, COMMAND, 1) == "01890000-0000-8852-9490-3581329daec3"
    value = chain.jcs(golden_entry())
    assert len(value) == 807
    assert hashlib.sha256(value).hexdigest() == "77a97eac8b671580dba016e5845b6c7ebd91dc01231a525e851d76eda3306602"


def test_only_what_extends_the_chain_is_admitted() -> None:
    made = chain.Chain(6)
    value = chain.jcs(golden_entry())
    for offset, record in enumerate([b"garbage", None, b"[]", b"{}", value + b" ", value, value]):
        made.take(offset, record)
    assert (made.head[0], made.voids) == (0, [0, 1, 2, 3, 4, 6])


@pytest.mark.parametrize("seed", range(5))
def test_the_deciders_agree_with_the_model_on_random_commands(seed: int) -> None:
    workload, model, orgs = Workload(seed, orgs=10, users=30, commands=400), Model(), dict[str, Org | None]()
    for send in [*workload.registrations, *workload.distinct]:
        known = frozenset(model.world.users)
        expected = model.decide(send.principal, send.command)
        found, after = decided(send.principal, send.body, orgs.get(send.key), known)
        assert found == expected, f"seed {seed}: {send}"
        orgs[send.key] = after


def decided(principal: str, body: bytes, org: Org | None, known: frozenset[str]) -> tuple[Any, Org | None]:
    command = parse_command(body)
    facts = Facts(
        principal=parse_principal(principal),
        new_id=chain.entry_id(command.key, command.id),
        known_users=known,
        taken_ids=frozenset(),
        managed_users=True,
    )
    (draft,) = drafts(command, decide(command, org, facts), org, facts)
    columns = ("action", "entity_type", "entity_id", "org_id", "project_id", "actor_user_id")
    told = {name: getattr(draft, name) for name in columns}
    told |= {"result": "failure" if draft.error else "success", "data": msgspec.json.decode(draft.data)}
    told["code"] = draft.error.code if draft.error else None
    return told, org if draft.fact is None else evolve(org, command.actor_user_id, draft.fact)
