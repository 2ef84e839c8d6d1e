"""Entries as plain dicts, hashed by the published recipes; tests compare the product's faster code with them."""

from collections.abc import Callable
from hashlib import sha256

import rfc8785

from daybook_contracts.json.canonical import parse_canonical
from support.chain import Json


def seal_by_hand(entry: Json) -> bytes:
    """The record's bytes, with the hash computed by the recipe. The entry need not be valid."""
    metadata = entry["metadata_json"]
    hashed = {name: member for name, member in metadata.items() if name not in {"data", "salt", "hash"}}
    preimage = rfc8785.dumps({**entry, "metadata_json": hashed})
    digest = sha256(b"daybook-entry/v1\n" + preimage).hexdigest()
    return rfc8785.dumps({**entry, "metadata_json": {**metadata, "hash": digest}})


def commit_by_hand(entry: Json) -> None:
    """Recomputes the commit from the data."""
    metadata = entry["metadata_json"]
    salted = bytes.fromhex(metadata["salt"]) + rfc8785.dumps(metadata["data"])
    metadata["commit"] = sha256(b"daybook-data/v1\n" + salted).hexdigest()


def changed(value: bytes, change: Callable[[Json], None]) -> bytes:
    """The record after a change, with its hash recomputed."""
    entry = parse_canonical(value)
    assert isinstance(entry, dict)
    change(entry)
    return seal_by_hand(entry)


def with_data(data: object) -> Callable[[Json], None]:
    """A change that sets `data` and recomputes the commit."""

    def change(entry: Json) -> None:
        entry["metadata_json"]["data"] = data
        commit_by_hand(entry)

    return change


def with_member(name: str, member: object) -> Callable[[Json], None]:
    """A change that sets one member of the entry, or of its metadata if the name starts with a dot."""

    def change(entry: Json) -> None:
        target = entry["metadata_json"] if name.startswith(".") else entry
        target[name.removeprefix(".")] = member

    return change
