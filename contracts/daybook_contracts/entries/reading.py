"""Reads an admitted record and returns an entry that every fold can trust, or raises PoisonEntry with the reason and
the columns that can be read. Does not check admission.
"""

import re
from typing import Final

import msgspec
from msgspec import UNSET, Raw, Struct

from daybook_contracts.entries.entry import VERSION, Entry, decode_entry, fact_of, identity_of
from daybook_contracts.entries.facts import ENTRY_DATA
from daybook_contracts.entries.fields import Fact
from daybook_contracts.entries.hashing import commit_hash
from daybook_contracts.entries.identity import Identity
from daybook_contracts.text import UUID_PATTERN, hex_shape, printable, shape_of_ids

_POLICY_ACTION: Final = "ESCALATE_ALERT"
USER_ACTION: Final = "REGISTER_USER"
_SIX_IDS_AND_A_SALT: Final = shape_of_ids(6) + b" " + b"x" * 32
_NO_ID: Final = "00000000-0000-0000-0000-000000000000"
"""Stands for an id that is null."""

_METADATA: Final = b',"metadata_json":'
_ORG_ID: Final = b',"org_id":'

_ID: Final = re.compile(UUID_PATTERN)
_CREATED_AT: Final = re.compile(
    r"(?!0000)(\d{4})-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)|02-(?:0[1-9]|[12]\d))"
    r"T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{6}Z",
    re.ASCII,
)


class LooseEntry(Struct, frozen=True, gc=False):
    """The columns of an entry of any version, with its metadata as raw JSON. They suffice for a row of `audit_log`."""

    action: str
    created_at: str
    entity_id: str
    entity_type: str
    id: str
    metadata_json: Raw
    result: str
    actor_user_id: str | None = None
    org_id: str | None = None
    project_id: str | None = None


class _VersionOnly(Struct, gc=False):
    v: object = None


class _ClaimedOrg(Struct, gc=False):
    org_id: str | None = None


_LOOSE_ENTRY: Final = msgspec.json.Decoder(LooseEntry)
_VERSION_ONLY: Final = msgspec.json.Decoder(_VersionOnly)
_CLAIMED_ORG: Final = msgspec.json.Decoder(_ClaimedOrg)


class PoisonEntry(Exception):
    """An admitted entry that no fold can apply. `entry` has its columns, if they can be read. `reason` is one short
    line, even if it quotes a long text of the entry.
    """

    def __init__(self, reason: str, entry: LooseEntry | None) -> None:
        self.reason = printable(reason)
        super().__init__(self.reason)
        self.entry = entry

    @property
    def org_id(self) -> str | None:
        return None if self.entry is None else self.entry.org_id


class TrustedEntry(Struct, frozen=True, gc=False):
    """An entry that every fold can trust, its fact (None for a failure), and its identity."""

    entry: Entry
    fact: Fact | None
    identity: Identity


def read_entry(value: bytes, entry: Entry | None = None) -> TrustedEntry:
    """Reads an admitted record and checks it fully. `entry`: the decoded value, if the caller has it already. Raises
    PoisonEntry.
    """
    try:
        return trust(decode_entry(value) if entry is None else entry)
    except ValueError as error:
        loose = loose_entry(value)
        raise PoisonEntry(_unknown_version(loose) or str(error), loose) from error


def loose_entry(value: bytes) -> LooseEntry | None:
    """The columns of a record of any version, or None if they cannot be read."""
    try:
        return _LOOSE_ENTRY.decode(value)
    except ValueError:
        return None


def raw_metadata(value: bytes) -> bytes:
    """The bytes of `metadata_json` in the record of an entry of version 1."""
    # `_METADATA` and `_ORG_ID` do not occur inside a string, where a backslash precedes every quote. Only strings and
    # nulls follow the metadata, so it ends at the last `_ORG_ID`.
    return value[value.index(_METADATA) + len(_METADATA) : value.rindex(_ORG_ID)]


def _unknown_version(loose: LooseEntry | None) -> str | None:
    """The reason, if the entry has an unknown version; else None."""
    try:
        version = VERSION if loose is None else _VERSION_ONLY.decode(loose.metadata_json).v
    except ValueError:
        return None
    return None if version == VERSION else f"unknown version {version!r}"


def trust(entry: Entry) -> TrustedEntry:
    """Checks a decoded entry fully. Raises ValueError with the first reason not to trust it."""
    check_action(entry)
    _check_forms(entry)
    metadata = entry.metadata_json
    if commit_hash(bytes.fromhex(metadata.salt or ""), bytes(metadata.data)) != metadata.commit:
        raise ValueError("the commit does not fit the data")
    return TrustedEntry(entry, checked_fact(entry), _checked_identity(entry))


def check_action(entry: Entry) -> None:
    if entry.metadata_json.v != VERSION:
        raise ValueError(f"unknown version {entry.metadata_json.v}")
    if entry.action not in ENTRY_DATA or (entry.result == "failure" and entry.action == _POLICY_ACTION):
        raise ValueError(f"unknown action {entry.action!r}")


def _check_forms(entry: Entry) -> None:
    """Checks the form of all ids, of the salt and of the time."""
    metadata, org_id, project_id, actor_id = entry.metadata_json, entry.org_id, entry.project_id, entry.actor_user_id
    nullable = (
        f"{_NO_ID if org_id is None else org_id} {_NO_ID if project_id is None else project_id} "
        f"{_NO_ID if actor_id is None else actor_id}"
    )
    texts = f"{entry.entity_id} {metadata.command_id} {metadata.key} {nullable} {metadata.salt}"
    if hex_shape(texts) != _SIX_IDS_AND_A_SALT:
        raise ValueError("an id is not a UUID in lower case, or the salt is not 32 hex digits")
    if not is_time(entry.created_at):
        raise ValueError("created_at is not a time with six fraction digits and Z")


def is_time(text: str) -> bool:
    """Whether the text is a `created_at` of the years 1 to 9999, which PostgreSQL and all languages can represent."""
    if _CREATED_AT.fullmatch(text) is None:
        return False
    if text[5:10] != "02-29":
        return True
    year = int(text[:4])
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def checked_fact(entry: Entry) -> Fact | None:
    metadata = entry.metadata_json
    is_failure = entry.result == "failure"
    if is_failure != (metadata.error is not UNSET):
        raise ValueError("a failure has an error, and a success has none")
    if is_failure:
        if bytes(metadata.data)[:1] != b"{":
            raise ValueError("data is not an object")
        return None
    fact = fact_of(entry)
    if entry.org_id is None and entry.action != USER_ACTION:
        raise ValueError("a success has an org")
    return fact


def _checked_identity(entry: Entry) -> Identity:
    metadata = entry.metadata_json
    if metadata.ordinal >= metadata.entries:
        raise ValueError(f"ordinal {metadata.ordinal} of {metadata.entries} entries")
    identity = identity_of(entry)
    if not has_right_scope_and_key(identity, entry):
        raise ValueError(f"scope {metadata.scope} and key do not fit the entry")
    if entry.id != identity.first_id():
        raise ValueError("the id is not the entry's first id")
    return identity


def has_right_scope_and_key(identity: Identity, entry: Entry) -> bool:
    """Whether the action allows the scope, and the key is the org or the user that the entry is about."""
    if identity.scope == "outsider" and (entry.result == "success" or not _is_id(identity.actor)):
        return False
    if entry.action == USER_ACTION:
        return identity.scope in {"user", "outsider"} and identity.key == entry.entity_id
    org_id = entry.org_id or _CLAIMED_ORG.decode(entry.metadata_json.data).org_id
    return identity.scope != "user" and identity.key == org_id


def _is_id(text: str | None) -> bool:
    return text is not None and _ID.fullmatch(text) is not None
