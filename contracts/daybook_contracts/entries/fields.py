"""What all facts (the `data` of success entries) have in common: field types, base classes and their canonical bytes.
Facts keep free JSON (config, payload, stats) as canonical bytes.
"""

from typing import Annotated, Final, Literal, TypeVar

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from daybook_contracts.json.canonical import canonical_bytes
from daybook_contracts.limits import MAX_SAFE_INTEGER
from daybook_contracts.text import UUID_PATTERN

Uuid = Annotated[str, msgspec.Meta(max_length=36, extra_json_schema={"pattern": f"^{UUID_PATTERN}$"})]
"""msgspec checks the length only. `decode_fact` checks all ids of a fact together, which is faster than a pattern."""
Uuids = tuple[Uuid, ...]
Count = Annotated[int, msgspec.Meta(ge=0, le=MAX_SAFE_INTEGER)]
Role = Literal["owner", "admin", "member", "viewer"]
ProjectRole = Literal["admin", "editor", "viewer"]
Severity = Literal["critical", "warning", "info"]
Resolution = Literal["replayed", "manual", "duplicate", "discarded"]
Rule = Literal["sync_failing", "dlq_backlog", "sync_stalled"]

FreeObject = Annotated[Raw, msgspec.Meta(extra_json_schema={"type": "object"})]


T = TypeVar("T")


class _Config(Struct):
    """What a config of any type must satisfy."""

    secrets: dict[str, str] | UnsetType = UNSET


_CONFIG: Final = msgspec.json.Decoder(_Config)


class Fact(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """The `data` of a success entry."""


class Changeable(Fact, frozen=True, kw_only=True):
    """A fact whose command may have changed nothing. In that case `changed` is false, otherwise it is absent."""

    changed: Annotated[bool, msgspec.Meta(extra_json_schema={"const": False})] | UnsetType = UNSET

    def __post_init__(self) -> None:
        if self.changed is True:
            raise ValueError("changed is only ever false")


def require_object(free: Raw | UnsetType) -> None:
    """Raises ValueError if the free JSON is not an object."""
    if free is not UNSET and bytes(free)[:1] != b"{":  # canonical bytes have no white space before the brace
        raise ValueError("expected an object")


def require_config(free: Raw | UnsetType) -> None:
    """Raises ValueError if the config is not an object, or if it has `secrets` that do not map strings to strings."""
    require_object(free)
    if isinstance(free, Raw):
        _CONFIG.decode(free)


def unless_none(value: T | None) -> T | UnsetType:
    """The value, but UNSET for None: facts use UNSET for an absent field."""
    return UNSET if value is None else value


def free_json(value: object) -> Raw:
    """A config, a payload or stats as canonical bytes, for a fact. Raises NotCanonical."""
    return Raw(canonical_bytes(value))


def encode_fact(fact: Struct) -> bytes:
    """The JCS bytes of a fact. Its class has the fields in JCS order, and `free_json` made free JSON canonical."""
    return msgspec.json.encode(fact)
