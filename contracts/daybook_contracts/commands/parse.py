"""Parses bytes into a command, or raises InvalidCommand. HTTP and Kafka both parse here, so both refuse the same
commands.

The checks, in order: the text can be read; it contains no secret; it is strict JSON; the envelope and its data are
valid. So a text with a secret and another fault is refused for the secret. A text is parsed at most once.
"""

from collections.abc import Callable
from typing import Any

import pydantic

from daybook_contracts.codes import Code
from daybook_contracts.commands.faults import InvalidCommand, dotted_path, fault_text
from daybook_contracts.commands.normalised import normalised_bytes
from daybook_contracts.commands.registry import COMMANDS, Command
from daybook_contracts.json.counts import windows
from daybook_contracts.json.strict import NotStrictJson, parse_strictly
from daybook_contracts.limits import ENVELOPE_BYTES, ENVELOPE_VALUES
from daybook_contracts.secrets.scan import find_secret
from daybook_contracts.text import uuid_text

_KNOWN_TYPES = ", ".join(COMMANDS)
_TOO_LARGE = f"the envelope must be at most {ENVELOPE_BYTES // 1024} KiB"

# The normal form may be longer than the text: by up to 12 bytes for each number (1e15), and by the id and the actor if
# Daybook adds them. A text of at most this length always fits, so the size of the normal form is computed only for
# longer texts.
_ALWAYS_FITS = ENVELOPE_BYTES - 12 * ENVELOPE_VALUES - 2048

_MOST_QUOTES = 4 * ENVELOPE_VALUES  # a value has at most two strings, itself and its name

MakeId = Callable[[], str]


def parse_command(
    raw: bytes, *, default_id: MakeId | None = None, check_size: bool = True, extra_values: int = 0
) -> Command:
    """The normalised command of an envelope. `default_id` makes the id if the envelope has none. `extra_values`: how
    many values the envelope may have beyond the limit.

    Without `check_size` the caller must call `refuse_oversize`, which may take as long as all other checks together.
    """
    if len(raw) > ENVELOPE_BYTES:
        raise InvalidCommand(Code.INVALID_COMMAND, _TOO_LARGE, find_command_id(raw), too_large=True)
    try:
        value = parse_strictly(raw, extra_values=extra_values)
    except NotStrictJson as fault:
        raise _not_strict(raw, fault) from fault
    command = parse_envelope(value, default_id=default_id)
    if check_size:
        refuse_oversize(command, len(raw))
    return command


def parse_envelope(value: object, *, default_id: MakeId | None = None) -> Command:
    """The normalised command of an envelope that `parse_strictly` has returned."""
    _refuse_secret(value)
    if not isinstance(value, dict):
        raise InvalidCommand(Code.INVALID_COMMAND, "a command is a JSON object")
    if default_id is not None and value.get("id") is None:
        value = {**value, "id": default_id()}
    kind = value.get("type")
    model = COMMANDS.get(kind) if isinstance(kind, str) else None
    if model is None:
        raise InvalidCommand(Code.INVALID_COMMAND, f"type must be one of {_KNOWN_TYPES}", _readable_id(value))
    try:
        return model.__pydantic_validator__.validate_python(value)  # type: ignore[no-any-return]  # as `model_validate`
    except pydantic.ValidationError as error:
        raise InvalidCommand(Code.INVALID_COMMAND, fault_text(error), _readable_id(value)) from None


def _refuse_secret(value: Any) -> None:
    if path := find_secret(value):
        detail = f"{dotted_path(path)} looks like a secret; name a secret reference instead"
        raise InvalidCommand(Code.SECRET_IN_CONFIG, detail, _readable_id(value))


def refuse_oversize(command: Command, written: int) -> None:
    """Raises InvalidCommand if the command is too large in its normal form. `written`: the length of its text in bytes.

    The HTTP door publishes the normal form to Kafka, where the same limit applies.
    """
    if written > _ALWAYS_FITS and len(normalised_bytes(command)) > ENVELOPE_BYTES:
        raise InvalidCommand(Code.INVALID_COMMAND, _TOO_LARGE, command.id, too_large=True)


def _not_strict(raw: bytes, fault: NotStrictJson) -> InvalidCommand:
    """The refusal of a text that is not strict JSON. Raises InvalidCommand if the part that could be read contains a
    secret.
    """
    if fault.value is None:
        command_id = find_command_id(raw)
    else:
        _refuse_secret(fault.value)
        command_id = _readable_id(fault.value)
    where = f" at {dotted_path(fault.path)}" if fault.path else ""
    return InvalidCommand(Code.INVALID_COMMAND, f"{fault.reason}{where}", command_id)


def _readable_id(value: Any) -> str | None:
    text = value.get("id") if isinstance(value, dict) else None
    try:
        return uuid_text(text) if isinstance(text, str) else None
    except ValueError:
        return None


def find_command_id(raw: bytes) -> str | None:
    """The command id in a text that cannot be parsed: the only member `id` at the top level of the first 256 KiB. None
    if there is no such member, if there are several, or if its value is no UUID.

    Takes time linear in the length: the text is only split at its quotes.
    """
    text = b"".join(windows(raw[:ENVELOPE_BYTES]))
    if text.count(b'"') > _MOST_QUOTES:
        return None
    pieces = text.split(b'"')  # the pieces with odd indexes are strings
    depth, counted_to = 0, 0
    found: list[bytes] = []
    for at in range(1, len(pieces) - 2, 2):
        if pieces[at] == b"id" and pieces[at + 1].strip().startswith(b":"):
            before = b"".join(pieces[counted_to:at:2])
            depth += before.count(b"{") + before.count(b"[") - before.count(b"}") - before.count(b"]")
            counted_to = at + 1
            if depth == 1:
                found.append(pieces[at + 2] if pieces[at + 1].strip() == b":" else b"")
    try:
        return uuid_text(found[0].decode()) if len(found) == 1 else None
    except ValueError:
        return None
