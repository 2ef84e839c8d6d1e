"""The results of commands: accepted, rejected, or not decided yet.

A result is encoded in three forms: the body of a single call; an item of a batch, which adds `status` to an acceptance;
and a record of the results topic, which is a batch item that adds `result` to a rejection.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType, structs

from daybook_contracts.codes import HTTP_STATUS, TITLE, Code, problem_type


class EntryRef(msgspec.Struct, frozen=True):
    """One entry of the command; `id` is the entry's id in the log."""

    id: str
    action: str
    entity_type: str
    entity_id: str


class Accepted(msgspec.Struct, frozen=True):
    """`position`: the last entry's place in the log, written `partition.position`."""

    command_id: str
    entries: tuple[EntryRef, ...]
    position: str
    result: Literal["success"] = "success"


class Rejected(msgspec.Struct, frozen=True):
    """A problem (RFC 9457). It has `entry_id` and `position` only if the rejection is in the log. `command_id` is null
    only in a record of the results topic.
    """

    type: str
    title: str
    status: int
    detail: str
    code: Code
    command_id: str | UnsetType | None = UNSET
    entry_id: str | UnsetType = UNSET
    position: str | UnsetType = UNSET


class _NewerRejected(Rejected, frozen=True):
    """A rejection by a newer service, which may have more codes."""

    code: str  # type: ignore[assignment]


class Pending(msgspec.Struct, frozen=True):
    """Accepted for processing, not decided yet. The outcome will be at `location`."""

    command_id: str
    location: str
    status: Literal[202] = 202


Result = Accepted | Rejected


class _Tag(msgspec.Struct, frozen=True):
    result: Literal["success", "failure"]


_ACCEPTED = msgspec.json.Decoder(Accepted)
_REJECTED = msgspec.json.Decoder(Rejected)
_NEWER_REJECTED = msgspec.json.Decoder(_NewerRejected)
_TAG = msgspec.json.Decoder(_Tag)
_ENCODER = msgspec.json.Encoder()


def problem(
    code: Code,
    detail: str,
    *,
    command_id: str | None = None,
    entry_id: str | None = None,
    position: str | None = None,
    status: int | None = None,
) -> Rejected:
    """The problem for any refusal. `status` is needed only if it differs from the code's own (405, 413)."""
    return Rejected(
        type=problem_type(code),
        title=TITLE[code],
        status=HTTP_STATUS[code] if status is None else status,
        detail=detail,
        code=code,
        command_id=UNSET if command_id is None else command_id,
        entry_id=UNSET if entry_id is None else entry_id,
        position=UNSET if position is None else position,
    )


def encode_body(result: Result | Pending) -> bytes:
    """The body of a single call."""
    return _ENCODER.encode(result)


def encode_item(result: Result | Pending) -> bytes:
    """An item of the answer to a batch, or the answer to a look-up of an outcome."""
    body = _ENCODER.encode(result)
    return body[:-1] + b',"status":200}' if isinstance(result, Accepted) else body


def encode_items(items: Sequence[bytes]) -> bytes:
    """The body of the answer to a batch, from its encoded items."""
    return b"[" + b",".join(items) + b"]"


def encode_record(result: Result) -> bytes:
    """The value of a results record."""
    if isinstance(result, Accepted):
        return encode_item(result)
    with_id = structs.replace(result, command_id=None) if result.command_id is UNSET else result
    return encode_item(with_id)[:-1] + b',"result":"failure"}'


def decode_result(record: bytes) -> Result:
    """The result in the value of a results record. Raises msgspec.DecodeError for any other value. A newer service may
    send a code that is not in Code; it is then plain text.
    """
    if _TAG.decode(record).result == "success":
        return _ACCEPTED.decode(record)
    try:
        rejected = _REJECTED.decode(record)
    except msgspec.ValidationError:
        newer = _NEWER_REJECTED.decode(record)
        rejected = Rejected(**structs.asdict(newer))
    return structs.replace(rejected, command_id=UNSET) if rejected.command_id is None else rejected
