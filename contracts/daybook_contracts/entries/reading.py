"""Reading an admitted record: an entry that every fold can trust, or the reason why nobody may fold it.
Enters: a record's value. Leaves: an entry, or PoisonEntry with what columns can be read. Does not judge admission.
"""

import re
from typing import Final

import msgspec
from msgspec import UNSET, Raw, Struct

from daybook_contracts.entries.entry import VERSION, Entry, decode_entry, entry_data, identity_of
from daybook_contracts.entries.facts import ENTRY_DATA
from daybook_contracts.entries.hashing import commit_hash
from daybook_contracts.entries.identity import Identity
from daybook_contracts.text import UUID_PATTERN, printable

_POLICY_ONLY: Final = "ESCALATE_ALERT"
_USER_ACTION: Final = "REGISTER_USER"
_IDS: Final = re.compile(f"('{UUID_PATTERN}' ){{3}}" + " ".join([f"('{UUID_PATTERN}'|None)"] * 3))
"""Entity, command and key; then the nullable org, project and actor, all as repr() writes them."""

_ID: Final = re.compile(UUID_PATTERN)
_SALT: Final = re.compile("[0-9a-f]{32}")
_CREATED_AT: Final = re.compile(
    r"(?!0000)(\d{4})-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)|02-(?:0[1-9]|[12]\d))"
    r"T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{6}Z",
    re.ASCII,
)


class LooseEntry(Struct, frozen=True, gc=False):
    """The columns of an entry of any version, its metadata as raw JSON: enough for a row of `audit_log`."""

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


class _MetadataOnly(Struct, gc=False):
    metadata_json: Raw


class _VersionOnly(Struct, gc=False):
    v: object = None


class _ClaimedOrg(Struct, gc=False):
    org_id: str | None = None


_LOOSE: Final = msgspec.json.Decoder(LooseEntry)
_METADATA: Final = msgspec.json.Decoder(_MetadataOnly)
_VERSION_ONLY: Final = msgspec.json.Decoder(_VersionOnly)
_CLAIMED_ORG: Final = msgspec.json.Decoder(_ClaimedOrg)


class PoisonEntry(Exception):
    """An admitted entry that no fold can apply; `entry` has its columns, if they can be read. The reason is a short
    line, whatever it quotes of the entry.
    """

    def __init__(self, reason: str, entry: LooseEntry | None) -> None:
        self.reason = printable(reason)
        super().__init__(self.reason)
        self.entry = entry

    @property
    def org_id(self) -> str | None:
        return None if self.entry is None else self.entry.org_id


def read_entry(value: bytes) -> Entry:
    """Decodes an admitted record fully; raises PoisonEntry."""
    try:
        entry = decode_entry(value)
        fault = _fault(entry)
    except ValueError as error:
        fault = str(error)
    if fault is None:
        return entry
    loose = loose_entry(value)
    raise PoisonEntry(_unknown_version(loose) or fault, loose)


def loose_entry(value: bytes) -> LooseEntry | None:
    """The columns of a record of any version, or None where they cannot be read."""
    try:
        return _LOOSE.decode(value)
    except ValueError:
        return None


def raw_metadata(value: bytes) -> bytes:
    """The JSON of `metadata_json` as it stands in the record; raises ValueError where there is none."""
    return bytes(_METADATA.decode(value).metadata_json)


def _unknown_version(loose: LooseEntry | None) -> str | None:
    """Says so if the version is why the shape was not understood."""
    try:
        version = VERSION if loose is None else _VERSION_ONLY.decode(loose.metadata_json).v
    except ValueError:
        return None
    return None if version == VERSION else f"unknown version {version!r}"


def _fault(entry: Entry) -> str | None:
    """The first reason not to trust the entry, None if there is none; raises ValueError for data of a wrong shape."""
    metadata = entry.metadata_json
    if metadata.v != VERSION:
        return f"unknown version {metadata.v}"
    if entry.action not in ENTRY_DATA or (entry.result == "failure" and entry.action == _POLICY_ONLY):
        return f"unknown action {entry.action!r}"
    salt = metadata.salt or ""
    if not _SALT.fullmatch(salt):
        return "the salt is not 32 hex digits"
    if commit_hash(bytes.fromhex(salt), bytes(metadata.data)) != metadata.commit:
        return "the commit does not fit the data"
    return _fault_of_columns(entry) or _fault_of_result(entry) or _fault_of_id(entry)


def _fault_of_columns(entry: Entry) -> str | None:
    metadata = entry.metadata_json
    required = f"{entry.entity_id!r} {metadata.command_id!r} {metadata.key!r}"
    if not _IDS.fullmatch(f"{required} {entry.org_id!r} {entry.project_id!r} {entry.actor_user_id!r}"):
        return "an id is not a UUID in lower case"
    if not _is_time(entry.created_at):
        return "created_at is not a time with six fraction digits and Z"
    return None


def _is_time(text: str) -> bool:
    """Years 1 to 9999, as PostgreSQL and every language's calendar take them."""
    found = _CREATED_AT.fullmatch(text)
    if found is None:
        return False
    year = int(found[1])
    is_leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return is_leap or text[5:10] != "02-29"


def _fault_of_result(entry: Entry) -> str | None:
    metadata = entry.metadata_json
    is_failure = entry.result == "failure"
    if is_failure != (metadata.error is not UNSET):
        return "a failure has an error, and nothing else has"
    if is_failure:
        return None if bytes(metadata.data)[:1] == b"{" else "data is not an object"
    entry_data(entry)
    if entry.org_id is None and entry.action != _USER_ACTION:
        return "a success has an org"
    return None


def _fault_of_id(entry: Entry) -> str | None:
    metadata = entry.metadata_json
    if metadata.ordinal >= metadata.entries:
        return f"ordinal {metadata.ordinal} of {metadata.entries} entries"
    identity = identity_of(entry)
    if not _fits(identity, entry):
        return f"scope {metadata.scope} and key do not fit the entry"
    return None if entry.id == identity.first_id() else "the id is not that of its identity"


def _fits(identity: Identity, entry: Entry) -> bool:
    """Whether the scope is the action's, and the key names the org or the user that the entry is about."""
    if identity.scope == "outsider" and (entry.result == "success" or not _is_id(identity.actor)):
        return False
    if entry.action == _USER_ACTION:
        return identity.scope in {"user", "outsider"} and identity.key == entry.entity_id
    org_id = entry.org_id or _CLAIMED_ORG.decode(entry.metadata_json.data).org_id
    return identity.scope != "user" and identity.key == org_id


def _is_id(text: str | None) -> bool:
    return text is not None and _ID.fullmatch(text) is not None
