"""The product computes the values that docs/verify.md states."""

import hashlib
import json
import re
from typing import Any

import pytest

from daybook_contracts.entries.hashing import commit_hash
from daybook_contracts.entries.identity import Identity
from daybook_contracts.json.canonical import canonical_bytes, parse_as_ecmascript
from daybook_contracts.log.admission import Admitted, admit
from daybook_contracts.log.head import GENESIS
from support.data_forms import data_forms
from support.documents import blocks, page, section

PAGE = page("docs/verify.md")
VALUES = section(PAGE, "Values to try")
(ENTRY,) = (block.text.strip().encode() for block in blocks(section(PAGE, "An entry"), "json"))
MANIFEST, VALID, INVALID = (block.text.strip().encode() for block in blocks(VALUES, "json"))
KEY, COMMAND = "00000000-0000-4000-8000-000000000001", "01890000-0000-7000-8000-000000000002"
ACTOR = "00000000-0000-4000-8000-00000000000a"
SALT = bytes.fromhex("00112233445566778899aabbccddeeff")


def sha256(value: bytes) -> str:
    return hashlib.sha256(value).hexdigest()


def without(value: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: member for name, member in value.items() if name not in names}


def test_the_table_of_readable_data_matches_the_product() -> None:
    assert f"\n\n{data_forms()}\n\n" in PAGE, data_forms()


def test_the_entry_is_the_golden_one_and_extends_an_empty_log() -> None:
    assert ENTRY.decode() in page("docs/log.md")
    assert f"`{sha256(ENTRY)}`" in VALUES
    assert isinstance(admit(GENESIS, 6, ENTRY), Admitted)


def test_the_manifest_describes_the_entry_and_has_the_correct_digest() -> None:
    manifest = json.loads(MANIFEST)
    assert canonical_bytes(manifest) == MANIFEST
    assert manifest["digest"] == sha256(canonical_bytes(without(manifest, "digest")))
    assert [file["sha256"] for file in manifest["files"]] == [sha256(ENTRY + b"\n")]


def test_the_digests_are_those_of_the_entry() -> None:
    entry = json.loads(ENTRY)
    row = canonical_bytes(entry | {"metadata_json": without(entry["metadata_json"], "data", "salt")})
    row_hash = hashlib.sha256(b"daybook-row/v1\n" + row).digest()
    digest = hashlib.sha256(bytes(32) + row_hash).digest()
    table = sha256(b"".join(digest if partition == 6 else bytes(32) for partition in range(12)))
    assert row_hash.hex() in VALUES
    assert table in VALUES
    (partition,) = json.loads(VALID)["partitions"]
    assert partition["digest"] == digest.hex()
    assert digest.hex() in section(PAGE, "Output")


def test_the_outputs_are_canonical_and_have_the_correct_values() -> None:
    assert [canonical_bytes(json.loads(output)) for output in (VALID, INVALID)] == [VALID, INVALID]
    altered = ENTRY.replace(b'{"name":"x"}', b'{"name":"y"}')
    commit, file = json.loads(INVALID)["findings"]
    assert commit["expected"] == commit_hash(SALT, b'{"name":"y"}')
    assert commit["found"] == json.loads(ENTRY)["metadata_json"]["commit"]
    assert (file["expected"], file["found"]) == (sha256(altered + b"\n"), sha256(ENTRY + b"\n"))


@pytest.mark.parametrize(
    ("scope", "actor", "ordinal"),
    [("org", None, 0), ("org", None, 1), ("user", None, 0), ("outsider", ACTOR, 0), ("policy", None, 0)],
)
def test_the_first_ids_are_correct(scope: Any, actor: str | None, ordinal: int) -> None:
    first_id = Identity(scope, KEY, actor, COMMAND, ordinal).first_id()
    assert f"| `{scope}` | K | {'A ' if actor else ''}| C | {ordinal} | `{first_id}` |" in VALUES


def test_the_commit_is_correct() -> None:
    assert f"`{commit_hash(SALT, canonical_bytes({'b': 1, 'a': 'é'}))}`" in VALUES


def test_the_examples_of_canonical_json_are_correct() -> None:
    rows = re.findall(r"^\| `([\[{].*)` \| (`[\[{].*`) \|$", section(PAGE, "Canonical JSON"), re.MULTILINE)
    assert len(rows) == 2
    for given, shown in rows:
        expected = shown.strip("`").replace("` U+007F `", "\x7f").encode()
        assert canonical_bytes(parse_as_ecmascript(given)) == expected
