"""The test vectors for programs in other languages: the code and the tests' independent model both reproduce them."""

import hashlib
import json
from typing import Any

import pytest

from daybook_contracts.entries.hashing import commit_hash, request_hash
from daybook_contracts.entries.identity import Identity
from daybook_contracts.json.canonical import canonical_bytes
from daybook_contracts.routing import murmur2, partition_of
from support import chain
from support.documents import ROOT

FOLDER = ROOT / "contracts" / "vectors"


def read(name: str) -> Any:
    return json.loads((FOLDER / name).read_text("utf-8"))


@pytest.mark.parametrize("case", read("ids.json")["cases"], ids=lambda case: case["first_id"])
def test_the_first_and_second_ids_match_their_vectors(case: dict[str, Any]) -> None:
    scope, key, actor, command_id, ordinal = (case[n] for n in ("scope", "key", "actor", "command_id", "ordinal"))
    identity = Identity(scope, key, actor, command_id, ordinal)
    assert (identity.first_id(), identity.second_id()) == (case["first_id"], case["second_id"])
    assert chain.entry_id(key, command_id, ordinal, scope, actor) == case["first_id"]
    assert chain.second_id(key, command_id, ordinal, scope, actor) == case["second_id"]


@pytest.mark.parametrize("case", read("routing.json")["cases"], ids=lambda case: case["key"])
def test_the_partition_of_a_key_matches_its_vector(case: dict[str, Any]) -> None:
    key = case["key"]
    assert murmur2(key.encode()) == case["murmur2"]
    for partitions, partition in case["partitions"].items():
        assert partition_of(key, int(partitions)) == chain.partition_of(key, int(partitions)) == partition


def test_the_commit_and_the_request_hash_match_their_vectors() -> None:
    vectors = read("hashes.json")
    commit, request = vectors["commit"], vectors["request"]
    salt, command = bytes.fromhex(commit["salt"]), request["command"]
    assert commit_hash(salt, canonical_bytes(commit["data"])) == commit["commit"]
    assert chain.commit_hash(commit["salt"], commit["data"]) == commit["commit"]
    data = canonical_bytes(command["data"])
    hashed = request_hash(salt, command["type"], command["org_id"], command["actor_user_id"], data)
    assert hashed == chain.request_hash(request["salt"], command) == request["request"]


def test_the_golden_entry_has_its_bytes_and_hash() -> None:
    vector = read("hashes.json")["entry"]
    value = canonical_bytes(vector["entry"])
    assert (len(value), hashlib.sha256(value).hexdigest()) == (vector["canonical_bytes"], vector["canonical_sha256"])
    assert vector["entry"]["metadata_json"]["hash"] == chain.entry_hash(vector["entry"]) == vector["hash"]
