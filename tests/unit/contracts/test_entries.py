"""Entries are sealed exactly as the contract says. An entry that a fold could not rely on is poison when it is read."""

from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from typing import get_args

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import structs

from daybook_contracts.entries.entry import EntryError, decode_entry, encode_entry
from daybook_contracts.entries.identity import Identity, Scope
from daybook_contracts.entries.reading import PoisonEntry, loose_entry, raw_metadata, read_entry
from daybook_contracts.json.canonical import canonical_bytes, parse_canonical
from daybook_contracts.limits import ENTRIES
from daybook_contracts.log.admission import Admitted, admit
from daybook_contracts.log.head import GENESIS, Head
from support.chain import Json
from support.entries_by_hand import changed, commit_by_hand, seal_by_hand, with_data, with_member
from support.entry_samples import COMMAND, ORG, USER, attempt_of_outsider, samples, unsealed
from support.flat_entries import Flat, seal_flat
from support.json_values import json_objects, texts

RENAMED = samples()["RENAME_ORG.v1.json"].value
FAILED = samples()["failure.v1.json"].value
FAILED_WITHOUT_ORG = samples()["failure-on-no-org.v1.json"].value
CREATED = samples()["CREATE_CONNECTION.v1.json"].value
REGISTERED = samples()["REGISTER_USER.v1.json"].value
FAILED_BY_OUTSIDER = samples()["failure-of-outsider.v1.json"].value
RESOLVED = samples()["RESOLVE_DLQ_EVENT.v1.json"].value
OUTSIDER = attempt_of_outsider(ORG)
UPDATED = samples()["UPDATE_CONNECTION.v1.json"].value
CONNECTION_WITHOUT_CONFIG = {"connection_id": ORG, "project_id": ORG, "name": "Shop", "type": "hotmart"}
ERROR = {"code": "FORBIDDEN", "detail": "no"}


def test_the_example_in_the_contract_is_reproduced_byte_for_byte() -> None:
    example = dict(
        unsealed("RENAME_ORG"),
        actor_user_id=None,
        principal="service:example",
        request="1407ba1ea70a04cec140869da801f3e4b7711a6fb8314c0ae8bf901107796bf4",
    )
    value, head = seal_flat(example)
    assert head == Head(0, "3ecd3d7a283757a7fe0b3bfa2b10018f06fd7d92d696e20a53cb442d5d062b9e")
    assert len(value) == 866
    assert sha256(value).hexdigest() == "e726fdb90ebfeed704232cc02177220fea3ed4bd54792933cd0b796a6871c9b4"
    assert decode_entry(value).metadata_json.commit == (
        "252d5a1f3d7909e5829b193049a319fccf8fbd11c6249018ec7b731ced2214c7"
    )


def sealed_by_hand(flat: Flat, head: Head) -> bytes:
    columns = ("action", "actor_user_id", "created_at", "entity_id", "entity_type", "id", "org_id", "project_id")
    copied = ("command_id", "entries", "key", "ordinal", "partition", "principal", "request", "salt", "scope")
    metadata: Json = {name: flat[name] for name in copied}
    metadata |= {"v": 1, "position": head.position + 1, "prev": head.hash, "data": parse_canonical(flat["data"])}
    if flat["error"] is not None:
        metadata["error"] = structs.asdict(flat["error"])
    whole: Json = {name: flat[name] for name in (*columns, "result")} | {"metadata_json": metadata}
    commit_by_hand(whole)
    return seal_by_hand(whole)


flat_entries: st.SearchStrategy[Flat] = st.builds(
    dict,
    action=texts,
    actor_user_id=st.none() | texts,
    created_at=texts,
    entity_id=texts,
    entity_type=texts,
    id=texts,
    org_id=st.none() | texts,
    project_id=st.none() | texts,
    result=st.sampled_from(["success", "failure"]),
    command_id=texts,
    data=json_objects().map(canonical_bytes),
    entries=st.integers(0, ENTRIES),
    error=st.none() | st.builds(EntryError, code=texts, detail=texts),
    key=texts,
    ordinal=st.integers(0, 1000),
    partition=st.integers(0, 64),
    principal=texts,
    request=texts,
    salt=st.binary(min_size=16, max_size=16).map(bytes.hex),
    scope=st.sampled_from(get_args(Scope)),
)
heads = st.builds(Head, st.integers(-1, 2**53 - 2), st.binary(min_size=32, max_size=32).map(bytes.hex))


@given(flat_entries, heads)
def test_a_sealed_entry_follows_the_recipe_and_is_admitted(flat: Flat, head: Head) -> None:
    value, following = seal_flat(flat, head)
    assert value == sealed_by_hand(flat, head)
    assert following == Head(head.position + 1, decode_entry(value).metadata_json.hash)
    assert admit(head, flat["partition"], value) == Admitted(following, value, decode_entry(value))
    assert encode_entry(decode_entry(value)) == value


@given(flat_entries, heads)
def test_metadata_is_passed_on_byte_for_byte(flat: Flat, head: Head) -> None:
    value = seal_flat(flat, head).value
    whole = parse_canonical(value)
    assert isinstance(whole, dict)
    assert raw_metadata(value) == canonical_bytes(whole["metadata_json"])
    loose = loose_entry(value)
    assert loose is not None
    assert bytes(loose.metadata_json) == raw_metadata(value)
    assert (loose.id, loose.org_id, loose.result) == (flat["id"], flat["org_id"], flat["result"])


def test_an_outsider_is_identified_by_its_column_or_by_its_claimed_id() -> None:
    assert read_entry(FAILED_BY_OUTSIDER).identity == Identity("outsider", ORG, USER, COMMAND)
    unknown = OUTSIDER | {"actor_user_id": None, "data": canonical_bytes({"actor_user_id": USER})}
    assert read_entry(seal_flat(unknown).value).identity == Identity("outsider", ORG, USER, COMMAND)


def test_the_actor_is_part_of_the_identity_of_outsiders_only() -> None:
    assert read_entry(RENAMED).identity == Identity("org", ORG, None, COMMAND)
    assert read_entry(REGISTERED).identity == Identity("user", USER, None, COMMAND)


def shift_ids(entry: Json) -> None:
    """Makes one id a character longer and another one shorter. Their total length stays the same."""
    entry["entity_id"] += "0"
    entry["metadata_json"]["command_id"] = entry["metadata_json"]["command_id"][1:]


POISON: list[tuple[str, bytes, Callable[[Json], None]]] = [
    ("unknown version 2", RENAMED, with_member(".v", 2)),
    ("unknown action 'RENAME_MOON'", RENAMED, with_member("action", "RENAME_MOON")),
    ("unknown action 'ESCALATE_ALERT'", FAILED, with_member("action", "ESCALATE_ALERT")),
    ("commit does not fit", RENAMED, with_member(".commit", "0" * 64)),
    ("commit does not fit", RENAMED, with_member(".data", {"name": "y"})),
    ("salt is not", RENAMED, with_member(".salt", None)),
    ("salt is not", RENAMED, with_member(".salt", "00")),
    ("id is not the entry's first id", RENAMED, with_member("id", USER)),
    ("scope org and key do not fit", RENAMED, with_member("org_id", USER)),
    ("scope org and key do not fit", RENAMED, with_member(".key", USER)),
    ("not a UUID", RENAMED, with_member(".key", "nowhere")),
    ("scope user and key do not fit", RENAMED, with_member(".scope", "user")),
    ("scope outsider and key do not fit", RENAMED, with_member(".scope", "outsider")),
    ("id is not the entry's first id", RENAMED, with_member(".scope", "policy")),
    ("Invalid enum value 'moon'", RENAMED, with_member(".scope", "moon")),
    ("scope org and key do not fit", REGISTERED, with_member(".scope", "org")),
    ("scope user and key do not fit", REGISTERED, with_member(".key", ORG)),
    ("scope outsider and key do not fit", FAILED_BY_OUTSIDER, with_member("actor_user_id", None)),
    ("id is not the entry's first id", FAILED_BY_OUTSIDER, with_member("actor_user_id", ORG)),
    ("missing required field `connection_id`", RESOLVED, with_data({"dlq_event_id": ORG, "resolution": "manual"})),
    ("id is not the entry's first id", RENAMED, with_member(".command_id", USER)),
    ("scope org and key do not fit", FAILED_WITHOUT_ORG, with_data({"name": "x"})),
    ("scope org and key do not fit", FAILED_WITHOUT_ORG, with_data({"name": "x", "org_id": "nowhere"})),
    ("got `int`", FAILED_WITHOUT_ORG, with_data({"name": "x", "org_id": 1})),
    ("ordinal 1 of 1 entries", RENAMED, with_member(".ordinal", 1)),
    ("missing required field `name`", RENAMED, with_data({})),
    ("unknown field `title`", RENAMED, with_data({"name": "x", "title": "y"})),
    ("only ever false", RENAMED, with_data({"name": "x", "changed": True})),
    ("got `null`", RENAMED, with_data(None)),
    ("expected an object", CREATED, with_data(CONNECTION_WITHOUT_CONFIG | {"config": []})),
    ("Expected `object`", CREATED, with_data(CONNECTION_WITHOUT_CONFIG | {"config": {"secrets": None}})),
    ("Expected `object`", CREATED, with_data(CONNECTION_WITHOUT_CONFIG | {"config": {"secrets": ["x"]}})),
    ("Expected `str`", CREATED, with_data(CONNECTION_WITHOUT_CONFIG | {"config": {"secrets": {"a": {"b": "x"}}}})),
    ("Expected `str`", CREATED, with_data(CONNECTION_WITHOUT_CONFIG | {"config": {"secrets": {"a": None}}})),
    ("Expected `object`", UPDATED, with_data({"connection_id": ORG, "config": {"secrets": None}})),
    ("Expected `str`", UPDATED, with_data({"connection_id": ORG, "config": {"secrets": {"a": 1}}})),
    ("data is not an object", FAILED, with_data([])),
    ("a success has an org", RENAMED, with_member("org_id", None)),
    ("a failure has an error", RENAMED, with_member(".error", ERROR)),
    ("a failure has an error", RENAMED, with_member("result", "failure")),
    ("a failure has an error", FAILED, with_member("result", "success")),
    ("Invalid enum value", RENAMED, with_member("result", "maybe")),
    ("unknown field `extra`", RENAMED, with_member("extra", 1)),
    ("unknown field `extra`", RENAMED, with_member(".extra", 1)),
    ("Expected `int`", RENAMED, with_member(".ordinal", "0")),
    ("Expected `int` <= 1000", RENAMED, with_member(".entries", 2**53 - 1)),
    ("Expected `int` <= 1000", RENAMED, with_member(".ordinal", 2**32)),
    ("not a UUID", RENAMED, with_member("entity_id", ORG + "\n")),
    ("not a UUID", RENAMED, with_member("actor_user_id", ORG.replace("-", ""))),
    ("not a UUID", RENAMED, with_member("project_id", "None")),
    ("not a UUID", RENAMED, with_member("project_id", "")),
    ("not a UUID", RENAMED, with_member("project_id", f"{ORG} {ORG}")),
    ("not a UUID", RENAMED, with_member("entity_id", ORG.replace("0", "A", 1))),
    ("not a UUID", RENAMED, with_member("entity_id", ORG.replace("0", "x", 1))),
    ("not a UUID", RENAMED, shift_ids),
    ("created_at", RENAMED, with_member("created_at", "2026-11-22T15:10:13Z")),
    ("created_at", RENAMED, with_member("created_at", "2026-13-22T15:10:13.123456Z")),
]


@pytest.mark.parametrize(("reason", "value", "change"), POISON)
def test_an_inconsistent_entry_is_poison(reason: str, value: bytes, change: Callable[[Json], None]) -> None:
    with pytest.raises(PoisonEntry, match=reason) as poison:
        read_entry(changed(value, change))
    assert poison.value.reason == str(poison.value)
    assert poison.value.entry is not None


def test_a_poison_reason_is_one_short_line() -> None:
    with pytest.raises(PoisonEntry, match=r"^Object contains unknown field `a�b�x+…$") as poison:
        read_entry(changed(RENAMED, with_member("a\0b\n" + "x" * 1_000_000, 1)))
    assert len(poison.value.reason) < 400


def test_the_columns_of_a_future_version_are_read_with_any_metadata() -> None:
    def to_version_9(entry: Json) -> None:
        entry["region"] = "eu"
        entry["metadata_json"] = {"v": 9, "partition": 6, "position": 0, "prev": "0" * 64, "facts": []}

    value = changed(RENAMED, to_version_9)
    with pytest.raises(PoisonEntry, match="unknown version 9") as poison:
        read_entry(value)
    assert poison.value.org_id == ORG
    admitted = admit(GENESIS, 6, value)
    assert isinstance(admitted, Admitted)
    assert admitted.entry is None


@pytest.mark.parametrize("value", [b"", b"{}", b"[]", b'{"metadata_json":{}}', b"\xff"])
def test_a_record_without_columns_is_poison_without_an_entry(value: bytes) -> None:
    with pytest.raises(PoisonEntry) as poison:
        read_entry(value)
    assert poison.value.entry is None
    assert poison.value.org_id is None


@given(
    st.datetimes(timezones=st.just(UTC))
    | st.dates().map(lambda day: datetime(day.year, day.month, day.day, tzinfo=UTC))
)
@example(datetime(2024, 2, 29, tzinfo=UTC))
@example(datetime(2000, 2, 29, tzinfo=UTC))
def test_every_valid_timestamp_is_read(moment: datetime) -> None:
    created_at = moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
    read_entry(changed(RENAMED, with_member("created_at", created_at)))


@pytest.mark.parametrize(
    "day", ["2023-02-29", "1900-02-29", "2023-04-31", "2023-02-30", "2023-00-10", "2023-01-32", "0000-01-01"]
)
def test_a_date_that_does_not_exist_is_poison(day: str) -> None:
    with pytest.raises(ValueError, match=r"day|month|year"):
        datetime.fromisoformat(f"{day}T00:00:00Z")
    with pytest.raises(PoisonEntry, match="created_at"):
        read_entry(changed(RENAMED, with_member("created_at", f"{day}T00:00:00.000000Z")))
