"""Golden entries: one for each action and version. They are never edited, so every later version of Daybook must
read them.
"""

from hashlib import sha256

import msgspec
import pytest
from msgspec import structs

from daybook_contracts.entries.entry import fact_of
from daybook_contracts.entries.facts import ENTRY_DATA
from daybook_contracts.entries.fields import Fact, encode_fact
from daybook_contracts.entries.reading import read_entry
from daybook_contracts.json.canonical import parse_canonical
from daybook_contracts.log.admission import Admitted, admit, admit_generic
from daybook_contracts.log.head import GENESIS, Head
from support.documents import ROOT
from support.entry_samples import FACTS, samples

FOLDER = ROOT / "contracts" / "samples" / "entries"
PINNED = dict(line.split()[::-1] for line in (FOLDER / "SHA256SUMS").read_text("utf-8").splitlines())


def test_every_action_has_a_sample_with_a_pinned_hash() -> None:
    assert {f"{action}.v1.json" for action in ENTRY_DATA} < PINNED.keys()
    assert {path.name for path in FOLDER.glob("*.json")} == PINNED.keys()


@pytest.mark.parametrize("name", sorted(PINNED))
def test_a_sample_is_unchanged(name: str) -> None:
    assert sha256((FOLDER / name).read_bytes()).hexdigest() == PINNED[name]


@pytest.mark.parametrize("name", sorted(PINNED))
def test_sealing_the_same_fact_reproduces_the_sample(name: str) -> None:
    assert samples()[name].value == (FOLDER / name).read_bytes()


@pytest.mark.parametrize("name", sorted(PINNED))
def test_a_sample_is_admitted_and_read(name: str) -> None:
    value = (FOLDER / name).read_bytes()
    entry, fact, _ = structs.astuple(read_entry(value))
    metadata = entry.metadata_json
    assert admit(GENESIS, metadata.partition, value) == Admitted(Head(0, metadata.hash), value, entry)
    assert admit_generic(GENESIS, metadata.partition, value) == Head(0, metadata.hash)
    if entry.result == "success" and metadata.scope != "policy":
        assert fact == fact_of(entry) == FACTS[entry.action]


@pytest.mark.parametrize("kind", ENTRY_DATA.values())
def test_the_fields_of_a_fact_are_declared_in_jcs_order(kind: type[Fact]) -> None:
    fields = [field.encode_name for field in msgspec.structs.fields(kind)]
    assert fields == sorted(fields, key=lambda name: name.encode("utf-16be"))


@pytest.mark.parametrize("action", ENTRY_DATA)
def test_an_encoded_fact_is_canonical(action: str) -> None:
    parse_canonical(encode_fact(FACTS[action]))
