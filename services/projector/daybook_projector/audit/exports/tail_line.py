"""One entry as a line of `daybook audit tail`: an admitted entry in, bytes with a line feed out. Pure."""

import json
import unicodedata
from collections.abc import Callable
from typing import Final

import msgspec

from daybook_contracts.entries.reading import loose_entry
from daybook_contracts.log.admission import Admitted
from daybook_infra.operations.commands.listing import one_line

ShowLine = Callable[[Admitted], bytes]

# Categories of characters that a terminal may obey. They occur only in strings, since the rest of JSON is ASCII.
_UNSAFE: Final = frozenset({"Cc", "Cf", "Zl", "Zp"})


class _Code(msgspec.Struct, gc=False):
    code: str | None = None


class _Metadata(msgspec.Struct, gc=False):
    partition: int
    principal: str | None = None
    error: _Code | None = None


class _Placed(msgspec.Struct, gc=False):
    metadata_json: _Metadata


_PLACED = msgspec.json.Decoder(_Placed)


def show_json(admitted: Admitted) -> bytes:
    return b"%b\n" % admitted.value


def show_json_on_terminal(admitted: Admitted) -> bytes:
    """The same JSON value, with control and formatting characters as escapes."""
    if admitted.value.isascii() and b"\x7f" not in admitted.value:
        return show_json(admitted)
    text = admitted.value.decode(errors="replace")
    return f"{''.join(_escaped(char) if unicodedata.category(char) in _UNSAFE else char for char in text)}\n".encode()


def show_text(admitted: Admitted) -> bytes:
    """Time, position, result or code, action, entity, org and who acted, with blanks between."""
    entry, metadata = loose_entry(admitted.value), _metadata(admitted.value)
    position = f"{'?' if metadata is None else metadata.partition}.{admitted.head.position}"
    if entry is None:
        return f"{position} cannot be read as an entry\n".encode()
    code = None if metadata is None or metadata.error is None else metadata.error.code
    parts = [
        entry.created_at,
        position,
        code or entry.result,
        entry.action,
        entry.entity_type,
        entry.entity_id,
        f"org {entry.org_id or '-'}",
        f"by {'-' if metadata is None else metadata.principal or '-'}",
    ]
    if entry.actor_user_id is not None and parts[-1] != f"by user:{entry.actor_user_id}":
        parts.append(f"for {entry.actor_user_id}")
    return f"{one_line(' '.join(parts))}\n".encode()


def _escaped(char: str) -> str:
    return json.dumps(char)[1:-1] if char > "\x7f" else f"\\u{ord(char):04x}"


def _metadata(value: bytes) -> _Metadata | None:
    try:
        return _PLACED.decode(value).metadata_json
    except ValueError:
        return None
