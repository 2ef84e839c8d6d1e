"""Strangers to an org cannot use up other users' command ids, and their failed commands store little more than ids."""

import json
from itertools import product
from typing import Any
from uuid import UUID

import pytest
from msgspec.structs import replace

from daybook_command.shard.effects import Answer
from daybook_command.shard.events import Acknowledged
from daybook_command.shard.machine import Shard
from daybook_command.shard.records import CommandRecord
from daybook_contracts.commands.registry import COMMANDS
from daybook_contracts.entries.entry import Entry, encode_entry
from daybook_contracts.entries.identity import Identity
from daybook_contracts.entries.reading import read_entry
from daybook_contracts.limits import MAX_SAFE_INTEGER
from support.documents import ROOT, page
from support.one_shard import ANN, ORG, arrive, decide_batch, loaded_snapshot, only_effect, ready_shard, refusal_codes
from support.simulation import command_record

SAMPLES = ROOT / "contracts" / "samples" / "commands"
EVE = str(UUID(int=0xE, version=4))
NO_ORG = str(UUID(int=0xF, version=4))
SHARED = str(UUID(int=0xC0, version=4))
KNOWN = frozenset({ANN, EVE})
CREATE = {"type": "CREATE_ORG", "data": {"name": "Acme"}}
RENAME = {"type": "RENAME_ORG", "data": {"name": "Emca"}}


def sent(offset: int, by: str, envelope: dict[str, Any], id_: str | None = None, org: str = ORG) -> CommandRecord:
    own = {"id": id_ or str(UUID(int=offset + 1, version=4)), "org_id": org, "actor_user_id": by}
    return command_record(offset, own | envelope)


def sample(type_: str) -> dict[str, Any]:
    """The type and data of the golden command. A REGISTER_USER must name no org."""
    data = json.loads((SAMPLES / f"{type_}.v1.json").read_text("utf-8"))["data"]
    return {"type": type_, "data": data} | ({"org_id": None} if type_ == "REGISTER_USER" else {})


def run(shard: Shard, at: int, *records: CommandRecord, known: frozenset[str] = KNOWN) -> tuple[list[Entry], list[Any]]:
    """Decides commands in one batch; returns its entries and answers."""
    entries = [read_entry(each.value).entry for each in decide_batch(shard, *records, known_users=known).records]
    answer = only_effect(shard.handle(Acknowledged(at)), Answer)
    return entries, [json.loads(reply.value) for reply in answer.replies]


def test_a_stranger_who_sends_an_id_first_does_not_use_it_up_for_the_owner() -> None:
    entries, answers = run(
        ready_shard(), 0, sent(0, ANN, CREATE), sent(1, EVE, RENAME, SHARED), sent(2, ANN, RENAME, SHARED)
    )
    assert [(each.metadata_json.scope, each.result) for each in entries] == [
        ("org", "success"),
        ("outsider", "failure"),
        ("org", "success"),
    ]
    assert [answer.get("code") for answer in answers] == [None, "ORG_NOT_FOUND", None]
    assert answers[1]["entry_id"] == Identity("outsider", ORG, EVE, SHARED).first_id()


def test_a_stranger_who_reuses_an_owners_id_gets_the_answer_for_an_unknown_org() -> None:
    shard = ready_shard()
    _, answers = run(
        shard,
        0,
        sent(0, ANN, CREATE),
        sent(1, ANN, RENAME, SHARED),
        sent(2, EVE, RENAME, SHARED),
        sent(3, EVE, RENAME, SHARED, NO_ORG),
    )
    specific = {"entry_id", "position"}
    of_real, of_unknown = ({name: answer[name] for name in answer.keys() - specific} for answer in answers[2:])
    assert of_real == of_unknown


def test_strangers_do_not_use_up_each_others_ids() -> None:
    other = str(UUID(int=0xD, version=4))
    entries, _ = run(ready_shard(), 0, sent(0, EVE, RENAME, SHARED), sent(1, other, RENAME, SHARED))
    assert [each.metadata_json.scope for each in entries] == ["outsider", "outsider"]


def test_a_strangers_repeat_gets_the_first_answer_and_its_reuse_of_an_id_is_refused() -> None:
    shard = ready_shard()
    _, first = run(shard, 0, sent(0, EVE, RENAME, SHARED))
    again = {"type": "RENAME_ORG", "data": {"name": "Another"}}
    effects = shard.handle(loaded_snapshot(arrive(shard, sent(1, EVE, RENAME, SHARED), sent(2, EVE, again, SHARED))))
    answer = only_effect(effects, Answer)
    repeated = json.loads(answer.replies[0].value)
    assert repeated == first[0] | {"detail": "There is no such org."}
    assert refusal_codes(answer) == ["COMMAND_ID_REUSED"]


def test_a_refusal_is_repeated_to_a_user_who_has_joined_since() -> None:
    shard = ready_shard()
    add = {"type": "ADD_MEMBER", "data": {"user_id": EVE, "role": "admin"}}
    entries, _ = run(shard, 0, sent(0, ANN, CREATE), sent(1, EVE, RENAME, SHARED), sent(2, ANN, add))
    assert [each.result for each in entries] == ["success", "failure", "success"]
    answer = only_effect(
        shard.handle(loaded_snapshot(arrive(shard, sent(3, EVE, RENAME, SHARED)), known_users=KNOWN)), Answer
    )
    assert [json.loads(reply.value)["code"] for reply in answer.replies] == ["ORG_NOT_FOUND"]


def test_a_user_who_has_joined_since_cannot_reuse_an_old_id() -> None:
    shard = ready_shard()
    add = {"type": "ADD_MEMBER", "data": {"user_id": EVE, "role": "admin"}}
    run(shard, 0, sent(0, ANN, CREATE), sent(1, EVE, RENAME, SHARED), sent(2, ANN, add))
    another = {"type": "RENAME_ORG", "data": {"name": "Another"}}
    answer = only_effect(
        shard.handle(loaded_snapshot(arrive(shard, sent(3, EVE, another, SHARED)), known_users=KNOWN)), Answer
    )
    assert refusal_codes(answer) == ["COMMAND_ID_REUSED"]


def test_a_repeat_with_different_free_text_is_still_a_repeat() -> None:
    shard = ready_shard()
    first = {"type": "DEACTIVATE_CONNECTION", "data": {"connection_id": SHARED, "reason": "down"}}
    reworded = {"type": "DEACTIVATE_CONNECTION", "data": {"connection_id": SHARED, "reason": "still down"}}
    run(shard, 0, sent(0, ANN, CREATE), sent(1, ANN, first, SHARED))
    answer = only_effect(shard.handle(loaded_snapshot(arrive(shard, sent(2, ANN, reworded, SHARED)))), Answer)
    assert [json.loads(reply.value)["code"] for reply in answer.replies] == ["CONNECTION_NOT_FOUND"]
    assert refusal_codes(answer) == []


@pytest.mark.parametrize("type_", sorted(COMMANDS))
@pytest.mark.parametrize("org", [ORG, NO_ORG], ids=["org", "no org"])
def test_a_strangers_entry_has_no_text_and_does_not_use_up_the_owners_id(type_: str, org: str) -> None:
    """The key of CREATE_ORG is the new org, and the key of REGISTER_USER is the user whom EVE tries to register."""
    tried = sample(type_)
    tried["data"] |= dict.fromkeys(tried["data"].keys() & {"name", "key_name"}, "n" * 200)
    shard = ready_shard()
    run(shard, 0, sent(0, ANN, CREATE))
    (refusal,), _ = run(shard, 1, sent(1, EVE, tried, SHARED, org))
    _, (answer,) = run(shard, 2, sent(2, ANN, RENAME, SHARED))
    assert answer["result"] == "success"
    if type_ == "CREATE_ORG" and org == NO_ORG:  # here the command is accepted: EVE creates the org
        assert refusal.result == "success"
        return
    assert (refusal.metadata_json.scope, refusal.result, refusal.project_id) == ("outsider", "failure", None)
    assert b"nnn" not in encode_entry(refusal)
    assert json.loads(bytes(refusal.metadata_json.data)).keys() <= {"org_id", "actor_user_id"}


def test_the_largest_entry_of_a_stranger_is_as_large_as_the_docs_say() -> None:
    sizes = []
    for type_, org, known in product(COMMANDS, (ORG, NO_ORG), (KNOWN, frozenset({ANN}))):
        shard = ready_shard()
        run(shard, 0, sent(0, ANN, CREATE))
        entries, _ = run(shard, 1, sent(1, EVE, sample(type_), SHARED, org), known=known)
        of_outsider = [each for each in entries if each.metadata_json.scope == "outsider"]
        sizes += [len(encode_entry(with_longest_values(each))) for each in of_outsider]
    assert 1.05 < max(sizes) / 1024 < 1.1
    for name in ("commands", "log", "security"):
        assert "less than 1.1 KiB" in page(f"docs/{name}.md")


def with_longest_values(entry: Entry) -> Entry:
    """The entry with the longest sender, the last position and the last partition."""
    metadata = replace(entry.metadata_json, principal=f"service:{'a' * 63}", position=MAX_SAFE_INTEGER, partition=9_999)
    return replace(entry, metadata_json=metadata)


@pytest.mark.parametrize("type_", sorted(COMMANDS))
@pytest.mark.parametrize("known", [KNOWN, frozenset({ANN})], ids=["known user", "unknown user"])
def test_a_stranger_cannot_tell_a_real_org_from_an_unknown_one(type_: str, known: frozenset[str]) -> None:
    """The exception is CREATE_ORG by a known user: it creates the unknown org, but the id of the real org is taken."""
    of_real, of_unknown = (answer_to_a_stranger(type_, org, known) for org in (ORG, NO_ORG))
    if type_ == "CREATE_ORG" and known == KNOWN:
        assert (of_real["code"], of_unknown["result"]) == ("ALREADY_EXISTS", "success")
        return
    assert of_real == of_unknown
    assert of_real["result"] == "failure"


def answer_to_a_stranger(type_: str, org: str, known: frozenset[str]) -> dict[str, Any]:
    """The answer that EVE gets, while ORG exists, without the fields that differ in any two answers."""
    shard = ready_shard()
    run(shard, 0, sent(0, ANN, CREATE))
    _, (answer,) = run(shard, 1, sent(1, EVE, sample(type_), SHARED, org), known=known)
    return {name: answer[name] for name in answer.keys() - {"entry_id", "position"}}
